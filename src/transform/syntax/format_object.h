// Lays out one JavaScript object literal, a config block's.
//
// Its tokens stay as they are, and in their order: quotes, commas and comments are the author's. An
// object or array stands on one line where it was begun on one and fits, else one item a line.
// Values that are more than literals (calls, conditions, functions) are taken as they are written.
#pragma once

#include <string>
#include <string_view>

namespace biwa::transform {

// `text` is all of the object, with its braces; `before` is what stands in front of it on its line.
// What is no object literal, or has comments in places that are not understood, comes back as it
// was.
std::string FormatObject(std::string_view text, std::string_view before);

}  // namespace biwa::transform
