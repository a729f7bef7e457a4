// A few rows as lines of text, for messages.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace biwa::cli {

// {"columns": ["id"], "rows": [["7"], [null]]}: a line of names and one a row, columns aligned.
// NULL stands for null, '' for an empty text and 'NULL' for that text. Nothing where there are no
// rows.
std::vector<std::string> RowLines(const nlohmann::json& sample);

// What DiffJson (instance/diff_json.h) says, for people.
std::vector<std::string> DiffLines(const nlohmann::json& diff);

}  // namespace biwa::cli
