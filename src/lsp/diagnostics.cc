#include "lsp/diagnostics.h"

#include <algorithm>
#include <cctype>

namespace biwa::lsp {

namespace {

bool IsWordByte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' ||
           (c & 0x80) != 0;
}

}  // namespace

Span SpanAt(std::string_view text, const TextIndex& index, int line, int column) {
    const auto begin = index.OffsetOfPlace(std::max(line, 1), std::max(column, 1));
    const auto line_end = std::min(text.find_first_of("\r\n", begin), text.size());
    if (line < 1) return {begin, line_end};
    if (begin == line_end) return {begin, begin};
    auto end = begin + 1;
    if (const char quote = text[begin]; quote == '"' || quote == '\'' || quote == '`') {
        end = std::min(text.find(quote, end), line_end - 1) + 1;
    } else if (IsWordByte(text[begin])) {
        while (end < line_end && IsWordByte(text[end])) ++end;
        const auto close =
            end < line_end && text[end] == '(' ? text.find(')', end) : std::string_view::npos;
        if (close < line_end) end = close + 1;
    } else {
        // Not half of a character.
        while (end < line_end && (text[end] & 0xC0) == 0x80) ++end;
    }
    return {begin, std::max(end, begin)};
}

}  // namespace biwa::lsp
