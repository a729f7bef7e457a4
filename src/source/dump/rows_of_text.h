// Rows as COPY writes them in its two text formats (PostgreSQL manual, COPY, "File Formats").
//
// Text: one row a line, fields between tabs, \N for NULL; backslash and a letter for what would be
// taken for something else. CSV: fields between commas; one in quotes may hold anything, lines'
// ends too, with a quote doubled; an empty one without quotes is NULL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/dump/line_file.h"

namespace biwa::dump {

// The fields of one row; none: NULL. Views are good until the row is read into again.
struct TextRow {
    std::vector<std::optional<std::string_view>> fields;
    std::string room;  // holds what is not as it stands in the line
};

// Any bytes are a row.
void ReadCopyRow(std::string_view line, TextRow& row);

// False at the file's end. kUser when a quote is not closed.
Result<bool> ReadCsvRow(LineFile& file, TextRow& row);

}  // namespace biwa::dump
