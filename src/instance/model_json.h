// What an instance tells of one model: its SQL, its columns and where they come from and go to, its
// builds. JSON of docs/api.md.
#pragma once

#include <string>

#include "base/result.h"
#include "model/table.h"
#include "project/project.h"
#include "transform/compile/graph.h"
#include "transform/run/lineage.h"
#include "warehouse/warehouse.h"

namespace biwa {

// `table`: any that the lineage knows, or an assertion or operations of the graph. kUser: there is
// no such thing.
Result<std::string> ModelPageJson(const TableName& table, const Project& project,
                                  const transform::CompiledGraph& graph,
                                  const transform::Lineage& lineage, Warehouse& warehouse);

}  // namespace biwa
