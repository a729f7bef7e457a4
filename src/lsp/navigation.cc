#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "lsp/config_keys.h"
#include "lsp/cursor.h"
#include "lsp/features.h"
#include "lsp/uri.h"
#include "transform/syntax/sqlx_outline.h"

namespace biwa::lsp {

namespace {

using transform::SqlToken;
using transform::SqlxSection;

// SymbolKind
constexpr int kModule = 2;
constexpr int kFunction = 12;
constexpr int kStruct = 23;

const TableMention* MentionAt(const Place& place) {
    const auto* facts = place.view.Facts(place.file);
    if (facts == nullptr) return nullptr;
    const auto found = std::find_if(
        facts->mentions.begin(), facts->mentions.end(),
        [&](const TableMention& mention) { return mention.span.Touches(place.offset); });
    return found == facts->mentions.end() ? nullptr : &*found;
}

Json LocationOf(const ProjectView& view, const std::string& file, Span span) {
    const auto text = view.Text(file);
    if (!text) return nullptr;
    return {{"uri", UriOfPath(view.root() / file)}, {"range", ToJson(TextIndex(*text), span)}};
}

// A table is meant by its name, and in its own file by the config block or, in JavaScript, by the
// name that publish() and its like are given.
std::optional<KnownTable> TableAt(const Place& place) {
    if (const auto* mention = MentionAt(place)) return place.view.Find(*mention);
    const auto* facts = place.view.Facts(place.file);
    if (facts == nullptr) return std::nullopt;
    if (place.file.ends_with(".sqlx")) {
        for (const auto& section : transform::OutlineSqlx(place.text)) {
            const bool is_here = section.offset <= place.offset && place.offset <= section.end();
            if (section.kind == SqlxSection::Kind::kConfig && is_here)
                return place.view.MadeBy(place.file);
        }
    }
    for (const auto& made : facts->made) {
        if (made.span.Touches(place.offset)) return place.view.Find({made.dataset, made.name, {}});
    }
    return std::nullopt;
}

// In a table of Markdown.
std::string Cell(std::string text) {
    std::string cell;
    for (const char c : text) {
        if (c == '|') cell += '\\';
        cell += c == '\n' ? ' ' : c;
    }
    return cell;
}

std::string Markdown(const KnownTable& table) {
    auto text = fmt::format("**{}**", table.name.ToString());
    if (!table.type.empty()) text += " " + table.type;
    if (!table.description.empty()) text += "\n\n" + table.description;
    if (!table.columns.empty()) {
        constexpr std::size_t kColumnsMax = 100;
        text += "\n\n| column | type | |\n|---|---|---|\n";
        for (std::size_t i = 0; i < std::min(table.columns.size(), kColumnsMax); ++i) {
            const auto& column = table.columns[i];
            text += fmt::format("| {} | {} | {} |\n", Cell(column.name), Cell(column.type),
                                Cell(column.description));
        }
        if (table.columns.size() > kColumnsMax)
            text += fmt::format("\nand {} more\n", table.columns.size() - kColumnsMax);
    }
    if (!table.file.empty()) text += "\n\n" + table.file;
    return text;
}

Json HoverOf(const Place& place, const std::string& markdown, Span span) {
    return {{"contents", {{"kind", "markdown"}, {"value", markdown}}},
            {"range", ToJson(place.index, span)}};
}

// A column of one of the tables that the file reads.
Json HoverColumn(const Place& place, const Cursor& cursor) {
    const auto* facts = place.view.Facts(place.file);
    const auto word = SmallLetters(
        std::string(place.text.substr(cursor.word.begin, cursor.word.end - cursor.word.begin)));
    if (facts == nullptr || word.empty()) return nullptr;
    std::string markdown;
    for (const auto& mention : facts->mentions) {
        const auto table = place.view.Find(mention);
        if (!table) continue;
        for (const auto& column : table->columns) {
            if (SmallLetters(column.name) != word) continue;
            const auto line =
                fmt::format("**{}** {}\n\n{}{}of {}", column.name, column.type, column.description,
                            column.description.empty() ? "" : "\n\n", table->name.ToString());
            if (markdown.find(line) != std::string::npos) continue;
            markdown += (markdown.empty() ? "" : "\n\n---\n\n") + line;
        }
    }
    return markdown.empty() ? Json(nullptr) : HoverOf(place, markdown, cursor.word);
}

Json Symbol(const TextIndex& index, const std::string& name, const std::string& detail, int kind,
            Span range, Span selection) {
    return {{"name", name.empty() ? "?" : name},
            {"detail", detail},
            {"kind", kind},
            {"range", ToJson(index, range)},
            {"selectionRange", ToJson(index, selection)}};
}

// "a AS (" behind WITH or a comma, outside of parentheses.
void AddCtes(const SqlxSection& section, const TextIndex& index, Json& symbols) {
    std::vector<const SqlToken*> words;  // without white space and comments
    for (const auto& token : section.sql) {
        if (token.kind != SqlToken::Kind::kSpace && !token.IsComment()) words.push_back(&token);
    }
    const auto word = [&](std::size_t at) {
        return at < words.size() ? SmallLetters(std::string(words[at]->text)) : std::string();
    };
    int open = 0;
    bool in_with = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i]->Is('(')) ++open;
        if (words[i]->Is(')')) --open;
        if (open != 0) continue;
        if (word(i) == "with") in_with = true;
        if (word(i) == "select") in_with = false;
        const bool may_begin = word(i) == "with" || word(i) == "recursive" || words[i]->Is(',');
        if (!in_with || !may_begin || word(i + 2) != "as" || word(i + 3) != "(") continue;
        const Span span{words[i + 1]->offset, words[i + 1]->end()};
        symbols.push_back(
            Symbol(index, std::string(words[i + 1]->text), "", kFunction, span, span));
    }
}

}  // namespace

