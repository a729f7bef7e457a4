// What is wrong with a definition file, and where, while only its text is known.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "project/project.h"

namespace biwa::transform {

struct Problem {
    std::size_t offset = 0;  // byte of the file
    std::string message;
    std::optional<SourceLocation> place = {};  // where it is not `offset` that tells it
};

template <typename T>
using Parsed = tl::expected<T, Problem>;

inline tl::unexpected<Problem> Wrong(std::size_t offset, std::string message) {
    return tl::unexpected<Problem>(Problem{offset, std::move(message)});
}

// Lines and columns of a text; columns count characters, not bytes.
class LineIndex {
  public:
    struct Place {
        int line = 1;
        int column = 1;
    };
    // The text must outlive the index.
    explicit LineIndex(std::string_view text);
    Place Find(std::size_t offset) const;
    int Line(std::size_t offset) const;
    // Of a column in bytes; the text's end where there is no such place.
    std::size_t Offset(int line, int column) const;

  private:
    std::string_view text_;
    std::vector<std::size_t> starts_;
};

}  // namespace biwa::transform
