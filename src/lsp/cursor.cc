#include "lsp/cursor.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "transform/compile/js_scanner.h"
#include "transform/syntax/js_tokens.h"
#include "transform/syntax/sqlx_outline.h"

namespace biwa::lsp {

namespace {

using transform::JsToken;
using transform::SqlToken;
using transform::SqlxSection;
using JsKind = JsToken::Kind;
using SqlKind = SqlToken::Kind;

// The cursor is inside of the token, or at the end of one that could go on.
bool Holds(const JsToken& token, std::size_t offset) {
    if (offset <= token.offset || offset > token.end()) return false;
    return offset < token.end() || token.kind == JsKind::kWord || !token.closed;
}

Span InnerOf(const JsToken& string) {
    return {string.offset + 1, std::max(string.offset + 1, string.end() - (string.closed ? 1 : 0))};
}

// A string whose arguments in front lead back to "ref(".
Cursor InString(const std::vector<JsToken>& tokens, std::size_t at) {
    Cursor cursor;
    cursor.word = InnerOf(tokens[at]);
    cursor.in_string = true;
    for (auto i = at; i-- > 0;) {
        const auto& token = tokens[i];
        if (token.kind == JsKind::kSpace || token.Is(',') || token.Is('[')) continue;
        if (token.kind == JsKind::kString) {
            cursor.before.insert(cursor.before.begin(), ValueOfString(token));
            continue;
        }
        const bool is_call = token.Is('(') && i > 0 &&
                             (tokens[i - 1].text == "ref" || tokens[i - 1].text == "resolve");
        if (is_call) cursor.kind = Cursor::Kind::kReference;
        break;
    }
    return cursor;
}

Cursor InJs(std::string_view text, std::size_t begin, std::size_t offset, int depth) {
    Cursor cursor;
    if (depth > transform::kNestingMax) return cursor;
    const auto tokens = transform::ScanJs(text, begin);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto& token = tokens[i];
        if (!Holds(token, offset)) continue;
        if (token.kind == JsKind::kString) return InString(tokens, i);
        if (token.kind == JsKind::kComment) return cursor;
        if (token.kind == JsKind::kTemplate) {
            for (const auto& piece : transform::FindPlaceholders(token.text, token.offset)) {
                if (piece.offset <= offset && offset <= piece.offset + piece.text.size())
                    return InJs(piece.text, piece.offset, offset, depth + 1);
            }
            return cursor;
        }
        if (token.kind == JsKind::kWord) {
            if (i > 0 && tokens[i - 1].Is('.')) return cursor;
            cursor.word = {token.offset, token.end()};
            cursor.kind = Cursor::Kind::kFunction;
            return cursor;
        }
    }
    cursor.word = {offset, offset};
    cursor.kind = Cursor::Kind::kFunction;
    return cursor;
}

// Follows the brackets and keys of an object up to the cursor.
class ConfigWalk {
  public:
    Cursor Find(std::string_view text, std::size_t begin, std::size_t offset) {
        const auto tokens = transform::ScanJs(text, begin);
        Cursor cursor;
        cursor.word = {offset, offset};
        for (const auto& token : tokens) {
            if (token.offset >= offset) break;
            if (Holds(token, offset)) {
                if (token.kind == JsKind::kComment || token.kind == JsKind::kTemplate)
                    return cursor;
                if (token.kind == JsKind::kString || token.kind == JsKind::kWord) {
                    cursor.in_string = token.kind == JsKind::kString;
                    cursor.word =
                        cursor.in_string ? InnerOf(token) : Span{token.offset, token.end()};
                    break;
                }
            }
            Follow(token);
        }
        if (frames_.empty()) return cursor;
        const auto& top = frames_.back();
        const bool is_key = top.open == '{' && !top.in_value;
        for (std::size_t i = 0; i < frames_.size() - (is_key ? 1 : 0); ++i) {
            if (frames_[i].open == '{') cursor.path.push_back(frames_[i].key);
        }
        const bool is_call = std::any_of(frames_.begin(), frames_.end(),
                                         [](const Frame& frame) { return frame.open == '('; });
        if (!is_call) {
            cursor.kind = is_key ? Cursor::Kind::kConfigKey : Cursor::Kind::kConfigValue;
        }
        return cursor;
    }

  private:
    struct Frame {
        char open;
        std::string key;
        bool in_value = false;
    };

