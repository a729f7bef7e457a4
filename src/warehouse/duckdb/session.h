// Statements on one DuckDB connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "warehouse/duckdb/handles.h"
#include "warehouse/duckdb/read_gate.h"
#include "warehouse/duckdb/rests.h"
#include "warehouse/warehouse.h"

namespace biwa::duck {

// What the engine said, as an error of ours: who must act is told by its kind of error.
Error EngineError(duckdb_error_type type, std::string message);

// One statement, with every result column of a type that the model has.
Result<Prepared> Prepare(duckdb_connection connection, const std::string& sql);
std::vector<Column> ColumnsOf(duckdb_prepared_statement statement);

// Of statements that would begin or end a transaction, such as COMMIT.
enum class TransactionStatements { kAllowed, kRefused };

// Runs and forgets the result. Returns the number of rows changed. With `rests` the calling thread
// rests when it is due, between what it does for the statement.
Result<std::uint64_t> Execute(duckdb_connection connection, const std::string& sql,
                              TransactionStatements = TransactionStatements::kAllowed,
                              Rests* rests = nullptr);
// kUser where it is one of those.
Status CheckIsNoTransaction(duckdb_prepared_statement statement);

// Runs `sql` and reads the result as it comes. `at_end` is called once, when the stream goes.
Result<std::unique_ptr<RowStream>> Stream(duckdb_connection connection, Prepared statement,
                                          std::function<void()> at_end);

// A session that reads, on a connection of its own.
Result<std::unique_ptr<ReadSession>> OpenReadSession(duckdb_database database, ReadGate& gate);
// Warehouse::OpenSessionOn.
Result<std::unique_ptr<ReadSession>> OpenSessionOn(duckdb_database database, ReadGate& gate,
                                                   const std::vector<std::string>& datasets,
                                                   std::vector<std::string> views);

}  // namespace biwa::duck
