// Builds one model: everything that one action does to the warehouse, in one transaction.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transform/compile/graph.h"
#include "transform/run/cancellation.h"
#include "transform/run/result.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// What belongs to a run as a whole.
struct BuildContext {
    Warehouse& warehouse;
    const Clock& clock;
    std::string run_id;
    bool full_refresh = false;
    bool forget_history = false;  // with full_refresh: models that record one begin anew, too
};

// Makes the datasets of models and _biwa.applied where they are missing.
Status PrepareDatasets(Warehouse& warehouse, const CompiledGraph& graph);

struct BuildOutcome {
    std::optional<std::uint64_t> rows;   // the table's, afterwards; views have none
    std::optional<std::uint64_t> bytes;  // of its values (table_size.h)
    double seconds = 0;                  // of one of several, without their commit
    std::vector<std::string> notes;      // what a person should know, although it went well
    std::optional<Micros> due_again;     // when its next interval will have passed
};

// Builds a table, view or incremental model or runs operations; readers see the old table or the
// new one, and a failure leaves the old one. A row of _biwa.applied is written in the same
// transaction. A conflict with another writer comes back as kConflict, and trying again is right.
// `bench`: of the calling thread, for one build at a time.
Result<BuildOutcome> Build(const BuildContext& context, Workbench& bench, const Action& action,
                           Cancellation& cancellation);

// A table or view whose build leaves nothing behind but itself.
bool CanBeBuiltTogether(const Action& action);

// Builds several such actions, none of which reads another, in one transaction: of small models
// the greater part of the work is what comes with each commit. All or none: after an error, or
// when they have taken `time_max`, nothing is done, and each is to be built by itself.
Result<std::vector<BuildOutcome>> BuildTogether(const BuildContext& context, Workbench& bench,
                                                const std::vector<const Action*>& actions,
                                                std::chrono::milliseconds time_max,
                                                Cancellation& cancellation);

// The condition that the rows of a model with intervals meet when it is built from nothing: of the
// time since `from` all whole intervals that have passed.
Result<std::string> ConditionFromNothing(const BuildContext& context, WriteTransaction& transaction,
                                         const Action& action, Cancellation& cancellation);

// The rows that an assertion finds.
Result<FailingRows> Check(Warehouse& warehouse, const Action& action, Cancellation& cancellation);

}  // namespace biwa::transform
