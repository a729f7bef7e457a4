// What PostgreSQL's catalogue says of tables and types.
#pragma once

#include <string>
#include <vector>

#include "source/postgres/connection.h"
#include "source/postgres/types.h"
#include "source/source.h"

namespace biwa::postgres {

// A table with what reading it takes.
struct CatalogTable {
    SourceTable table;
    std::vector<ColumnDecoder> decoders;  // one a column of table.columns
    bool is_partitioned = false;          // the root of partitions (partitions.h)
};

// Every type that a column can have.
Result<TypeCatalog> ReadTypes(const Connection& connection);

// The tables that a pattern names, sorted: "schema.table", "schema.*", "schema.prefix*", "table"
// (of schema public), "*". A pattern that names nothing gives kUser, with what was near, or is
// passed over. Of tables in `only` these columns are all that there are.
Result<std::vector<CatalogTable>> ReadTables(const Connection& connection, const TypeCatalog& types,
                                             const std::vector<std::string>& patterns,
                                             IfMissing if_missing = IfMissing::kRefuse,
                                             const TableParts& only = {});

// Whether "schema.table" is named by the pattern.
bool MatchesPattern(const std::string& pattern, const std::string& schema,
                    const std::string& table);

}  // namespace biwa::postgres
