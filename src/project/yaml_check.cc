#include "project/yaml_check.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/text.h"
#include "project/quantity.h"
#include "project/secrets.h"

namespace biwa {

struct YamlDocument::Tree {
    std::string file;
    std::string text;
    YAML::Node root;

    bool At(const YAML::Mark& mark, std::string_view word) const {
        const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
        return at <= text.size() && text.compare(at, word.size(), word) == 0;
    }

    SourceLocation Locate(const YAML::Mark& mark) const {
        if (mark.is_null()) return {file, 1, 1};
        // The parser counts a column in bytes; people, and their editors, in characters. Nobody
        // looks for a column beyond the first thousand, and counting them takes long.
        constexpr int kCountedMax = 1000;
        int column = mark.column;
        const auto end = std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), text.size());
        if (column >= 0 && column <= kCountedMax && static_cast<std::size_t>(column) <= end) {
            const auto begin = end - static_cast<std::size_t>(column);
            column =
                static_cast<int>(std::count_if(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                               text.begin() + static_cast<std::ptrdiff_t>(end),
                                               [](char c) { return (c & 0xC0) != 0x80; }));
        }
        return {file, mark.line + 1, column + 1};
    }
};

namespace {

// Aliases can make a small file into a large document. No project file comes near this.
constexpr int kValuesMax = 100'000;

std::string Shorten(std::string_view text) {
    constexpr std::size_t kShown = 60;
    std::string shown(text.substr(0, text.find('\n')));
    bool cut = shown.size() < text.size();
    if (shown.size() > kShown) {
        shown.resize(kShown);
        while (!shown.empty() && !IsValidUtf8(shown)) shown.pop_back();
        cut = true;
    }
    return cut ? shown + "…" : shown;
}

// The first character that no project file needs and that would make the parser guess another
// encoding, or npos.
std::size_t FindControlCharacter(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) return i;
    }
    return std::string_view::npos;
}

// Remembers where the last document began.
struct DocumentStart final : YAML::EventHandler {
    YAML::Mark mark;

    void OnDocumentStart(const YAML::Mark& at) override { mark = at; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

// What a syntax error means, and where.
void AddSyntaxProblem(const std::string& file, std::string_view text, SourceLocation location,
                      const std::string& said, Problems& problems) {
    const auto lines = Split(text, '\n');
    const auto index = static_cast<std::size_t>(location.line - 1);
    if (index < lines.size()) {
        const auto indent = lines[index].substr(0, lines[index].find_first_not_of(" \t"));
        if (const auto tab = indent.find('\t'); tab != std::string::npos) {
            problems.Add({file, location.line, static_cast<int>(tab) + 1},
                         "a tab indents this line; YAML is indented with spaces only");
            return;
        }
    }
    if (said == YAML::ErrorMsg::DOC_IN_SCALAR || said == YAML::ErrorMsg::EOF_IN_SCALAR) {
        problems.Add(
            std::move(location),
            "a quoted text is not closed before the end of the file; look for a lone \" or '");
        return;
    }
    problems.Add(
        std::move(location),
        fmt::format("this is not YAML: {}. Look at the indentation, quotes and colons here "
                    "and in the line above.",
                    said));
}

}  // namespace

class YamlChecker {
  public:
    YamlChecker(const YamlDocument::Tree& tree, OtherNames others, Problems& problems)
        : tree_(tree), others_(others), problems_(problems) {}

    Checked CheckRoot(const std::vector<Setting>& settings) {
        Checked root;
        root.location = {tree_.file, 1, 1};
        if (!tree_.root.IsDefined() || tree_.root.IsNull()) {
            FillAbsent(settings, root);
        } else if (!tree_.root.IsMap()) {
            problems_.Add(tree_.Locate(tree_.root.Mark()),
                          "the file must be settings, one \"name: value\" a line");
        } else {
            root.fields = CheckFields(tree_.root, settings, root.location, "", others_);
        }
        return root;
    }

  private:
    struct Pair {
        std::string name;
        SourceLocation location;  // of the name
        YAML::Node value;
    };

    static std::string Join(const std::string& path, const std::string& name) {
        return path.empty() ? name : path + "." + name;
    }

    void Refuse(const YAML::Node& node, const SourceLocation& fallback, const std::string& path,
                const std::string& expected) {
        const auto location = node.IsNull() ? fallback : tree_.Locate(node.Mark());
        std::string found = "empty";
        if (node.IsScalar()) found = fmt::format("\"{}\"", Shorten(node.Scalar()));
        if (node.IsSequence()) found = "a list";
        if (node.IsMap()) found = "settings of its own";
        problems_.Add(location, fmt::format("{} is {}; expected {}", path, found, expected));
    }

