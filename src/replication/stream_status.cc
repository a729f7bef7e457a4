#include "replication/stream_status.h"

#include <algorithm>

namespace biwa {

std::string_view ToString(StreamStatus::State state) {
    switch (state) {
        case StreamStatus::State::kStarting:
            return "starting";
        case StreamStatus::State::kSnapshot:
            return "snapshot";
        case StreamStatus::State::kCatchingUp:
            return "catching_up";
        case StreamStatus::State::kStreaming:
            return "streaming";
        case StreamStatus::State::kRetrying:
            return "retrying";
        case StreamStatus::State::kFailed:
            return "failed";
        case StreamStatus::State::kStopped:
            return "stopped";
        case StreamStatus::State::kPaused:
            return "paused";
    }
    return "unknown";
}

std::string_view ToString(StreamStatus::TableState state) {
    switch (state) {
        case StreamStatus::TableState::kWaiting:
            return "waiting";
        case StreamStatus::TableState::kCopying:
            return "copying";
        case StreamStatus::TableState::kLive:
            return "live";
        case StreamStatus::TableState::kRefused:
            return "refused";
        case StreamStatus::TableState::kPaused:
            return "paused";
        case StreamStatus::TableState::kGone:
            return "gone";
    }
    return "unknown";
}

void StreamStatus::Commits::Add(std::uint64_t batch_changes, std::uint64_t batch_bytes,
                                double took) {
    changes = batch_changes;
    bytes = batch_bytes;
    seconds = took;
    ++total;
    seconds_total += took;
    const auto* const bound = std::lower_bound(kBounds.begin(), kBounds.end(), took);
    ++within[static_cast<std::size_t>(bound - kBounds.begin())];
}

}  // namespace biwa
