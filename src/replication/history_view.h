// The SQL of the views of a table's history.
#pragma once

#include <string>
#include <vector>

#include "model/table.h"
#include "replication/history.h"

namespace biwa {

// CREATE VIEW: each row for as long as it was so. `keys`: what told rows apart in any span.
std::string HistoryViewSql(const HistoryTable& table, const std::vector<Column>& columns,
                           const std::vector<HistoryKey>& keys);
// CREATE MACRO: the rows of a moment.
std::string HistoryMacroSql(const HistoryTable& table, const std::vector<Column>& columns);

}  // namespace biwa
