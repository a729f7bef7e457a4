#include "lsp/definition_file.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "lsp/js_values.h"
#include "transform/syntax/sqlx_outline.h"

namespace biwa::lsp {

namespace {

using transform::SqlxSection;

TableMention MentionOf(const std::vector<JsString>& strings) {
    TableMention mention;
    mention.name = strings.back().value;
    if (strings.size() > 1) mention.dataset = strings[strings.size() - 2].value;
    mention.span = {strings.front().span.begin, strings.back().span.end};
    return mention;
}

// An argument, or arguments, that name a table; nothing when they do not.
void AddMention(const std::vector<JsValue>& arguments, std::vector<TableMention>& mentions) {
    if (arguments.empty()) return;
    std::vector<JsString> strings;
    if (arguments[0].kind == JsValue::Kind::kObject) {
        for (const std::string_view key : {"schema", "dataset"}) {
            if (const auto* value = arguments[0].Find(key)) strings = value->Strings();
            if (!strings.empty()) break;
        }
        const auto* name = arguments[0].Find("name");
        if (name == nullptr || name->Strings().size() != 1) return;
        strings.push_back(name->Strings().front());
        auto mention = MentionOf(strings);
        mention.span = arguments[0].span;
        mentions.push_back(std::move(mention));
        return;
    }
    if (arguments[0].kind == JsValue::Kind::kArray) return AddMention(arguments[0].items, mentions);
    for (const auto& argument : arguments) {
        if (argument.kind != JsValue::Kind::kString) return;
        strings.push_back(argument.Strings().front());
    }
    if (strings.size() <= 3) mentions.push_back(MentionOf(strings));
}

std::string TextOf(const JsValue* value) {
    return value != nullptr && value->kind == JsValue::Kind::kString
               ? value->Strings().front().value
               : "";
}

std::vector<ColumnFacts> ColumnsOf(const JsValue* value) {
    std::vector<ColumnFacts> columns;
    if (value == nullptr) return columns;
    for (std::size_t i = 0; i < value->keys.size(); ++i) {
        const auto& column = value->items[i];
        columns.push_back({value->keys[i].value, "",
                           column.kind == JsValue::Kind::kObject
                               ? TextOf(column.Find("description"))
                               : TextOf(&column)});
    }
    return columns;
}

// "answers", "app.answers", { … }
void AddDependency(const JsValue& value, std::vector<TableMention>& mentions) {
    if (value.kind == JsValue::Kind::kArray) {
        for (const auto& item : value.items) AddDependency(item, mentions);
    } else if (value.kind == JsValue::Kind::kObject) {
        AddMention({value}, mentions);
    } else if (value.kind == JsValue::Kind::kString) {
        auto mention = MentionOf(value.Strings());
        const auto dot = mention.name.find('.');
        if (dot != std::string::npos) {
            mention.dataset = mention.name.substr(0, dot);
            mention.name.erase(0, dot + 1);
        }
        mentions.push_back(std::move(mention));
    }
}

void Describe(const JsValue& config, MadeTable& made) {
    if (const auto name = TextOf(config.Find("name")); !name.empty()) made.name = name;
    for (const std::string_view key : {"schema", "dataset"}) {
        if (const auto dataset = TextOf(config.Find(key)); !dataset.empty()) made.dataset = dataset;
    }
    if (const auto type = TextOf(config.Find("type")); !type.empty()) made.type = type;
    made.description = TextOf(config.Find("description"));
    made.columns = ColumnsOf(config.Find("columns"));
}

void ReadConfig(const SqlxSection& section, MadeTable& made, DefinitionFacts& facts) {
    const auto tokens =
        transform::ScanJs(section.text.substr(section.head.size() - 1), section.body_offset() - 1);
    const auto config = ReadJsValue(tokens);
    Describe(config, made);
    made.span = {section.offset, section.offset + ToString(section.kind).size()};
    for (const std::string_view key : {"dependencies", "dependencyTargets"}) {
        if (const auto* value = config.Find(key)) AddDependency(*value, facts.mentions);
    }
}

// ref(…) and resolve(…), wherever they stand, ctx.ref(…) too.
void ReadCalls(std::string_view text, std::size_t offset, DefinitionFacts& facts) {
    for (const auto& call : FindCalls(text, offset)) {
        if (call.function == "ref" || call.function == "resolve") {
            AddMention(call.arguments, facts.mentions);
        }
    }
}

// publish("name", { … }), and its like.
void ReadMakers(std::string_view text, DefinitionFacts& facts) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kMakers = {
        {{"publish", "table"},
         {"operate", "operations"},
         {"assert", "assertion"},
         {"declare", "declaration"},
         {"test", "test"}}};
    for (const auto& call : FindCalls(text, 0)) {
        const auto maker = std::find_if(kMakers.begin(), kMakers.end(), [&](const auto& known) {
            return known.first == call.function;
        });
        if (maker == kMakers.end() || call.arguments.empty()) continue;
        MadeTable made;
        made.type = maker->second;
        made.span = call.arguments[0].span;
        if (call.arguments[0].kind == JsValue::Kind::kObject) {
            Describe(call.arguments[0], made);
        } else {
            made.name = TextOf(call.arguments.data());
            if (call.arguments.size() > 1) {
                const auto name = made.name;
                Describe(call.arguments[1], made);
                if (made.name.empty()) made.name = name;
            }
        }
        if (!made.name.empty()) facts.made.push_back(std::move(made));
    }
}

void ReadSqlx(const std::string& path, std::string_view text, DefinitionFacts& facts) {
    MadeTable made;
    made.name = std::filesystem::path(path).stem().string();
    made.type = "operations";
    for (const auto& section : transform::OutlineSqlx(text)) {
        if (section.kind == SqlxSection::Kind::kConfig) {
            ReadConfig(section, made, facts);
        } else if (section.kind == SqlxSection::Kind::kJs) {
            ReadCalls(section.body, section.body_offset(), facts);
        }
        for (const auto& token : section.sql) {
            if (!token.HoldsPlaceholders()) continue;
            for (const auto& piece : transform::FindPlaceholders(token.text, token.offset)) {
                ReadCalls(piece.text, piece.offset, facts);
            }
        }
    }
    facts.made.push_back(std::move(made));
}

}  // namespace

DefinitionFacts ReadDefinition(const std::string& path, std::string_view text) {
    DefinitionFacts facts;
    if (path.ends_with(".sqlx")) {
        ReadSqlx(path, text, facts);
    } else if (path.ends_with(".js")) {
        ReadMakers(text, facts);
        ReadCalls(text, 0, facts);
    }
    std::sort(facts.mentions.begin(), facts.mentions.end(),
              [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; });
    return facts;
}

}  // namespace biwa::lsp
