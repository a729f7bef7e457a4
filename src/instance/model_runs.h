// Runs of models, as meta.db remembers them: begun before the first build and ended after the last,
// so that a run whose process was killed can be told from one that came to its end, and gone on
// with.
#pragma once

#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "server/http/backend.h"
#include "state/meta_store.h"
#include "transform/run/model_runner.h"
#include "workflow/refresher.h"

namespace biwa {

class ModelRuns {
  public:
    // Both outlive it.
    ModelRuns(MetaStore& meta, const Clock& clock) : meta_(meta), clock_(clock) {}

    // Runs what is asked for. With `resume` it is the last run that is gone on with, if that did
    // not come to a good end: its models and options, under its id, so that what it has committed
    // is not built again (transform/run/model_runner.h).
    Result<transform::RunResult> Run(workflow::Refresher& refresher,
                                     const http::RunRequest& request, const http::RunEvents& events,
                                     std::stop_token stop);

    // After a run that nobody asked for. Such runs come every few seconds, so it is kept only when
    // something in it came out otherwise than the last time.
    void Note(const transform::RunResult& result, Micros started);

    // What came of each model and assertion the last time, for workflow::Refresher::Restore.
    Result<std::vector<transform::ActionResult>> LastResults(
        const transform::CompiledGraph& graph) const;

  private:
    MetaStore& meta_;
    const Clock& clock_;
    std::mutex mutex_;
    std::map<TableName, std::string> noted_;  // what each came to the last time, as a text
};

}  // namespace biwa
