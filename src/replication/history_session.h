// Queries of the past.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "warehouse/warehouse.h"

namespace biwa {

// A session for which each table with a history has the rows that it had at the moment, and each
// view is one of those. Whoever reads a table that has no history then gets an error. kUser when
// `moment` is no time.
Result<std::unique_ptr<ReadSession>> OpenSessionAsOf(Warehouse& warehouse,
                                                     const std::string& moment);

}  // namespace biwa
