// Reads DuckDB's bound plan of a query, as json_serialize_plan() of DuckDB 1.5 writes it: names are
// resolved there already, and every expression tells the positions of its inputs.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "warehouse/lineage.h"

namespace biwa::duck {

struct PlanLineage {
    std::vector<std::vector<ColumnSource>> columns;  // of the result, in its order
    std::vector<ColumnSource> conditions;
};

// kUser: what the engine finds wrong with the query. kUnavailable: the plan has something that is
// not understood, and so nothing is said about it.
Result<PlanLineage> ReadPlan(std::string_view json);

}  // namespace biwa::duck
