// Takes tables into a stream that runs: has those that wait copied beside it (table_joiner.h), and
// makes them the stream's own when they are whole.
//
// Used by the stream's thread, but for what says otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/stream_board.h"
#include "replication/stream_line.h"
#include "replication/stream_options.h"
#include "replication/table_joiner.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

class TableIntake {
  public:
    // `line` is the stream's own, whose observer hears what becomes of its tables. `wake` is called
    // when there is something to do here. All outlive it.
    TableIntake(Warehouse& warehouse, const StreamOptions& options,
                const OpenStreamSource& open_source, const OnTablesChanged& on_changed,
                StreamLine& line, LineObserver& observer, StreamBoard& board,
                std::function<void()> wake);

    // Has the stream's tables that wait copied beside it, and takes over those that were. Which it
    // took over, by their names at the source. `found`: what the source has.
    Result<std::vector<std::string>> Join(const std::vector<SourceTable>& found);
    // Lets go of what is being copied. The next Join goes on with it.
    void Pause();
    // Takes away what the second line has left at the source and here.
    Status Forget();

    // By the watcher: rows copied of the table that is being copied, and whether it is time to try
    // again what has failed.
    std::int64_t rows_copied() const;
    bool IsDueAgain();

  private:
    void StartJoiner(std::vector<std::string> tables);
    Status TakeOver(const StreamState& joined, const std::vector<SourceTable>& found,
                    std::vector<std::string>& taken);
    // After it was taken over, or when nothing waits for it any more.
    Status ForgetJoined(bool only_if_leaving);

    Warehouse& warehouse_;
    const StreamOptions& options_;
    const OpenStreamSource& open_source_;
    const OnTablesChanged& on_changed_;
    StreamLine& line_;
    LineObserver& observer_;
    StreamBoard& board_;
    const std::function<void()> wake_;

    mutable std::mutex mutex_;  // guards the two below against the watcher
    std::unique_ptr<TableJoiner> joiner_;
    std::chrono::steady_clock::time_point not_before_{};  // after a joiner has given up
};

}  // namespace biwa
