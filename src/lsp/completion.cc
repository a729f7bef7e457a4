#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/text.h"
#include "lsp/config_keys.h"
#include "lsp/cursor.h"
#include "lsp/features.h"

namespace biwa::lsp {

namespace {

// CompletionItemKind
constexpr int kFunction = 3;
constexpr int kField = 5;
constexpr int kModule = 9;
constexpr int kProperty = 10;
constexpr int kValue = 12;
constexpr int kStruct = 22;

constexpr std::size_t kItemsMax = 2000;

class Completer {
  public:
    explicit Completer(const Place& place)
        : place_(place), cursor_(FindCursor(place.file, place.text, place.offset)) {}

    Json Items() {
        switch (cursor_.kind) {
            case Cursor::Kind::kReference:
                AddTables();
                break;
            case Cursor::Kind::kFunction:
                AddFunctions();
                break;
            case Cursor::Kind::kConfigKey:
                AddKeys();
                break;
            case Cursor::Kind::kConfigValue:
                AddValues();
                break;
            case Cursor::Kind::kSql:
                AddColumns();
                break;
            case Cursor::Kind::kNothing:
                break;
        }
        const bool is_too_much = items_.size() > kItemsMax;
        if (is_too_much) CutOff();
        return {{"isIncomplete", is_too_much}, {"items", std::move(items_)}};
    }

  private:
    void Add(const std::string& label, const std::string& text, int kind, const std::string& detail,
             const std::string& documentation) {
        if (!labels_.insert(label).second) return;
        Json item = {
            {"label", label},
            {"kind", kind},
            {"textEdit", {{"range", ToJson(place_.index, cursor_.word)}, {"newText", text}}}};
        if (!detail.empty()) item["detail"] = detail;
        if (!documentation.empty()) item["documentation"] = documentation;
        items_.push_back(std::move(item));
    }

    // What cannot be meant makes room for what can: the editor asks again at the next letter.
    void CutOff() {
        Json kept = Json::array();
        for (auto& item : items_) {
            if (kept.size() < kItemsMax && MayBeMeant(item["label"].get_ref<const std::string&>()))
                kept.push_back(std::move(item));
        }
        items_ = std::move(kept);
    }

    // What is typed so far is in it, letter by letter, as editors match.
    bool MayBeMeant(const std::string& label) const {
        const auto begin = std::min(cursor_.word.begin, place_.offset);
        const auto typed =
            SmallLetters(std::string(place_.text.substr(begin, place_.offset - begin)));
        std::size_t matched = 0;
        for (const char c : SmallLetters(label)) {
            if (matched < typed.size() && c == typed[matched]) ++matched;
        }
        return matched == typed.size();
    }

    // A text of JavaScript, with its quotes where they are not there yet.
    std::string Quoted(const std::string& text) const {
        return cursor_.in_string ? text : "\"" + text + "\"";
    }

    void AddTables() {
        if (cursor_.before.size() > 1) return;
        // The quote that the author began with.
        const char quote = place_.text[cursor_.word.begin - 1];
        for (const auto& table : place_.view.Tables()) {
            const auto& [dataset, name] = table.name;
            const auto detail = fmt::format("{} {}", table.type, table.name.ToString());
            if (!cursor_.before.empty()) {
                if (dataset == cursor_.before[0])
                    Add(name, name, kStruct, detail, table.description);
                continue;
            }
            // A table that the project does not make is not found without its dataset.
            const bool needs_dataset = place_.view.IsAmbiguous(name) || table.file.empty() ||
                                       table.type == "table of a stream";
            if (needs_dataset) {
                Add(table.name.ToString(), fmt::format("{0}{1}, {1}{2}", dataset, quote, name),
                    kStruct, detail, table.description);
            } else {
                Add(name, name, kStruct, detail, table.description);
            }
        }
        if (!cursor_.before.empty()) return;
        for (const auto& table : place_.view.Tables()) {
            Add(table.name.dataset, table.name.dataset, kModule, "dataset", "");
        }
    }

