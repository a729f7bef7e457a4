#include "transform/compile/problem.h"

#include <algorithm>

namespace biwa::transform {

LineIndex::LineIndex(std::string_view text) : text_(text), starts_{0} {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') starts_.push_back(i + 1);
    }
}

int LineIndex::Line(std::size_t offset) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
    return static_cast<int>(after - starts_.begin());
}

std::size_t LineIndex::Offset(int line, int column) const {
    if (line < 1 || static_cast<std::size_t>(line) > starts_.size()) return text_.size();
    const auto columns = static_cast<std::size_t>(std::max(column, 1) - 1);
    return std::min(starts_[line - 1] + columns, text_.size());
}

LineIndex::Place LineIndex::Find(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    Place place{Line(offset), 1};
    for (std::size_t i = starts_[place.line - 1]; i < offset; ++i) {
        const bool is_continuation = (static_cast<unsigned char>(text_[i]) & 0xC0) == 0x80;
        if (!is_continuation) ++place.column;
    }
    return place;
}

}  // namespace biwa::transform
