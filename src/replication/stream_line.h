// A set of tables that are copied as of one position of the source and followed from there on, kept
// in the books of the warehouse and of the source under a name of its own.
//
// A stream is one such line. Tables that come to a running stream, or have to be copied anew, come
// on a second one beside it (table_joiner.h), until the stream takes them over.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bounded_queue.h"
#include "base/result.h"
#include "replication/applier.h"
#include "replication/history.h"
#include "replication/snapshot_loader.h"
#include "replication/stream_pace.h"
#include "replication/stream_state.h"
#include "replication/stream_status.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct LineOptions {
    std::string name;  // in the warehouse's books
    TargetDataset dataset;
    bool beside = false;               // into tables that readers do not see yet
    std::vector<std::string> history;  // patterns of tables whose history is kept
    SnapshotOptions snapshot;
    std::optional<TextStorage> texts = {};  // in tables that are made; nothing: as there is room
    std::chrono::milliseconds commit_every{100};
    std::size_t queue_bytes_max = 32 << 20;
    std::chrono::milliseconds idle_every{10'000};
    // Asked before anything of the source is written. An error: not now.
    std::function<Status()> may_write = [] { return Status(); };
    // Whether somebody has read from the warehouse of late, and so may do it again.
    std::function<bool()> is_read = [] { return true; };
};

// Is told what a line does, on the line's thread.
class LineObserver {
  public:
    virtual ~LineObserver() = default;
    virtual void OnState(StreamStatus::State state) = 0;
    // A table, by its name at the source, has begun to be copied, was copied, or left the line.
    virtual void OnTable(const std::string& source_name, TablePhase phase,
                         const std::string& reason, std::int64_t rows_copied) = 0;
    // Rows were copied into the target.
    virtual void OnCopied(const TableName& target) = 0;
    // These are about to be taken in.
    virtual void OnChanges(const ChangeBatch& batch) = 0;
    virtual void OnCommit(const Applier::Applied& applied) = 0;
    virtual void OnUnrepresentable(std::uint64_t count) = 0;
};

// Used by one thread, but for what says otherwise.
class StreamLine {
  public:
    StreamLine(Warehouse& warehouse, LineOptions options, LineObserver& observer);

    // What the warehouse's books say. First of all, and again after an error.
    Status Read();
    StreamState& state() { return state_; }
    Status SetPhase(StreamState::Table& table, TablePhase phase, std::string reason,
                    std::int64_t rows_copied = 0);
    TableName TargetOf(const std::string& schema, const std::string& name) const;

    // Those of the tables whose history is to be kept, by "schema.table", and what tells their rows
    // apart.
    std::map<std::string, HistoryKey> WantedHistories(const std::vector<SourceTable>& tables) const;

    // Makes what the line needs at the source, and empty targets.
    Status Begin(StreamSource& source, const std::vector<SourceTable>& tables);
    // Begins again at the source's present, which is asked for anew; what was followed or copied so
    // far is to be copied anew, beside what is there.
    Status StartOver(StreamSource& source, const std::vector<SourceTable>& tables,
                     const std::string& reason);
    // kConflict when the source does not have the history any more from which the line would go on,
    // or has another one. Follow looks itself.
    Status CheckHistory(StreamSource& source);
    // Whether the last CheckHistory or Follow found that, or changes that cannot be followed.
    bool has_lost_history() const { return has_lost_history_; }
    // Copies whatever is still to be copied, until an error, a stop, or `is_enough`, which is asked
    // between slices; then the next call goes on. A table that cannot be copied for a reason of its
    // own is left to wait, StreamState::Table::failure says why, and does not hold up the others.
    Status Copy(StreamSource& source, const std::vector<SourceTable>& tables, std::stop_token stop,
                const std::function<bool()>& is_enough);
    // Follows the live tables until an error, a stop, or `is_enough`, which is asked between
    // commits.
    Status Follow(StreamSource& source, const std::vector<SourceTable>& tables,
                  std::stop_token stop, const std::function<bool()>& is_enough);
    // Takes away what the line has at the source, and its books. Its targets stay.
    Status Remove(StreamSource& source);