    // The names and values of a map; merged ones ("<<") behind its own, which win.
    std::vector<Pair> Pairs(const YAML::Node& map, const std::string& path, int depth = 0) {
        std::vector<Pair> pairs;
        std::map<std::string, int> lines;  // of the names seen
        std::vector<YAML::Node> merged;
        for (const auto& entry : map) {
            if (!Spend()) return pairs;
            const auto location = tree_.Locate(entry.first.Mark());
            if (!entry.first.IsScalar()) {
                problems_.Add(location, "a setting's name must be one word");
                continue;
            }
            const auto& name = entry.first.Scalar();
            if (name == "<<" && entry.first.Tag() != "!") {
                if (entry.second.IsSequence()) {
                    for (const auto& one : entry.second) merged.push_back(one);
                } else {
                    merged.push_back(entry.second);
                }
                continue;
            }
            const auto [seen, is_new] = lines.emplace(name, location.line);
            if (!is_new) {
                problems_.Add(location, fmt::format("{} stands here twice; the first is in line {}",
                                                    Join(path, Shorten(name)), seen->second));
                continue;
            }
            pairs.push_back({name, location, entry.second});
        }
        for (const auto& from : merged) {
            if (!from.IsMap() || depth > 8) {
                problems_.Add(tree_.Locate(map.Mark()), "\"<<\" needs an alias of settings");
                continue;
            }
            for (auto& pair : Pairs(from, path, depth + 1)) {
                if (lines.emplace(pair.name, 0).second) pairs.push_back(std::move(pair));
            }
        }
        return pairs;
    }

    std::map<std::string, Checked> CheckFields(const YAML::Node& map,
                                               const std::vector<Setting>& settings,
                                               const SourceLocation& location,
                                               const std::string& path, OtherNames others) {
        Checked object;
        object.location = location;
        std::vector<std::string> seen, names;
        for (const auto& setting : settings) names.push_back(setting.name);
        for (const auto& pair : Pairs(map, path)) {
            const auto setting =
                std::find_if(settings.begin(), settings.end(),
                             [&](const Setting& one) { return one.name == pair.name; });
            if (setting == settings.end()) {
                if (others == OtherNames::kRefused) {
                    problems_.Add(
                        pair.location,
                        fmt::format("there is no setting \"{}\"{}.{}", Shorten(pair.name),
                                    path.empty() ? "" : " in " + path, Suggest(pair.name, names)));
                }
                continue;
            }
            seen.push_back(pair.name);
            auto value = CheckValue(pair, *setting, Join(path, pair.name));
            if (value) object.fields[pair.name] = std::move(*value);
        }
        FillAbsent(settings, object, seen, path);
        return std::move(object.fields);
    }

    // Defaults of what was left out, and complaints about what was needed.
    void FillAbsent(const std::vector<Setting>& settings, Checked& object,
                    const std::vector<std::string>& seen = {}, const std::string& path = "") {
        for (const auto& setting : settings) {
            if (std::find(seen.begin(), seen.end(), setting.name) != seen.end()) continue;
            if (setting.required) {
                problems_.Add(object.location,
                              fmt::format("{} is missing: {}", Join(path, setting.name),
                                          setting.description));
                continue;
            }
            Checked absent;
            absent.location = object.location;
            absent.is_default = true;
            absent.text = setting.default_text;
            if (setting.type == SettingType::kObject) {
                FillAbsent(setting.fields, absent, {}, Join(path, setting.name));
            } else if (setting.type == SettingType::kTextList && !setting.default_text.empty()) {
                absent.items.push_back(absent);
            } else if (setting.default_text.empty()) {
                continue;
            }
            object.fields[setting.name] = std::move(absent);
        }
    }

    std::optional<Checked> CheckValue(const Pair& pair, const Setting& setting,
                                      const std::string& path) {
        const auto& node = pair.value;
        if (!Spend()) return std::nullopt;
        const auto& tag = node.Tag();
        if (!tag.empty() && tag != "?" && tag != "!" &&
            tag.compare(0, 18, "tag:yaml.org,2002:") != 0) {
            problems_.Add(tree_.Locate(node.Mark()),
                          fmt::format("{} has a tag of its own, and none is known here", path));
            return std::nullopt;
        }
        Checked value;
        value.location = node.IsNull() ? pair.location : tree_.Locate(node.Mark());
        switch (setting.type) {
            case SettingType::kTextList:
                return CheckTextList(pair, setting, path, std::move(value));
            case SettingType::kObject:
                if (!node.IsMap() && !node.IsNull()) {
                    Refuse(node, pair.location, path, ExpectedFields(setting));
                    return std::nullopt;
                }
                value.fields =
                    CheckFields(node, setting.fields, value.location, path, OtherNames::kRefused);
                return value;
            case SettingType::kObjectList:
                return CheckObjectList(pair, setting, path, std::move(value));
            case SettingType::kMap:
                return CheckMap(pair, setting, path, std::move(value));
            default:
                return CheckScalar(pair, setting, path, std::move(value));
        }
    }

