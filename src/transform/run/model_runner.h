// Runs a project's models in the order of what they depend on.
#pragma once

#include <atomic>
#include <set>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "transform/compile/graph.h"
#include "transform/run/build_times.h"
#include "transform/run/result.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// Follows a run. Called by the threads of the run, one call at a time.
class RunObserver {
  public:
    virtual ~RunObserver() = default;
    virtual void OnStarted(const Action& action) = 0;
    virtual void OnFinished(const Action& action, const ActionResult& result) = 0;
};

struct RunOptions {
    bool full_refresh = false;    // incremental models from nothing
    bool forget_history = false;  // and those that record a history, too
    int threads = 2;              // models at once, each in a transaction of its own
    std::string run_id = {};      // of _biwa.applied; empty: a new one
    // The run of that id was interrupted: what it has committed is not built again, unless its
    // definition has changed since.
    bool resume = false;
};

// Of no other run, ever.
std::string NewRunId(Micros now);

// The result of a run that was cancelled before its beginning.
RunResult NothingDone(const CompiledGraph& graph, const std::set<TableName>& selection,
                      const RunOptions& options);

class ModelRunner {
  public:
    // The warehouse and the clock must outlive it.
    ModelRunner(Warehouse& warehouse, const Clock& clock);

    // Runs the selected actions (selection.h); what is not selected stays as it is. A failure skips
    // what depends on it and nothing else. Returns when all is done; a stop request ends running
    // statements and begins no more. From any thread, also several at once.
    RunResult Run(const CompiledGraph& graph, const std::set<TableName>& selection,
                  const RunOptions& options, RunObserver* observer, std::stop_token stop);

  private:
    // Now and then: _biwa.applied must not grow without end.
    void Prune(Micros now);

    Warehouse& warehouse_;
    const Clock& clock_;
    BuildTimes times_;
    std::atomic<Micros> prune_at_ = 0;
};

}  // namespace biwa::transform
