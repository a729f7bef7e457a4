// The assertions that a model's config asks for, as actions of their own.
#pragma once

#include <vector>

#include "transform/compile/config.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

// Named as Dataform does: DATASET_TABLE_assertions_uniqueKey_0,
// DATASET_TABLE_assertions_rowConditions; and with its SQL.
std::vector<Action> MakeAssertions(const Action& model, const AssertionsConfig& config,
                                   const ModelsConfig& settings);

}  // namespace biwa::transform
