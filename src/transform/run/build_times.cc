#include "transform/run/build_times.h"

#include "base/log.h"
#include "transform/run/applied.h"

namespace biwa::transform {

void BuildTimes::Load(Warehouse& warehouse) {
    std::lock_guard lock(mutex_);
    if (is_loaded_) return;
    const auto builds = LastBuilds(warehouse);
    if (!builds) {
        LogDebug("how long models took is not known: {}", builds.error().ToString());
        return;
    }
    is_loaded_ = true;
    for (const auto& [model, build] : *builds) {
        const auto seconds = static_cast<double>(build.finished_at - build.started_at) / 1e6;
        times_.try_emplace(model, Time{build.content_hash, seconds});
    }
}

std::optional<double> BuildTimes::SecondsOf(const Action& action) const {
    std::lock_guard lock(mutex_);
    const auto found = times_.find(action.target.ToString());
    if (found == times_.end() || found->second.content_hash != ContentHash(action)) return {};
    return found->second.seconds;
}

void BuildTimes::Note(const Action& action, double seconds) {
    std::lock_guard lock(mutex_);
    times_[action.target.ToString()] = {ContentHash(action), seconds};
}

}  // namespace biwa::transform
