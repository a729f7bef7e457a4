// Lays out SQL by its lines: how they break is the author's, how far they are indented and how many
// blank lines stand between them is not. Within a line nothing changes.
//
//     - A clause (SELECT, FROM, JOIN, WHERE, GROUP BY …) begins at the margin of the query or of
//     the
//       parenthesis that it stands in; its other lines are two further in.
//     - What is in a parenthesis, bracket or CASE … END is two further in than the line on which
//       that opens; a line that begins by closing it is where that line is.
//     - A comment stands as the line below it; ${when(…)} stands as a clause does.
//     - No white space at a line's end, one blank line in place of more, and one around each "---".
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "transform/syntax/sqlx_outline.h"

namespace biwa::transform {

// Lines with "\n" between them and none behind the last.
std::string FormatSql(const std::vector<SqlToken>& tokens, std::size_t indent);

}  // namespace biwa::transform
