// A place in a source's history of changes.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace biwa {

struct Position {
    // Grows along the history of one source; only good for comparing within it.
    std::uint64_t order = 0;
    // What the source needs to go on from here, as it writes it: "16/B374D848".
    std::string text;

    friend bool operator==(const Position& a, const Position& b) { return a.order == b.order; }
    friend auto operator<=>(const Position& a, const Position& b) { return a.order <=> b.order; }
};

}  // namespace biwa
