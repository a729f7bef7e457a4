#include "replication/stream_pace.h"

#include <algorithm>

namespace biwa {

void StreamPace::Committed(Time began, Time ended, int parts) {
    const auto worked = (ended - began) / parts;
    // However dear they are, half of the time is for queries.
    const auto rest = std::max(worked, std::min(kRest * worked, kLongest * every_));
    next_commit_ = std::max(began + every_, ended + rest);
}

bool StreamPace::KeepsUp(bool has_all, std::chrono::duration<double> lag) {
    if (has_all || lag <= kNear) keeps_up_ = true;
    if (!has_all && lag > kFar) keeps_up_ = false;
    return keeps_up_;
}

}  // namespace biwa
