// Ranges of a table's primary key, of about the same number of rows each.
//
// As text, what StreamState keeps: "*" is all of the table; "i:10:20" the rows whose first key
// column is a whole number from 10 to 19; "t:6162:62" (UTF-8) and "b:00:7f" (bytes) the same of
// texts and bytes, in hex. An end that is left out is open.
#pragma once

#include <string>
#include <vector>

#include "source/mysql/catalog.h"
#include "source/mysql/connection.h"
#include "source/source.h"

namespace biwa::mysql {

// Whole numbers are cut evenly between the lowest and the highest; texts and bytes at keys that the
// server finds next to evenly chosen ones. Other keys make one range.
Result<std::vector<SnapshotRange>> SplitByKey(const Connection& connection,
                                              const SourceTable& table,
                                              const ColumnInfo& first_key_column);

// The condition of a WHERE for a range; kCorrupt when the text is none of ours.
Result<std::string> RangeCondition(const std::string& range, const std::string& first_key_column);

}  // namespace biwa::mysql
