#include "project/masks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace biwa {

namespace {

// "public.students" -> "students", as names of columns may leave public out.
std::vector<std::string> NamesOf(const std::string& table) {
    std::vector<std::string> names = {table};
    if (table.starts_with("public.")) names.push_back(table.substr(7));
    return names;
}

// Whether the columns can be of a table of the stream. Patterns may stand for any tables; what
// exactly is there is checked with the source at hand.
bool MayBeThere(const std::string& columns, const StreamConfig& stream) {
    if (columns.find('*') != std::string::npos) return true;
    return std::any_of(stream.tables.begin(), stream.tables.end(), [&](const std::string& pattern) {
        const bool any = pattern.ends_with('*');
        const auto begin = any ? pattern.substr(0, pattern.size() - 1) : pattern + ".";
        const auto names = NamesOf(begin);
        return std::any_of(names.begin(), names.end(),
                           [&](const std::string& name) { return columns.starts_with(name); });
    });
}

void CheckColumns(const std::string& setting, const std::string& columns,
                  const SourceLocation& location, const StreamConfig& stream, Problems& problems) {
    const auto dot = columns.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == columns.size()) {
        problems.Add(location,
                     fmt::format("{}: \"{}\" is no column; expected table.column, such "
                                 "as \"students.{}\"",
                                 setting, columns, dot == std::string::npos ? columns : "email"));
        return;
    }
    if (MayBeThere(columns, stream)) return;
    const auto end = columns.rfind('.');
    std::vector<std::string> meant;
    for (const auto& table : stream.tables) {
        for (const auto& name : NamesOf(table)) meant.push_back(name);
    }
    const auto near = DidYouMean(columns.substr(0, end), meant);
    problems.Add(location, fmt::format("{}: \"{}\" is of no table of this stream ({}).{}", setting,
                                       columns, Join(stream.tables, ", "),
                                       near.empty() ? ""
                                                    : fmt::format(" Did you mean \"{}{}\"?", near,
                                                                  columns.substr(end))));
}

}  // namespace

void LoadMasks(const Checked& checked, StreamConfig& stream, Problems& problems) {
    stream.mask_by_default = checked.Text("mask") == "by_default";
    if (const auto* key = checked.Find("mask_key")) {
        stream.mask_key = key->text;
        stream.mask_key_location = key->location;
    }
    if (const auto* masks = checked.Find("masks")) {
        for (const auto& [columns, value] : masks->fields) {
            const auto mask = ParseMask(value.text);
            if (!mask) {
                const auto near = DidYouMean(value.text, MaskNames());
                problems.Add(
                    value.location,
                    fmt::format("masks.{} is \"{}\"; expected one of: {}.{}", columns, value.text,
                                Join(MaskNames(), ", "),
                                near.empty() ? "" : fmt::format(" Did you mean \"{}\"?", near)));
                continue;
            }
            if (mask->kind == MaskKind::kHash && stream.mask_key.empty()) {
                problems.Add(value.location,
                             fmt::format("masks.{} is hash, which needs mask_key: a reference to "
                                         "the key, such as ${{file:secrets/masks.key}}",
                                         columns));
            }
            CheckColumns("masks", columns, value.location, stream, problems);
            stream.masks.push_back({columns, *mask, value.location});
        }
    }
    const auto* clear = checked.Find("clear");
    if (clear == nullptr) return;
    for (const auto& item : clear->items) {
        CheckColumns("clear", item.text, item.location, stream, problems);
        const auto masked =
            std::find_if(stream.masks.begin(), stream.masks.end(),
                         [&](const MaskConfig& mask) { return mask.columns == item.text; });
        if (masked != stream.masks.end()) {
            problems.Add(item.location,
                         fmt::format("clear: \"{}\" is masked by {} in line {}", item.text,
                                     ToString(masked->mask), masked->location.line));
        }
        stream.clear.emplace(item.text, item.location);
    }
}

}  // namespace biwa
