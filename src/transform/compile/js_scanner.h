// Finds the end of a piece of JavaScript without understanding more of it than braces, strings,
// template literals and comments.
#pragma once

#include <cstddef>
#include <string_view>

#include "transform/compile/problem.h"

namespace biwa::transform {

// Deeper nesting of braces and template literals than this is refused.
inline constexpr int kNestingMax = 64;

// The offset of the "}" that closes the brace opened just before `begin`. A regular expression
// literal that holds a brace or a quote is not understood, as in Dataform.
Parsed<std::size_t> FindClosingBrace(std::string_view text, std::size_t begin);

// The offset behind the string, template literal, comment or braces that begin at `at`, or `at +
// 1`.
std::size_t SkipJsToken(std::string_view text, std::size_t at);

// The offset behind a comment that starts at `at`, or `at` when none does.
std::size_t SkipJsComment(std::string_view text, std::size_t at);

}  // namespace biwa::transform
