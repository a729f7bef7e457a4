#include "replication/stream_pace.h"

#include <algorithm>

namespace biwa {

void StreamPace::Committed(Time began, Time ended, int parts) {
    const auto worked = (ended - began) / parts;
    const auto after = [&](const Distance& distance) {
        // However dear they are, half of the time is for queries.
        const auto rest =
            std::max(worked, std::min(distance.rest * worked, distance.longest * every_));
        return std::max(began + every_, ended + rest);
    };
    next_read_ = after(kRead);
    next_unread_ = after(kUnread);
}

bool StreamPace::KeepsUp(bool has_all, std::chrono::duration<double> lag) {
    if (has_all || lag <= kNear) keeps_up_ = true;
    if (!has_all && lag > kFar) keeps_up_ = false;
    return keeps_up_;
}

}  // namespace biwa