Json ToJson(const TextIndex& index, Span span) {
    const auto position = [&](std::size_t offset) -> Json {
        const auto at = index.At(offset);
        return {{"line", at.line}, {"character", at.character}};
    };
    return {{"start", position(span.begin)}, {"end", position(span.end)}};
}

Json Hover(const Place& place) {
    if (const auto* mention = MentionAt(place)) {
        const auto table = place.view.Find(*mention);
        return table ? HoverOf(place, Markdown(*table), mention->span) : Json(nullptr);
    }
    const auto cursor = FindCursor(place.file, place.text, place.offset);
    if (cursor.kind == Cursor::Kind::kSql) return HoverColumn(place, cursor);
    if (cursor.kind == Cursor::Kind::kConfigKey) {
        const auto name = place.text.substr(cursor.word.begin, cursor.word.end - cursor.word.begin);
        if (const auto* key = FindConfigKey(cursor.path, name)) {
            return HoverOf(place, fmt::format("**{}**\n\n{}", key->name, key->description),
                           cursor.word);
        }
    }
    return nullptr;
}

Json GoToDefinition(const Place& place) {
    const auto* mention = MentionAt(place);
    const auto table = mention != nullptr ? place.view.Find(*mention) : std::nullopt;
    if (!table || table->file.empty()) return nullptr;
    return LocationOf(place.view, table->file, table->span);
}

Json FindReferences(const Place& place, bool with_declaration) {
    const auto table = TableAt(place);
    if (!table) return nullptr;
    Json found = Json::array();
    const auto add = [&](const std::string& file, Span span) {
        auto location = LocationOf(place.view, file, span);
        if (!location.is_null()) found.push_back(std::move(location));
    };
    if (with_declaration && !table->file.empty()) add(table->file, table->span);
    for (const auto& mention : place.view.MentionsOf(table->name)) add(mention.file, mention.span);
    return found;
}

Json DocumentSymbols(const std::string& file, std::string_view text) {
    const TextIndex index(text);
    const auto facts = ReadDefinition(file, text);
    Json symbols = Json::array();
    if (!file.ends_with(".sqlx")) {
        for (const auto& made : facts.made) {
            symbols.push_back(Symbol(index, made.name, made.type, kStruct, made.span, made.span));
        }
        return symbols;
    }
    Json children = Json::array();
    for (const auto& section : transform::OutlineSqlx(text)) {
        if (section.kind != SqlxSection::Kind::kSql) {
            const std::string name(ToString(section.kind));
            children.push_back(Symbol(index, name, "", kModule, {section.offset, section.end()},
                                      {section.offset, section.offset + name.size()}));
        }
        AddCtes(section, index, children);
    }
    const auto& made = facts.made.back();
    auto model = Symbol(index, made.name, made.type, kStruct, {0, text.size()}, made.span);
    model["children"] = std::move(children);
    symbols.push_back(std::move(model));
    return symbols;
}

Json WorkspaceSymbols(const ProjectView& view, std::string_view query) {
    constexpr std::size_t kSymbolsMax = 500;
    const auto wanted = SmallLetters(std::string(query));
    Json symbols = Json::array();
    for (const auto& table : view.Tables()) {
        if (table.file.empty() || symbols.size() >= kSymbolsMax) continue;
        if (SmallLetters(table.name.ToString()).find(wanted) == std::string::npos) continue;
        auto location = LocationOf(view, table.file, table.span);
        if (location.is_null()) continue;
        symbols.push_back({{"name", table.name.name},
                           {"containerName", table.name.dataset},
                           {"kind", kStruct},
                           {"location", std::move(location)}});
    }
    return symbols;
}

}  // namespace biwa::lsp
