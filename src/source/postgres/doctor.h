// Looks at a PostgreSQL server for whatever could hinder a stream, and says the SQL that mends it.
#pragma once

#include <vector>

#include "source/postgres/connection.h"
#include "source/registry.h"

namespace biwa::postgres {

// Changes nothing. An error is one of reaching the server at all.
// `standby`: where copies are read; null: at the server itself.
Result<std::vector<Finding>> Examine(const ConnectionParameters& parameters,
                                     const ConnectionParameters* standby,
                                     const StreamToExamine& stream);

}  // namespace biwa::postgres
