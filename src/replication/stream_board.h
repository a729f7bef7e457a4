// Where a stream writes down what can be told of it, and everybody reads it. From any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/applier.h"
#include "replication/stream_state.h"
#include "replication/stream_status.h"
#include "replication/target_table.h"
#include "source/source.h"

namespace biwa {

class StreamBoard {
  public:
    StreamBoard(std::string stream, TargetDataset dataset, std::uint64_t queue_bytes_max);

    // What was written; what is measured at the moment of asking is not in it.
    StreamStatus status() const;
    StreamStatus::State state() const;
    bool IsLive(const std::string& source_name) const;
    // The tables, as the source calls them, whose names in the warehouse are the stream's.
    std::set<std::string> Kept() const;
    // Of tables that somebody names as they are in the warehouse or at the source.
    Result<std::vector<std::string>> SourceNames(const std::vector<std::string>& tables) const;

    // No error any more.
    void ShowState(StreamStatus::State state);
    void ShowError(StreamStatus::State state, Error error);
    void ShowPosition(const Position& position);
    void ShowCommit(const Applier::Applied& applied);
    // Of all tables: those of the source, and those of the stream that are not there any more.
    void ShowTables(const std::vector<SourceTable>& found,
                    const std::vector<StreamState::Table>& known);
    void ShowPhase(const std::string& source_name, TablePhase phase, const std::string& reason,
                   std::int64_t rows_copied);
    // One that is copied beside the stream: why it is, stays.
    void ShowBeside(const std::string& source_name, TablePhase phase, std::int64_t rows_copied);

    // For all that is one value.
    template <typename Edit>
    void Change(const Edit& edit) {
        std::lock_guard lock(mutex_);
        edit(status_);
    }

  private:
    const TargetDataset dataset_;
    mutable std::mutex mutex_;
    StreamStatus status_;  // guarded by mutex_
};

}  // namespace biwa