    void AddDependencies() {
        for (const auto& table : place_.view.Tables()) {
            const auto& name = table.name;
            const bool is_plain = !place_.view.IsAmbiguous(name.name) && !table.file.empty() &&
                                  table.type != "table of a stream";
            const auto text = is_plain ? name.name : name.ToString();
            Add(text, Quoted(text), kStruct, fmt::format("{} {}", table.type, name.ToString()),
                table.description);
        }
    }

    void AddFunctions() {
        constexpr std::array<std::pair<const char*, const char*>, 7> kFunctions = {
            {{"ref", "The name of a table, which this file then depends on"},
             {"resolve", "The name of a table, without depending on it"},
             {"self", "The name of the table that this file makes"},
             {"name", "The name of this file's table alone"},
             {"schema", "The dataset of this file's table"},
             {"incremental", "Whether rows are being added to a table that is there"},
             {"when", "when(condition, text, other text)"}}};
        for (const auto& [name, description] : kFunctions) {
            Add(name, name, kFunction, description, "");
        }
    }

    std::vector<ColumnFacts> OwnColumns() const {
        const auto made = place_.view.MadeBy(place_.file);
        return made ? made->columns : std::vector<ColumnFacts>();
    }

    void AddKeys() {
        for (const auto& key : ConfigKeysAt(cursor_.path)) {
            const std::string name(key.name);
            Add(name, cursor_.in_string ? name : name + ": ", kProperty, "",
                std::string(key.description));
        }
        if (cursor_.path == std::vector<std::string>{"columns"}) {
            for (const auto& column : OwnColumns()) {
                Add(column.name, cursor_.in_string ? column.name : column.name + ": ", kField,
                    column.type, column.description);
            }
        }
    }

    void AddValues() {
        auto path = cursor_.path;
        if (path.empty()) return;
        const auto name = path.back();
        path.pop_back();
        const auto* key = FindConfigKey(path, name);
        if (key == nullptr) return;
        for (const auto choice : key->choices) {
            Add(std::string(choice), Quoted(std::string(choice)), kValue, "", "");
        }
        if (key->value == ConfigKey::Value::kBool && !cursor_.in_string) {
            Add("true", "true", kValue, "", "");
            Add("false", "false", kValue, "", "");
        }
        if (key->value == ConfigKey::Value::kTables || key->value == ConfigKey::Value::kTable)
            AddDependencies();
        if (key->value == ConfigKey::Value::kColumnNames) {
            for (const auto& column : OwnColumns()) {
                Add(column.name, Quoted(column.name), kField, column.type, column.description);
            }
        }
    }

    static std::string AsSql(const std::string& column) {
        const bool is_plain =
            !column.empty() && std::isdigit(static_cast<unsigned char>(column[0])) == 0 &&
            std::all_of(column.begin(), column.end(), [](char c) {
                return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
            });
        return is_plain ? column : QuoteIdentifier(column);
    }

    void AddColumns() {
        const auto* facts = place_.view.Facts(place_.file);
        if (facts == nullptr) return;
        std::vector<Span> wanted;
        for (const auto& alias : FindAliases(place_.text)) {
            if (SmallLetters(alias.name) == SmallLetters(cursor_.qualifier))
                wanted.push_back(alias.table);
        }
        for (const auto& mention : facts->mentions) {
            const bool is_wanted =
                wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const Span& span) {
                    return span.begin <= mention.span.begin && mention.span.end <= span.end;
                });
            const auto table = is_wanted ? place_.view.Find(mention) : std::nullopt;
            if (!table) continue;
            for (const auto& column : table->columns) {
                Add(column.name, AsSql(column.name), kField,
                    column.type.empty() ? table->name.ToString()
                                        : fmt::format("{} {}", column.type, table->name.ToString()),
                    column.description);
            }
        }
    }

    const Place& place_;
    const Cursor cursor_;
    Json items_ = Json::array();
    std::set<std::string> labels_;
};

}  // namespace

Json Complete(const Place& place) { return Completer(place).Items(); }

}  // namespace biwa::lsp