    // From any thread. `status`: the stream's. Of one that does not follow, how long ago all could
    // be seen at least: what came since is not known.
    double lag_seconds(const StreamStatus& status) const;
    std::int64_t rows_copied() const { return rows_copied_; }
    std::uint64_t changes_applied() const { return changes_applied_; }
    std::uint64_t rows_total() const { return rows_total_; }
    // Received and not yet taken up by the writer.
    std::size_t queue_bytes() const { return queue_bytes_; }
    // Whether all that was received was applied.
    bool is_caught_up() const { return received_order_ <= durable_order_; }
    std::uint64_t durable_order() const { return durable_order_; }
    // Whether all changes up to there were, though the warehouse's books may not say so yet.
    bool HasApplied(const Position& position) const;
    // Whether a commit of any kind has succeeded since the last call: retries may be quick again.
    bool TakeProgressed() { return progressed_.exchange(false); }

  private:
    Result<std::vector<std::string>> PutOffCopiesAhead(WriteTransaction& transaction);
    // The source has told of nothing that cannot be seen.
    void NoteAllSeen();
    Status ReadChanges(ChangeSource& changes, BoundedQueue<ChangeBatch>& queue,
                       std::stop_token stop);
    enum class Applying : std::uint8_t { kEnded, kReadAgain };
    Result<Applying> ApplyQueue(StreamSource& source,
                                const std::map<std::string, HistoryKey>& histories,
                                BoundedQueue<ChangeBatch>& queue, std::stop_token stop,
                                const std::function<bool()>& is_enough);
    // Whether somebody may see it if a commit comes now rather than later.
    bool IsAwaited(std::chrono::steady_clock::time_point now) const;
    // Gathers until a commit is due. False: there is nothing more to come.
    Result<bool> Gather(Applier& applier, BoundedQueue<ChangeBatch>& queue, ChangeBatch first,
                        std::stop_token stop);
    // Tells the observer whether the line keeps up.
    void ShowPace();
    Status CopyTable(StreamSource& source, const SourceTable& described, StreamState::Table& table,
                     std::stop_token stop, const std::function<bool()>& is_enough);

    Warehouse& warehouse_;
    const LineOptions options_;
    LineObserver& observer_;
    StreamState state_;
    // Of the line's own position; while it is there, a copy is exact.
    std::unique_ptr<SnapshotReader> snapshot_;
    bool is_exact_ = false;
    // Of targets that were made for the copy that goes on: the columns they were made for.
    std::map<std::string, std::vector<Column>> prepared_;
    std::string copying_;  // the table that was begun last
    bool has_lost_history_ = false;
    StreamPace pace_;

    // What was received and cannot be seen yet: the order of its commit and when that was.
    struct Waiting {
        std::uint64_t order;
        Micros commit_time;
    };
    mutable std::mutex mutex_;
    std::deque<Waiting> waiting_;  // guarded by mutex_
    Micros all_seen_at_ = 0;       // guarded by mutex_

    mutable std::atomic<std::chrono::steady_clock::time_point> awaited_at_{};  // HasApplied
    std::atomic<std::uint64_t> durable_order_ = 0;
    std::atomic<std::uint64_t> received_order_ = 0;
    // No changes up to here are still to be received.
    std::atomic<std::uint64_t> passed_order_ = 0;
    std::atomic<std::int64_t> rows_copied_ = 0;
    std::uint64_t copied_unrepresentable_ = 0;  // of the copies of this process
    std::atomic<std::uint64_t> changes_applied_ = 0;
    std::atomic<std::uint64_t> rows_total_ = 0;
    std::atomic<std::size_t> queue_bytes_ = 0;
    std::atomic<bool> progressed_ = false;
};

}  // namespace biwa
