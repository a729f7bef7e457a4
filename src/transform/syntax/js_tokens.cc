#include "transform/syntax/js_tokens.h"

#include <algorithm>
#include <cctype>

#include "transform/compile/js_scanner.h"

namespace biwa::transform {

namespace {

using Kind = JsToken::Kind;

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool IsWordByte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || (c & 0x80) != 0;
}

struct Found {
    Kind kind;
    std::size_t end;
    bool closed = true;
};

Found ReadString(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] != '\n') {
            ++i;
        } else if (text[i] == quote) {
            return {Kind::kString, i + 1};
        }
    }
    return {Kind::kString, std::min(text.find('\n', at), text.size()), false};
}

Found ReadTemplate(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size();) {
        if (text[i] == '`') return {Kind::kTemplate, i + 1};
        if (text[i] == '\\') {
            i += 2;
        } else if (text.substr(i, 2) == "${") {
            i = EndOfPlaceholder(text, i).end;
        } else {
            ++i;
        }
    }
    return {Kind::kTemplate, text.size(), false};
}

Found ReadOne(std::string_view text, std::size_t at) {
    const char c = text[at];
    if (IsSpace(c)) {
        auto end = at;
        while (end < text.size() && IsSpace(text[end])) ++end;
        return {Kind::kSpace, end};
    }
    if (IsWordByte(c)) {
        auto end = at;
        while (end < text.size() && IsWordByte(text[end])) ++end;
        return {Kind::kWord, end};
    }
    if (c == '\'' || c == '"') return ReadString(text, at);
    if (c == '`') return ReadTemplate(text, at);
    if (const auto end = SkipJsComment(text, at); end != at) return {Kind::kComment, end};
    if (text.substr(at, 2) == "/*") return {Kind::kComment, text.size(), false};
    return {Kind::kMark, at + 1};
}

}  // namespace

std::vector<JsToken> ScanJs(std::string_view text, std::size_t offset) {
    std::vector<JsToken> tokens;
    for (std::size_t at = 0; at < text.size();) {
        const auto found = ReadOne(text, at);
        const auto end = std::min(found.end, text.size());
        tokens.push_back({found.kind, offset + at, text.substr(at, end - at), found.closed});
        at = end;
    }
    return tokens;
}

PlaceholderEnd EndOfPlaceholder(std::string_view text, std::size_t at) {
    if (const auto end = FindClosingBrace(text, at + 2)) return {*end, *end + 1};
    const auto line_end = std::min(text.find('\n', at), text.size());
    return {std::max(line_end, at + 2), std::max(line_end, at + 2), false};
}

std::vector<JsPiece> FindPlaceholders(std::string_view text, std::size_t offset) {
    std::vector<JsPiece> pieces;
    for (std::size_t i = 0; i < text.size();) {
        if (text.substr(i, 2) != "${") {
            i += text[i] == '\\' ? 2 : 1;
            continue;
        }
        const auto end = EndOfPlaceholder(text, i);
        const auto inner = std::min(i + 2, text.size());
        const auto inner_end = std::min(end.inner_end, text.size());
        pieces.push_back({offset + inner, text.substr(inner, inner_end - inner)});
        i = end.end;
    }
    return pieces;
}

std::string ValueOfString(const JsToken& token) {
    auto inner = token.text.substr(std::min<std::size_t>(1, token.text.size()));
    if (token.closed && !inner.empty()) inner.remove_suffix(1);
    std::string value;
    for (std::size_t i = 0; i < inner.size(); ++i) {
        if (inner[i] == '\\' && i + 1 < inner.size()) ++i;
        value += inner[i];
    }
    return value;
}

}  // namespace biwa::transform
