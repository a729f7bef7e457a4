#include "cli/rows_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace biwa::cli {

namespace {

constexpr std::size_t kValueLettersMax = 60;

// Of UTF-8: the bytes that begin a letter.
std::size_t Letters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string Shown(const nlohmann::json& value) {
    if (!value.is_string()) return "NULL";
    auto text = value.get<std::string>();
    if (text.empty() || text == "NULL") return "'" + text + "'";
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
    std::size_t letters = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
        if (++letters > kValueLettersMax) return text.substr(0, at) + "…";
    }
    return text;
}

}  // namespace

std::vector<std::string> RowLines(const nlohmann::json& sample) {
    std::vector<std::string> lines;
    if (!sample.is_object() || sample.value("rows", nlohmann::json::array()).empty()) return lines;
    std::vector<std::vector<std::string>> table(1);
    for (const auto& column : sample["columns"])
        table[0].push_back(column == "" ? std::string() : Shown(column));
    for (const auto& row : sample["rows"]) {
        auto& texts = table.emplace_back();
        for (const auto& value : row) texts.push_back(Shown(value));
    }
    std::vector<std::size_t> widths(table[0].size());
    for (const auto& row : table) {
        for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
            widths[i] = std::max(widths[i], Letters(row[i]));
    }
    for (const auto& row : table) {
        auto& line = lines.emplace_back();
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += (i == 0 ? "" : "  ") + row[i];
            if (i + 1 < row.size() && i < widths.size())
                line.append(widths[i] - Letters(row[i]), ' ');
        }
    }
    return lines;
}

std::vector<std::string> DiffLines(const nlohmann::json& diff) {
    const auto count = [&](const char* field) {
        return HumanCount(diff.value(field, std::int64_t{0}));
    };
    std::vector<std::string> lines;
    for (const auto& column : diff["columns"]) lines.push_back(column.get<std::string>());
    lines.push_back(
        fmt::format("{} rows before, {} after", count("rows_before"), count("rows_after")));
    if (diff.value("same", false)) {
        lines.push_back("no difference");
        return lines;
    }
    std::vector<std::string> key;
    for (const auto& column : diff["key"]) key.push_back(column.get<std::string>());
    lines.push_back(key.empty() ? fmt::format("only before {}, only after {} (rows compared whole)",
                                              count("only_before"), count("only_after"))
                                : fmt::format("only before {}, only after {}, changed {} (by {})",
                                              count("only_before"), count("only_after"),
                                              count("changed"), Join(key, ", ")));
    for (const auto& column : diff["changed_columns"]) {
        lines.push_back(fmt::format("{} differs in {}", column.value("column", ""),
                                    HumanCount(column.value("rows", std::int64_t{0}))));
    }
    for (const auto& row : RowLines(diff["sample"])) lines.push_back("  " + row);
    return lines;
}

}  // namespace biwa::cli
