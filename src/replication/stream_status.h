// What can be told of a stream at any moment.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "replication/reconciliation.h"

namespace biwa {

struct StreamStatus {
    enum class State {
        kStarting,
        kSnapshot,
        kCatchingUp,
        kStreaming,
        kRetrying,
        kFailed,
        kStopped,
        kPaused
    };
    enum class TableState { kWaiting, kCopying, kLive, kRefused, kPaused, kGone };

    struct Table {
        std::string name;    // in the warehouse, without the dataset
        std::string source;  // "public.answers"
        TableState state = TableState::kWaiting;
        std::string reason = {};  // why it waits, is paused or gone
        std::int64_t rows_copied = 0;
        std::int64_t rows_estimate = 0;
        Micros last_change_at = 0;
        std::vector<std::string> notes;
    };
    struct Point {
        Micros at = 0;
        double changes_per_s = 0;
        double lag_seconds = 0;
    };

    std::string name;
    State state = State::kStarting;
    std::optional<Error> error;
    std::string position;
    Micros commit_time = 0;  // of the last commit that can be seen here
    std::uint64_t lag_bytes = 0;
    std::uint64_t retained_bytes = 0;
    double lag_seconds = 0;
    std::uint64_t changes_total = 0;
    double changes_per_s = 0;
    double rows_per_s = 0;
    std::uint64_t unrepresentable = 0;
    std::deque<Point> history;
    std::vector<Table> tables;
    Reconciliation reconciliation;
};

std::string_view ToString(StreamStatus::State state);
std::string_view ToString(StreamStatus::TableState state);

}  // namespace biwa
