// Which actions of a project a run is about.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

// "daily", "mart.daily", "tag:nightly"; "+daily" with all that it reads, "daily+" with all that
// reads it. Nothing selected means everything. The assertions of a selected model's config come
// with it. Disabled actions are never in it.
Result<std::set<TableName>> Select(const CompiledGraph& graph,
                                   const std::vector<std::string>& patterns);

// All that reads or waits for one of `targets`, over any number of steps, and not they themselves.
// The targets may be tables from elsewhere.
std::set<TableName> Downstream(const CompiledGraph& graph, const std::set<TableName>& targets);

}  // namespace biwa::transform
