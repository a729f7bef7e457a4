// Looks on while a stream runs: measures its rates, asks the source how far it is and what tables
// it has, on a connection and a thread of its own, and stops the stream where the source's disk is
// in danger.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include "base/result.h"
#include "replication/stream_board.h"
#include "replication/stream_line.h"
#include "replication/stream_options.h"
#include "replication/table_intake.h"
#include "replication/table_keeper.h"
#include "source/source.h"

namespace biwa {

// What the watch may have the stream do. From the watch's thread.
struct WatchHost {
    std::function<void()> wake;  // there is something to do besides following
    std::function<void()> stop;
    std::function<bool()> has_ended;  // after stop, or by itself
    // Makes the source keep nothing more for the stream, which has ended.
    std::function<Status(StreamSource&)> give_up;
};

class StreamWatch {
  public:
    // All outlive it.
    StreamWatch(const StreamOptions& options, const OpenStreamSource& open_source,
                const StreamLine& line, StreamBoard& board, TableKeeper& keeper,
                TableIntake& intake, WatchHost host);

    // Once what it may stop is there.
    void Start();
    void Stop();

    // Whether the guard has said that the stream must stop. From any thread.
    bool has_given_up() const { return given_up_; }

  private:
    void Run(std::stop_token stop);
    void Measure(double seconds);
    void AskProgress(StreamSource& source);
    // What the source keeps for what is copied beside the stream; 0 when nothing is. Over the
    // guard's limit that copy is given up: the stream itself is not what fills the disk.
    std::uint64_t RetainedBeside();
    // What the source keeps for the stream, against the guard's limits. `in_all`: for its second
    // line too.
    void Guard(StreamSource& source, std::uint64_t retained_bytes, std::uint64_t in_all);
    void Look(StreamSource& source);

    const StreamOptions& options_;
    const OpenStreamSource& open_source_;
    const StreamLine& line_;
    StreamBoard& board_;
    TableKeeper& keeper_;
    TableIntake& intake_;
    const WatchHost host_;

    std::unique_ptr<StreamSource> beside_;  // while something is copied beside the stream
    std::uint64_t last_changes_ = 0;
    // Why the last look could not be had, and for which reason the stream was woken.
    std::string refused_, woken_for_;
    std::int64_t last_rows_ = 0;
    std::atomic<bool> given_up_ = false;
    std::jthread thread_;
};

}  // namespace biwa
