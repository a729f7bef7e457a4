// The history of a model's rows, by comparison (config: history, of type incremental).
//
// The table has the query's columns, then valid_from and valid_to (NULL: still so), as the history
// of a stream has them. Each run compares what the query gives now with the versions that are open:
//   a key that is new            a version is opened
//   another value in a column    the version is closed, another one opened at the same instant
//   a key that is gone           the version is closed, unless the model keeps it
//   a key that was gone          another version is opened, behind a gap
// What is closed is never touched again. The instant is what the column updatedAt says where that
// lies behind all that is known of the key, else that of the run; per key instants only grow, so
// versions of a key never overlap and none is empty, whatever clocks do.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transform/compile/graph.h"
#include "transform/run/sql_results.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// The SELECT whose columns are those of the action's table: of a history the query's and its own
// two, of all else the query.
std::string TableSql(const Action& action);

// Of a table's columns those that the query gives, and not the two of a history.
std::vector<TableColumn> WithoutValidity(const Action& action, std::vector<TableColumn> columns);

// Makes the table without rows, fit for those of `rows`. Takes the place of a table of that name.
Status CreateHistory(WriteTransaction& transaction, const Action& action, const std::string& rows);

// Writes what has changed since, in the caller's transaction; `rows` is a table with what the query
// gives now. Returns notes for people. A second time with the same rows nothing changes.
Result<std::vector<std::string>> RecordVersions(WriteTransaction& transaction, const Action& action,
                                                const std::string& rows, Micros now);

}  // namespace biwa::transform