    void Follow(const JsToken& token) {
        if (token.Is('{') || token.Is('[') || token.Is('(')) {
            frames_.push_back({token.text[0], {}, false});
        } else if (frames_.empty()) {
            return;
        } else if (token.Is('}') || token.Is(']') || token.Is(')')) {
            frames_.pop_back();
        } else if (token.Is(':')) {
            frames_.back().in_value = true;
        } else if (token.Is(',')) {
            frames_.back().in_value = false;
        } else if (!frames_.back().in_value && token.kind == JsKind::kString) {
            frames_.back().key = ValueOfString(token);
        } else if (!frames_.back().in_value && token.kind == JsKind::kWord) {
            frames_.back().key = token.text;
        }
    }

    std::vector<Frame> frames_;
};

Cursor InSql(const SqlxSection& section, std::size_t offset) {
    Cursor cursor;
    const auto& tokens = section.sql;
    std::size_t behind = tokens.size();  // the token that ends before the word
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto& token = tokens[i];
        if (token.offset >= offset) break;
        if (offset <= token.end() && token.HoldsPlaceholders()) {
            for (const auto& piece : transform::FindPlaceholders(token.text, token.offset)) {
                if (piece.offset <= offset && offset <= piece.offset + piece.text.size())
                    return InJs(piece.text, piece.offset, offset, 0);
            }
        }
        const bool is_inside =
            offset < token.end() ||
            (offset == token.end() && (!token.closed || token.kind == SqlKind::kLineComment));
        if (is_inside &&
            (token.IsComment() || token.kind == SqlKind::kString || token.kind == SqlKind::kName)) {
            return cursor;
        }
        if (token.kind == SqlKind::kWord && offset <= token.end()) {
            cursor.word = {token.offset, token.end()};
            break;
        }
        behind = i;
    }
    if (cursor.word.end == 0) cursor.word = {offset, offset};
    cursor.kind = Cursor::Kind::kSql;
    if (behind < tokens.size() && tokens[behind].Is('.') && behind > 0 &&
        tokens[behind].end() == cursor.word.begin) {
        cursor.qualifier = tokens[behind - 1].text;
    }
    return cursor;
}

bool IsWordOfClause(std::string_view word) {
    static constexpr std::string_view kWords[] = {
        "on",    "where", "join",  "left",   "right",   "full",      "inner", "cross",
        "group", "order", "using", "having", "qualify", "limit",     "union", "except",
        "asof",  "semi",  "anti",  "window", "natural", "intersect", "select"};
    return std::find(std::begin(kWords), std::end(kWords), SmallLetters(std::string(word))) !=
           std::end(kWords);
}

}  // namespace

Cursor FindCursor(const std::string& file, std::string_view text, std::size_t offset) {
    if (file.ends_with(".js")) return InJs(text, 0, offset, 0);
    if (!file.ends_with(".sqlx")) return {};
    for (const auto& section : transform::OutlineSqlx(text)) {
        const auto body_end = section.body_offset() + section.body.size();
        const bool at_end =
            offset == section.end() && (!section.closed || section.end() == text.size());
        if (offset >= section.end() && !at_end) continue;
        if (offset < section.body_offset() || offset > body_end) return {};
        if (section.kind == SqlxSection::Kind::kConfig) {
            const auto brace = section.body_offset() - 1;
            return ConfigWalk().Find(text.substr(brace, body_end - brace), brace, offset);
        }
        if (section.kind == SqlxSection::Kind::kJs)
            return InJs(section.body, section.body_offset(), offset, 0);
        return InSql(section, offset);
    }
    Cursor cursor;
    cursor.kind = Cursor::Kind::kSql;
    cursor.word = {offset, offset};
    return cursor;
}

std::vector<Alias> FindAliases(std::string_view text) {
    std::vector<Alias> aliases;
    for (const auto& section : transform::OutlineSqlx(text)) {
        for (std::size_t i = 0; i < section.sql.size(); ++i) {
            if (section.sql[i].kind != SqlKind::kPlaceholder) continue;
            auto next = i + 1;
            const auto skip_space = [&] {
                while (next < section.sql.size() && section.sql[next].kind == SqlKind::kSpace)
                    ++next;
            };
            skip_space();
            if (next < section.sql.size() &&
                SmallLetters(std::string(section.sql[next].text)) == "as") {
                ++next;
                skip_space();
            }
            if (next >= section.sql.size() || section.sql[next].kind != SqlKind::kWord ||
                IsWordOfClause(section.sql[next].text)) {
                continue;
            }
            aliases.push_back({std::string(section.sql[next].text),
                               {section.sql[i].offset, section.sql[i].end()}});
        }
    }
    return aliases;
}

}  // namespace biwa::lsp
