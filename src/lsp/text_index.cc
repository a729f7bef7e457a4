#include "lsp/text_index.h"

#include <algorithm>

namespace biwa::lsp {

namespace {

bool IsContinuation(char c) { return (c & 0xC0) == 0x80; }
// Of the character that begins with the byte.
std::size_t CodeUnits(char first) { return static_cast<unsigned char>(first) >= 0xF0 ? 2 : 1; }

}  // namespace

TextIndex::TextIndex(std::string_view text) : text_(text), starts_{0} {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_lone_return =
            text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n');
        if (text[i] == '\n' || is_lone_return) starts_.push_back(i + 1);
    }
}

std::size_t TextIndex::LineEnd(std::size_t line) const {
    if (line + 1 == starts_.size()) return text_.size();
    auto end = starts_[line + 1] - 1;
    if (end > starts_[line] && text_[end] == '\n' && text_[end - 1] == '\r') --end;
    return end;
}

std::size_t TextIndex::Offset(Position position) const {
    if (position.line >= starts_.size()) return text_.size();
    const auto end = LineEnd(position.line);
    auto at = starts_[position.line];
    std::size_t units = 0;
    while (at < end) {
        units += CodeUnits(text_[at]);
        if (units > position.character) break;
        for (++at; at < end && IsContinuation(text_[at]);) ++at;
    }
    return at;
}

Position TextIndex::At(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const auto line = static_cast<std::size_t>(after - starts_.begin()) - 1;
    Position position{line, 0};
    for (auto at = starts_[line]; at < offset; ++at) {
        if (!IsContinuation(text_[at])) position.character += CodeUnits(text_[at]);
    }
    return position;
}

std::size_t TextIndex::OffsetOfPlace(int line, int column) const {
    std::size_t at = 0;
    for (; line > 1; --line) {
        const auto end = text_.find('\n', at);
        if (end == std::string_view::npos) return text_.size();
        at = end + 1;
    }
    for (; column > 1 && at < text_.size() && text_[at] != '\n'; --column) {
        for (++at; at < text_.size() && IsContinuation(text_[at]);) ++at;
    }
    return at;
}

}  // namespace biwa::lsp
