// What can be told of a stream at any moment.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
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
        std::map<std::string, std::string> masks;  // columns, and how they are masked
    };
    struct Point {
        Micros at = 0;
        double changes_per_s = 0;
        double lag_seconds = 0;
    };

    // Since the process began.
    struct Commits {
        // Upper bounds of how long a commit took; one more for what took longer.
        static constexpr std::array<double, 12> kBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                           0.5,   1,    2.5,   5,    10,  30};
        std::array<std::uint64_t, kBounds.size() + 1>
            within{};  // each between its bound and the one before
        std::uint64_t total = 0;
        double seconds_total = 0;
        // Of the last one.
        std::uint64_t changes = 0;
        std::uint64_t bytes = 0;
        double seconds = 0;

        void Add(std::uint64_t batch_changes, std::uint64_t batch_bytes, double took);
    };

    std::string name;
    State state = State::kStarting;
    std::optional<Error> error;
    std::string warning;                    // what may become an error; empty when nothing
    std::array<std::uint64_t, 4> errors{};  // by ErrorKind, since the process began
    std::string position;
    Micros commit_time = 0;  // of the last commit that can be seen here
    std::uint64_t lag_bytes = 0;
    std::uint64_t retained_bytes = 0;
    double lag_seconds = 0;
    std::uint64_t changes_total = 0;
    double changes_per_s = 0;
    double rows_per_s = 0;
    std::uint64_t rows_total = 0;  // copied since the process began
    Commits commits;
    std::uint64_t queue_bytes = 0;  // received and not yet taken up by the writer
    std::uint64_t queue_bytes_max = 0;
    std::uint64_t unrepresentable = 0;
    std::deque<Point> history;
    std::vector<Table> tables;
    Reconciliation reconciliation;
};

std::string_view ToString(StreamStatus::State state);
std::string_view ToString(StreamStatus::TableState state);

}  // namespace biwa
