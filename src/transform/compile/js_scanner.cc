#include <algorithm>

#include "transform/compile/js_scanner.h"

namespace biwa::transform {

namespace {

// The offset behind the string that opens at `at`; `at + 1` when it does not end on its line, and
// so is no string (an apostrophe in a regular expression, say).
std::size_t SkipString(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == quote) {
            return i + 1;
        }
    }
    return at + 1;
}

Parsed<std::size_t> FindBrace(std::string_view text, std::size_t begin, int depth);

// The offset behind the template literal that opens at `at`.
Parsed<std::size_t> SkipTemplate(std::string_view text, std::size_t at, int depth) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '`') {
            return i + 1;
        } else if (text.substr(i, 2) == "${") {
            const auto end = FindBrace(text, i + 2, depth + 1);
            if (!end) return end;
            i = *end;
        }
    }
    return Wrong(at, "this template literal is never closed by \"`\"");
}

Parsed<std::size_t> FindBrace(std::string_view text, std::size_t begin, int depth) {
    if (depth > kNestingMax) return Wrong(begin, "braces are nested too deep");
    int open = 0;
    for (std::size_t i = begin; i < text.size();) {
        const char c = text[i];
        if (c == '}') {
            if (open-- == 0) return i;
            ++i;
        } else if (c == '{') {
            ++open;
            ++i;
        } else if (c == '\'' || c == '"') {
            i = SkipString(text, i);
        } else if (c == '`') {
            const auto end = SkipTemplate(text, i, depth);
            if (!end) return end;
            i = *end;
        } else {
            const auto end = SkipJsComment(text, i);
            i = end == i ? i + 1 : end;
        }
    }
    return Wrong(begin - 1, "this brace is never closed");
}

}  // namespace

std::size_t SkipJsComment(std::string_view text, std::size_t at) {
    if (text.substr(at, 2) == "//") return std::min(text.find('\n', at), text.size());
    if (text.substr(at, 2) == "/*") {
        const auto end = text.find("*/", at + 2);
        if (end != std::string_view::npos) return end + 2;
    }
    return at;
}

std::size_t SkipJsToken(std::string_view text, std::size_t at) {
    const char c = text[at];
    if (c == '\'' || c == '"') return SkipString(text, at);
    if (c == '`') return SkipTemplate(text, at, 0).value_or(at + 1);
    if (c == '{') {
        const auto end = FindClosingBrace(text, at + 1);
        return end ? *end + 1 : at + 1;
    }
    return std::max(SkipJsComment(text, at), at + 1);
}

Parsed<std::size_t> FindClosingBrace(std::string_view text, std::size_t begin) {
    return FindBrace(text, begin, 0);
}

}  // namespace biwa::transform
