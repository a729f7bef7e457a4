// What a role has to be given before it may follow tables.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "source/postgres/catalog.h"
#include "source/postgres/connection.h"

namespace biwa::postgres {

// Of one table, the first that is missing of: using its schema, reading it, owning it, seeing all
// of its rows.
struct MissingRight {
    std::string refusal;  // as SourceTable::refusal
    std::string mend_sql;
};

// One for each of the tables, in their order; both texts are empty where nothing is missing, or the
// table is gone.
Result<std::vector<MissingRight>> MissingRights(const Connection& connection,
                                                const std::vector<CatalogTable>& tables);

// The names of those of a stream.
struct Publications {
    std::string all;      // of tables with a key
    std::string inserts;  // of those whose inserts alone are followed
};

// Whether pg_publication AS p is as those of a stream are made, its tables aside; `all` is the SQL
// of the first one's name. (What tells of truncates came with PostgreSQL 11, of roots with 13.)
std::string IsAsMade(const std::string& all);

// Those of them that are another role's, by name: the connection's role was another one when they
// were made.
Result<std::map<std::string, MissingRight>> OthersPublications(const Connection& connection,
                                                               const Publications& publications);

// Tells which of the tables are published as they have to be (SourceTable::is_published), and
// refuses those that are not and could not be. What is published stays so when a right is taken
// away.
Status JudgeRights(const Connection& connection, const Publications& publications,
                   std::vector<CatalogTable>& tables);

}  // namespace biwa::postgres
