// What building a model by its present definition would change in the warehouse.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transform/compile/graph.h"
#include "transform/run/cancellation.h"
#include "transform/run/table_diff.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// What is there on the left, what the definition gives, from nothing, on the right; of a history
// that is recorded, the versions that are open on the left, so that what is "gone" would be closed;
// where what vanishes is kept, only those of keys that are given. Of a model with intervals the
// right has the rows of all that have passed. Everything is done in a transaction that is rolled
// back. `key` empty: the model's uniqueKey.
Result<TableDiff> DiffModel(Warehouse& warehouse, const Clock& clock, const Action& action,
                            const std::vector<std::string>& key, Cancellation& cancellation);

}  // namespace biwa::transform
