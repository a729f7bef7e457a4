#include "replication/stream_pace.h"

#include <algorithm>

namespace biwa {

void StreamPace::Committed(Time began, Time ended, int parts) {
    const auto worked = (ended - began) / parts;
    const auto after = [&](const Distance& distance) {
        const auto due = std::clamp(ended + distance.rest * worked, began + every_,
                                    began + distance.longest * every_);
        // However dear they are, half of the time is for queries.
        return std::max(due, ended + worked);
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
