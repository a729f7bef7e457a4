// Places in a text: bytes here, lines and UTF-16 code units in the protocol.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace biwa::lsp {

// From 0. A character beyond the basic plane is two code units.
struct Position {
    std::size_t line = 0;
    std::size_t character = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
};

// Bytes from begin up to end.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
    // A cursor at either end counts.
    bool Touches(std::size_t offset) const { return begin <= offset && offset <= end; }
    friend bool operator==(const Span&, const Span&) = default;
};

// Lines end in "\n", "\r\n" or "\r". The text must outlive the index.
class TextIndex {
  public:
    explicit TextIndex(std::string_view text);

    // What lies beyond a line is its end, beyond the text the text's.
    std::size_t Offset(Position position) const;
    Position At(std::size_t offset) const;
    // The offset of what our messages mean: lines ("\n") and characters, from 1.
    std::size_t OffsetOfPlace(int line, int column) const;

  private:
    std::size_t LineEnd(std::size_t line) const;

    std::string_view text_;
    std::vector<std::size_t> starts_;
};

}  // namespace biwa::lsp
