#include "transform/syntax/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "transform/compile/sqlx_lexer.h"
#include "transform/syntax/format_object.h"
#include "transform/syntax/format_sql.h"
#include "transform/syntax/js_tokens.h"
#include "transform/syntax/sqlx_outline.h"

namespace biwa::transform {

namespace {

using Kind = SqlxSection::Kind;

bool IsBlank(const SqlxSection& section) {
    return section.kind == Kind::kSql && Trim(section.text).empty();
}

bool IsOnlyComments(const SqlxSection& section) {
    return section.kind == Kind::kSql &&
           std::all_of(section.sql.begin(), section.sql.end(), [](const SqlToken& token) {
               return token.kind == SqlToken::Kind::kSpace || token.IsComment();
           });
}

// What an "input" block stands in for.
std::vector<std::string_view> InputNames(std::string_view head) {
    std::vector<std::string_view> names;
    for (auto at = head.find('"'); at != std::string_view::npos; at = head.find('"', at + 1)) {
        const auto end = head.find('"', at + 1);
        names.push_back(head.substr(at, end + 1 - at));
        at = end;
    }
    return names;
}

std::string FormatHead(const SqlxSection& section) {
    std::string head(ToString(section.kind));
    bool is_first = true;
    for (const auto name : InputNames(section.head)) {
        head += is_first ? " " : ", ";
        head += name;
        is_first = false;
    }
    return head + " ";
}

std::string FormatSection(const SqlxSection& section) {
    if (section.kind == Kind::kSql) return FormatSql(section.sql, 0);
    const auto head = FormatHead(section);
    if (section.kind == Kind::kConfig)
        return head + FormatObject("{" + std::string(section.body) + "}", head);
    if (section.kind == Kind::kJs) return head + "{" + std::string(section.body) + "}";
    const auto sql = FormatSql(section.sql, 2);
    return head + (sql.empty() ? "{\n}" : "{\n" + sql + "\n}");
}

// Text around blocks is one statement: "a config {} b" is "a b" to the compiler, and "a${x}js{}b"
// has no white space where the block stands. A line end there would be a change.
const SqlxSection* FindBlockInWord(const std::vector<SqlxSection>& sections) {
    const auto is_open = [](const SqlToken& token) {
        return token.kind != SqlToken::Kind::kSpace && token.kind != SqlToken::Kind::kSeparator;
    };
    bool is_word_open = false;
    for (std::size_t i = 0; i < sections.size(); ++i) {
        const auto& section = sections[i];
        if (section.kind != Kind::kSql) continue;
        if (is_word_open && is_open(section.sql.front())) return &sections[i - 1];
        is_word_open = is_open(section.sql.back());
    }
    return nullptr;
}

// With "\r\n" for line ends where all of the file's are so. In a file that mixes them the two may
// not be exchanged: strings would change.
std::string WithLineEnds(std::string text, std::string_view like) {
    std::size_t lines = 0;
    for (auto at = like.find('\n'); at != std::string_view::npos; at = like.find('\n', at + 1)) {
        if (at == 0 || like[at - 1] != '\r') return text;
        ++lines;
    }
    if (lines == 0) return text;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
        out += text[i];
    }
    return out;
}

bool IsSpace(const SqlToken& token) { return token.kind == SqlToken::Kind::kSpace; }
bool IsSpace(const JsToken& token) { return token.kind == JsToken::Kind::kSpace; }

// What counts of a section, in order. White space within a line of SQL counts; that there is a line
// end counts, and how many does not.
std::vector<std::string> Essence(const SqlxSection& section) {
    std::vector<std::string> essence;
    if (section.kind == Kind::kJs) return {std::string(section.text.substr(section.head.size()))};
    if (section.kind == Kind::kConfig) {
        for (const auto& token : ScanJs(section.body, 0)) {
            if (!IsSpace(token)) essence.emplace_back(Trim(token.text));
        }
        return essence;
    }
    for (const auto name : InputNames(section.head)) essence.emplace_back(name);
    for (const auto& token : section.sql) {
        if (!IsSpace(token)) {
            essence.emplace_back(Trim(token.text));
        } else if (token.text.find('\n') == std::string_view::npos) {
            essence.emplace_back(token.text);
        } else {
            essence.emplace_back("\n");
        }
    }
    return essence;
}

// Without white space at the ends of text and around "---", where it means nothing.
std::vector<std::string> EssenceOfFile(std::string_view text) {
    std::vector<std::string> all;
    const auto is_space = [](const std::string& part) {
        return part.find_first_not_of(" \t\r\n") == std::string::npos;
    };
    const auto drop_space = [&] {
        while (!all.empty() && is_space(all.back())) all.pop_back();
    };
    for (const auto& section : OutlineSqlx(text)) {
        if (IsBlank(section)) continue;
        drop_space();
        all.push_back(fmt::format("<{}>", ToString(section.kind)));
        bool is_at_edge = true;
        for (auto& part : Essence(section)) {
            if (part == "---") drop_space();
            if (is_at_edge && is_space(part)) continue;
            is_at_edge = part == "---";
            all.push_back(std::move(part));
        }
    }
    drop_space();
    return all;
}

}  // namespace

bool MeansTheSame(std::string_view before, std::string_view after) {
    return EssenceOfFile(before) == EssenceOfFile(after);
}

Parsed<std::string> FormatSqlx(std::string_view text) {
    if (const auto lexed = LexSqlx(text); !lexed) return tl::unexpected(lexed.error());
    const auto sections = OutlineSqlx(text);
    if (const auto* block = FindBlockInWord(sections)) {
        return Wrong(block->offset,
                     fmt::format("this \"{}\" block stands in the midst of SQL: put it on lines of "
                                 "its own",
                                 ToString(block->kind)));
    }
    std::string out;
    const SqlxSection* above = nullptr;
    for (const auto& section : sections) {
        if (IsBlank(section)) continue;
        if (above != nullptr) {
            // A comment stays with the block below it.
            const auto tail = above->text.substr(above->text.find_last_not_of(" \t\r\n") + 1);
            const bool touches =
                IsOnlyComments(*above) && std::count(tail.begin(), tail.end(), '\n') == 1;
            out += touches ? "\n" : "\n\n";
        }
        out += FormatSection(section);
        above = &section;
    }
    if (!out.empty()) out += '\n';
    out = WithLineEnds(std::move(out), text);
    if (!MeansTheSame(text, out)) {
        return Wrong(0,
                     "this file cannot be laid out without a change of what it means; it is "
                     "left as it is. This should not be: please report it");
    }
    return out;
}

}  // namespace biwa::transform
