// Whether models are as fresh as their definitions promise, by what the streams have committed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/table.h"
#include "replication/stream_status.h"
#include "transform/compile/graph.h"
#include "workflow/refresher.h"

namespace biwa {

struct ModelFreshness {
    enum class State { kFresh, kWarn, kError, kUnknown };
    State state = State::kUnknown;
    // All that was committed at the sources until then shows in the model; none: it is not known,
    // as nothing was built or copied yet.
    std::optional<Micros> as_of;
    double age_seconds = 0;
};
std::string_view ToString(ModelFreshness::State state);

// Of each model that promises something. `datasets`: of each stream, by its name.
//
// A stream that follows its source has all but what it lags behind. One that does not (it has
// failed, is paused, cannot reach the source) is known to have what it committed last and nothing
// after that, however quiet the source may be.
std::map<TableName, ModelFreshness> JudgeFreshness(
    const transform::CompiledGraph& graph, const std::vector<workflow::ModelStatus>& models,
    const std::vector<StreamStatus>& streams, const std::map<std::string, std::string>& datasets,
    Micros now);

}  // namespace biwa
