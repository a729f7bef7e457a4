// What is done when the columns that a query gives are no longer those of its table. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "transform/compile/graph.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

// How the new rows come into the table that is there.
struct SchemaChange {
    std::vector<std::string> statements;  // that make the table fit, first of all
    std::vector<std::string> insert;      // the columns that the new rows fill
    std::vector<std::string> notes;       // what a person should know of it
};

// Of an incremental build of `action`, from what it says (onSchemaChange):
//   nothing, FAIL   any difference fails
//   IGNORE          new columns are left out; values are cast to the table's types, and one that
//                   cannot be fails; a column that is gone fails
//   EXTEND          new columns are added, NULL in the rows that are there; all else fails
//   SYNCHRONIZE     new columns are added, those that are gone are dropped with their values, and
//                   types become the query's, if every value that is there can be cast
// Columns of uniqueKey are never dropped, and of a history none: one that is gone is NULL in later
// versions. Names are compared as the engine does, capitals apart.
Result<SchemaChange> ReconcileColumns(const Action& action, const std::vector<TableColumn>& had,
                                      const std::vector<TableColumn>& got);

// Where `columns` are not what the action's contract promises: an error that names each.
Status CheckContract(const Action& action, const std::vector<TableColumn>& columns,
                     const std::vector<std::string>& promised_types);

}  // namespace biwa::transform
