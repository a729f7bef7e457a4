// Takes tables into a stream that runs: has those that wait copied beside it (table_joiner.h), and
// makes them the stream's own when they are whole.
//
// Used by the stream's thread, but for what says otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
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
    // took over, by their names at the source. `found`: what the source has; `not_yet`: names of
    // tables whose log has to be heard further: they are neither begun with nor taken over.
    //
    // What cannot be copied is tried again later, and shown; it does not hold up the others.
    Result<std::vector<std::string>> Join(StreamSource& source,
                                          const std::vector<SourceTable>& found,
                                          const std::set<std::string>& not_yet,
                                          std::stop_token stop);
    // Lets go of what is being copied. The next Join goes on with it.
    void Pause();
    // Copies that could be taken over, how far they are, and in which attempt they were made.
    struct Ready {
        std::vector<std::string> tables;
        std::uint64_t order = 0;
        int attempt = 0;
    };
    std::optional<Ready> ready() const;
    // Tables of which a copy has begun, whether it can go on or not.
    Result<std::set<std::string>> Begun() const;
    // What could not be copied is tried again at once.
    void TryAgain() { failures_.clear(); }
    // Takes away what the second line has left at the source and here.
    Status Forget();

    // By the watcher: rows copied of the table that is being copied, and whether it is time to try
    // again what has failed.
    std::int64_t rows_copied() const;
    bool IsDueAgain();
    bool is_joining() const;
    // Has the next Join give up what is being copied, until somebody asks for it.
    void GiveUpFor(std::string reason);

  private:
    using SteadyTime = std::chrono::steady_clock::time_point;
    struct Failure {
        std::string reason;
        SteadyTime again;
    };

    // Ends a joiner that has failed, or that is to.
    void NoteFailure(const std::string& reason, SteadyTime again);
    void EndJoiner();
    // Those that wait and are to be copied now, together.
    std::vector<std::string> NextTables(const std::set<std::string>& not_yet) const;
    void ShowFailures();
    void StartJoiner(std::vector<std::string> tables);
    Status TakeOver(StreamSource& source, const StreamState& joined,
                    const std::vector<SourceTable>& found, std::vector<std::string>& taken);
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

    std::map<std::string, Failure> failures_;
    // One of them makes the copy of all fail, and it is not known which.
    std::set<std::string> alone_;

    mutable std::mutex mutex_;  // guards the three below against the watcher
    std::unique_ptr<TableJoiner> joiner_;
    SteadyTime again_ = SteadyTime::max();  // the first time that something is to be tried again
    std::string give_up_for_;
};

}  // namespace biwa
