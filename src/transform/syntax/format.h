// Lays out a .sqlx file: `biwa format`, and what an editor asks the language server for.
//
// Only white space changes, and only where it means nothing: strings, comments and placeholders
// stay as they are, and so does all JavaScript but the config's object. What comes out compiles to
// the same, and laying it out again changes nothing.
#pragma once

#include <string>
#include <string_view>

#include "transform/compile/problem.h"

namespace biwa::transform {

// The problem is that of a file which has no layout: a block or string that is never closed, a
// block in the midst of a word.
Parsed<std::string> FormatSqlx(std::string_view text);

// That nothing but white space differs, and none that counts. FormatSqlx has asked this already.
bool MeansTheSame(std::string_view before, std::string_view after);

}  // namespace biwa::transform