    std::optional<Checked> CheckScalar(const Pair& pair, const Setting& setting,
                                       const std::string& path, Checked value) {
        const auto& node = pair.value;
        if (!setting.pattern.empty() && node.IsNull() && tree_.At(node.Mark(), "null")) {
            value.location = tree_.Locate(node.Mark());
            value.text = "null";
            return value;
        }
        if (setting.type == SettingType::kSecret && !node.IsNull()) {
            // Whatever stands here may be the secret itself, so it is never shown.
            if (!node.IsScalar() || !IsReference(node.Scalar())) {
                problems_.Add(value.location,
                              fmt::format("{} must not stand in the file itself; write a "
                                          "reference: ${{env:NAME}} or ${{file:secrets/NAME}}",
                                          path));
                return std::nullopt;
            }
        } else if (!node.IsScalar() || !IsGood(setting, node.Scalar())) {
            Refuse(node, pair.location, path, Expected(setting));
            return std::nullopt;
        }
        value.text = node.Scalar();
        return value;
    }

    static bool IsGood(const Setting& setting, const std::string& text) {
        switch (setting.type) {
            case SettingType::kInteger: {
                std::int64_t number = 0;
                const auto end = text.data() + text.size();
                const auto parsed = std::from_chars(text.data(), end, number);
                return parsed.ec == std::errc() && parsed.ptr == end && number >= setting.min &&
                       number <= setting.max;
            }
            case SettingType::kBoolean:
                return text == "true" || text == "false";
            case SettingType::kDuration:
                return ParseDuration(text).has_value();
            case SettingType::kBytes:
                return ParseBytes(text).has_value();
            default:
                if (setting.required && Trim(text).empty()) return false;
                return setting.choices.empty() ||
                       std::find(setting.choices.begin(), setting.choices.end(), text) !=
                           setting.choices.end();
        }
    }

    static std::string Expected(const Setting& setting) {
        switch (setting.type) {
            case SettingType::kInteger:
                return fmt::format("a whole number from {} to {}", setting.min, setting.max);
            case SettingType::kBoolean:
                return "true or false";
            case SettingType::kDuration:
                return "a duration such as 500ms, 30s, 5m, 2h or 1d";
            case SettingType::kBytes:
                return "a size such as 512MB or 4GiB";
            case SettingType::kSecret:
                return "a reference: ${env:NAME} or ${file:secrets/NAME}";
            default:
                return setting.choices.empty() ? "a text"
                                               : "one of: " + biwa::Join(setting.choices, ", ");
        }
    }

    static std::string ExpectedFields(const Setting& setting) {
        std::vector<std::string> names;
        for (const auto& field : setting.fields) names.push_back(field.name);
        return "settings below it: " + biwa::Join(names, ", ");
    }

    std::optional<Checked> CheckTextList(const Pair& pair, const Setting& setting,
                                         const std::string& path, Checked value) {
        const auto& node = pair.value;
        Setting text = setting;
        text.type = SettingType::kText;
        text.required = true;
        const auto add = [&](const YAML::Node& item) {
            auto one = CheckValue({pair.name, value.location, item}, text, path);
            if (one) value.items.push_back(std::move(*one));
        };
        if (node.IsScalar()) {
            add(node);
        } else if (node.IsSequence()) {
            for (const auto& item : node) add(item);
        } else if (!node.IsNull()) {
            Refuse(node, pair.location, path, "a text or a list of texts");
            return std::nullopt;
        }
        if (setting.required && (node.IsNull() || (node.IsSequence() && node.size() == 0))) {
            problems_.Add(pair.location, fmt::format("{} is empty: {}", path, setting.description));
            return std::nullopt;
        }
        return value;
    }

