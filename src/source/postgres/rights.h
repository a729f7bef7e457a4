// What a role has to be given before it may follow tables.
#pragma once

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

// Refuses the tables that these publications have not and that could not be put into them. What is
// published stays so when a right is taken away.
Status RefuseWithoutRights(const Connection& connection,
                           const std::vector<std::string>& publications,
                           std::vector<CatalogTable>& tables);

}  // namespace biwa::postgres
