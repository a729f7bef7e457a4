// Runs the project's unit tests: a model built from given rows, by the builder that builds it in
// earnest, in a warehouse of the real engine that is in memory and gone afterwards.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transform/compile/graph.h"
#include "transform/run/table_diff.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

struct UnitTestResult {
    std::string name;
    TableName model;
    SourceLocation location;
    std::optional<Error> error;  // it could not be run
    TableDiff diff;              // expected rows on the left, those that were built on the right
    double seconds = 0;

    bool ok() const { return !error && diff.same(); }
};

using OpenEmptyWarehouse = std::function<Result<std::unique_ptr<Warehouse>>()>;

// The inputs are tables of the names that the model reads. If the model itself is among them, its
// rows are there when it is built, so an incremental model adds to them; else it is built from
// nothing. All of the table is compared then, or the rows that an assertion finds.
UnitTestResult RunUnitTest(const OpenEmptyWarehouse& open, const CompiledGraph& graph,
                           const UnitTest& test, const Clock& clock);

}  // namespace biwa::transform
