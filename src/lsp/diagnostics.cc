#include "lsp/diagnostics.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/text.h"

namespace biwa::lsp {

namespace {

bool IsWordByte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' ||
           (c & 0x80) != 0;
}

// "12:" at the front, which is cut off; 0 when there is none.
int TakeNumber(std::string_view& rest) {
    int number = 0;
    const auto* end = rest.data() + rest.size();
    const auto read = std::from_chars(rest.data(), end, number);
    if (read.ec != std::errc() || read.ptr == end || *read.ptr != ':' || number < 1) return 0;
    rest.remove_prefix(static_cast<std::size_t>(read.ptr - rest.data()) + 1);
    return number;
}

bool ReadPlace(std::string_view line, PlacedMessage& placed) {
    // A file's name may have a ":" in it, so the first that fits counts.
    for (auto colon = line.find(':'); colon != std::string_view::npos && colon > 0;
         colon = line.find(':', colon + 1)) {
        const auto file = line.substr(0, colon);
        auto rest = line.substr(colon + 1);
        placed.line = TakeNumber(rest);
        placed.column = placed.line > 0 ? TakeNumber(rest) : 0;
        const bool names_a_file =
            file.find(' ') == std::string_view::npos && file.find('.') != std::string_view::npos;
        if (placed.line == 0 && !(names_a_file && rest.starts_with(' '))) continue;
        placed.file = file;
        placed.message = Trim(rest);
        return true;
    }
    return false;
}

}  // namespace

std::vector<PlacedMessage> SplitMessages(std::string_view error) {
    std::vector<PlacedMessage> messages;
    for (const auto& line : Split(error, '\n')) {
        PlacedMessage placed;
        if (ReadPlace(line, placed)) {
            messages.push_back(std::move(placed));
        } else if (!messages.empty()) {
            messages.back().message += "\n" + line;
        } else if (!Trim(line).empty()) {
            messages.push_back({"", 0, 0, line});
        }
    }
    return messages;
}

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
