// How wide the values of a table's columns are, out of the catalogue.
#pragma once

#include <duckdb.h>

#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "warehouse/warehouse.h"

namespace biwa::duck {

// As the connection's transaction sees the table.
Result<std::vector<ColumnWidth>> WidthsOf(duckdb_connection connection, const TableName& table);

}  // namespace biwa::duck
