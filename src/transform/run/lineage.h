// What every model's columns are made of: from column to column, by the engine's bound plan.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "transform/compile/graph.h"
#include "warehouse/lineage.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

struct TableLineage {
    // Those of tables from elsewhere, and of models that cannot be followed, have no sources.
    std::vector<BoundColumn> columns;
    std::vector<ColumnSource> conditions;
    // A model whose columns cannot be followed: why.
    std::optional<Error> unknown;
};

using Lineage = std::map<TableName, TableLineage>;

// Of every table that the graph makes or reads. Models need not have been built: each is bound over
// the columns of those before it. Runs none of their SQL. A millisecond or two a model.
Result<Lineage> ReadLineage(const CompiledGraph& graph, Warehouse& warehouse);

// The columns that a column goes into, over any number of steps, and not it itself.
std::vector<ColumnSource> ColumnsDownstream(const Lineage& lineage, const TableName& table,
                                            const std::string& column);

}  // namespace biwa::transform