    std::optional<Checked> CheckObjectList(const Pair& pair, const Setting& setting,
                                           const std::string& path, Checked value) {
        const auto& node = pair.value;
        if (!node.IsSequence() && !node.IsNull()) {
            Refuse(node, pair.location, path, "a list, each item with a \"- \" before it");
            return std::nullopt;
        }
        if (setting.required && (node.IsNull() || node.size() == 0)) {
            problems_.Add(pair.location, fmt::format("{} is empty: {}", path, setting.description));
            return std::nullopt;
        }
        int number = 0;
        for (const auto& item : node) {
            if (!Spend()) break;
            const auto item_path = fmt::format("{}[{}]", path, ++number);
            Checked one;
            one.location = item.IsNull() ? value.location : tree_.Locate(item.Mark());
            if (!item.IsMap()) {
                Refuse(item, value.location, item_path, ExpectedFields(setting));
                continue;
            }
            one.fields =
                CheckFields(item, setting.fields, one.location, item_path, OtherNames::kRefused);
            value.items.push_back(std::move(one));
        }
        return value;
    }

    std::optional<Checked> CheckMap(const Pair& pair, const Setting& setting,
                                    const std::string& path, Checked value) {
        const auto& node = pair.value;
        if (node.IsNull()) return value;
        if (!node.IsMap()) {
            Refuse(node, pair.location, path, "names with values below it");
            return std::nullopt;
        }
        Setting one = setting;
        one.type = setting.fields.empty() ? SettingType::kText : SettingType::kObject;
        one.required = false;
        for (const auto& entry : Pairs(node, path)) {
            auto checked = CheckValue(entry, one, Join(path, entry.name));
            if (checked) value.fields[entry.name] = std::move(*checked);
        }
        return value;
    }

    bool Spend() {
        if (values_++ == kValuesMax) {
            problems_.Add({tree_.file}, fmt::format("has more than {} values", kValuesMax));
        }
        return values_ <= kValuesMax;
    }

    const YamlDocument::Tree& tree_;
    const OtherNames others_;
    Problems& problems_;
    int values_ = 0;
};

std::optional<YamlDocument> YamlDocument::Parse(const std::string& file, std::string_view text,
                                                Problems& problems) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.substr(0, 3) == kByteOrderMark) text.remove_prefix(3);
    auto tree = std::make_shared<Tree>();
    tree->file = file;
    tree->text = text;
    if (const auto at = FindControlCharacter(text); at != std::string_view::npos) {
        YAML::Mark mark;
        mark.pos = static_cast<int>(at);
        const auto line_end = text.rfind('\n', at);
        mark.column = static_cast<int>(line_end == std::string_view::npos ? at : at - line_end - 1);
        mark.line = static_cast<int>(
            std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        problems.Add(tree->Locate(mark),
                     fmt::format("there is a control character (0x{:02X}) in the file",
                                 static_cast<unsigned char>(text[at])));
        return std::nullopt;
    }
    try {
        // The parser would take the end of the file for the end of a quoted text; not so the mark
        // of a document's end.
        const bool has_line_end = text.empty() || text.back() == '\n';
        const auto closed = tree->text + (has_line_end ? "...\n" : "\n...\n");
        // Not LoadAll: on a stray "," or "]" it never ends, taking it for one more empty document
        // each time.
        std::istringstream stream(closed);
        YAML::Parser parser(stream);
        DocumentStart start;
        if (parser.HandleNextDocument(start) && parser.HandleNextDocument(start)) {
            const bool is_document = tree->At(start.mark, "---");
            problems.Add(tree->Locate(start.mark),
                         is_document
                             ? "a second document begins here (\"---\"); a file holds one"
                             : "this is not YAML: what stands here belongs to nothing before "
                               "it");
            return std::nullopt;
        }
        tree->root = YAML::Load(closed);
    } catch (const YAML::Exception& error) {
        AddSyntaxProblem(file, text, tree->Locate(error.mark), error.msg, problems);
        return std::nullopt;
    }
    return YamlDocument(std::move(tree));
}

std::optional<Checked> YamlDocument::Peek(const std::string& name) const {
    if (!tree_->root.IsDefined() || !tree_->root.IsMap()) return std::nullopt;
    for (const auto& entry : tree_->root) {
        if (!entry.first.IsScalar() || entry.first.Scalar() != name) continue;
        if (!entry.second.IsScalar()) return std::nullopt;
        Checked found;
        found.location = tree_->Locate(entry.second.Mark());
        found.text = entry.second.Scalar();
        return found;
    }
    return std::nullopt;
}

Checked YamlDocument::Check(const std::vector<Setting>& settings, OtherNames others,
                            Problems& problems) const {
    try {
        return YamlChecker(*tree_, others, problems).CheckRoot(settings);
    } catch (const YAML::Exception& error) {
        problems.Add(tree_->Locate(error.mark), "this is not YAML: " + error.msg);
        return {};
    }
}

}  // namespace biwa
