// Keeps one stream going: starts it, copies its tables, follows their changes, and begins again
// after whatever broke.
//
// Its parts: a line (stream_line.h) copies and follows; a keeper (table_keeper.h) keeps the tables
// those of the source; an intake (table_intake.h) takes in tables that come later; a watch
// (stream_watch.h) looks on; a reconciler compares; a board (stream_board.h) says how all is.
//
// Threads: one that does all this and writes, one that reads changes while they are followed, one
// of the watch, one of the reconciler; while tables are copied beside the stream, those of a
// TableJoiner.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "replication/errands.h"
#include "replication/stream_board.h"
#include "replication/stream_line.h"
#include "replication/stream_options.h"
#include "replication/stream_reconciler.h"
#include "replication/stream_state.h"
#include "replication/stream_status.h"
#include "replication/stream_watch.h"
#include "replication/table_intake.h"
#include "replication/table_keeper.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

class StreamRunner final : private LineObserver {
  public:
    StreamRunner(Warehouse& warehouse, StreamOptions options, OpenStreamSource open_source,
                 OnTablesChanged on_changed);
    // Stops and waits; what was taken in and not committed is read again next time.
    ~StreamRunner() override;
    StreamRunner(const StreamRunner&) = delete;
    StreamRunner& operator=(const StreamRunner&) = delete;

    StreamStatus status() const;

    // `tables`: names in the warehouse or at the source ("answers", "public.answers"); none means
    // the stream itself for kPause and kResume, and all tables for kRecopy. Returns when it is
    // written down, and so will be done even after a crash. From any thread.
    Status Ask(StreamRequest request, const std::vector<std::string>& tables,
               std::chrono::milliseconds timeout = std::chrono::milliseconds(10'000));

    // Begins to compare tables with the source, named as for Ask; status() says what comes of it.
    // kConflict while it is being done. From any thread.
    Status Reconcile(const std::vector<std::string>& tables, bool repair);

    // Begins to read the rows of these keys of a table, named as for Ask, anew; else as above.
    Status Backfill(const std::string& table, const KeyRange& range);

    // Takes away the tables and the books of a stream that does not run. Before those of each of
    // its lines `remove_at_source` is called, should it have begun there.
    static Status Remove(Warehouse& warehouse, const std::string& stream,
                         const TargetDataset& dataset,
                         const std::function<Status(const std::string& line)>& remove_at_source);

  private:
    Status CheckRuns() const;  // kConflict: it has stopped
    void Run(std::stop_token stop);
    // One attempt: until an error, a stop, or until the stream is paused.
    Status Attempt(std::stop_token stop);
    Status Begin(StreamSource& source);
    Status StartOver(StreamSource& source, const Error& lost);
    Status Fulfil(StreamRequest request, const std::vector<std::string>& tables);
    Status DropGone(const std::vector<StreamState::Table*>& tables);
    Status DropTables(const std::vector<StreamState::Table*>& tables);
    // Stands still until it is woken; false when stopped.
    bool StandStill(std::stop_token stop);
    // Makes the source keep nothing more for a stream that was given up: its next start is its
    // first.
    Status GiveUp(StreamSource& source);
    ReconcileHost HostOfReconciler();
    WatchHost HostOfWatch();

    void OnState(StreamStatus::State state) override;
    void OnTable(const std::string& source_name, TablePhase phase, const std::string& reason,
                 std::int64_t rows_copied) override;
    void OnCopied(const TableName& target) override;
    void OnChanges(const ChangeBatch& batch) override;
    void OnCommit(const Applier::Applied& applied) override;
    void OnUnrepresentable(std::uint64_t count) override;

    Warehouse& warehouse_;
    const StreamOptions options_;
    const OpenStreamSource open_source_;
    const OnTablesChanged on_changed_;

    StreamBoard board_;
    StreamLine line_;
    TableIntake intake_;
    TableKeeper keeper_;
    Errands errands_;                 // of the stream's thread
    std::atomic<bool> wake_ = false;  // the stream's thread has something to do besides following
    std::atomic<bool> has_ended_ = false;

    StreamReconciler reconciler_;
    StreamWatch watch_;
    std::jthread thread_;
};

}  // namespace biwa
