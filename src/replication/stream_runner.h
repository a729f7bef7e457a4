// Keeps one stream going: starts it, copies its tables, follows their changes, takes in tables that
// come later, and begins again after whatever broke. Threads: one that does all this and writes,
// one that reads changes while they are followed, one that looks how far the source is and what
// tables it has; while tables are copied beside the stream, those of a TableJoiner.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "replication/log_guard.h"
#include "replication/stream_line.h"
#include "replication/stream_reconciler.h"
#include "replication/stream_state.h"
#include "replication/stream_status.h"
#include "replication/stream_tables.h"
#include "replication/table_joiner.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct StreamOptions {
    std::string name;
    TargetDataset dataset;
    std::vector<std::string> tables;   // patterns
    std::vector<std::string> exclude;  // "schema.table", "schema.prefix*"
    std::vector<std::string> history;  // those of them whose history is kept
    SnapshotOptions snapshot;
    // Changes become visible at most this often, unless many wait: a commit costs, and each makes
    // dashboards and models look again.
    std::chrono::milliseconds commit_every{100};
    std::size_t queue_bytes_max = 32 << 20;
    LogGuard log_guard;
    // The first wait after an error; each further one is twice as long, up to half a minute.
    std::chrono::milliseconds retry_first{500};
    // How often to look for tables that have come, gone or changed.
    std::chrono::milliseconds discover_every{10'000};
    // When the source does not have the changes any more: copy all tables anew. Else stop.
    bool recopy_when_lost = false;
    // How often all tables are compared with the source, and whether what differs is read anew; 0:
    // only when asked.
    std::chrono::milliseconds reconcile_every{0};
    bool reconcile_repairs = false;
};

// What somebody asks of a running stream.
enum class StreamRequest { kRecopy, kPause, kResume };

class StreamRunner final : private LineObserver {
  public:
    // Opens the source's end of a line of the stream (its own, or JoinName of it).
    using OpenSource =
        std::function<Result<std::unique_ptr<StreamSource>>(const std::string& line)>;
    // Called after each commit with the tables that changed, from the stream's thread.
    using OnChanged = std::function<void(const std::vector<TableName>&)>;

    StreamRunner(Warehouse& warehouse, StreamOptions options, OpenSource open_source,
                 OnChanged on_changed);
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

    // Takes away what a stream that does not run has at its source, its tables and its books.
    static Status Remove(Warehouse& warehouse, const std::string& stream,
                         const TargetDataset& dataset, const OpenSource& open_source);

  private:
    void Run(std::stop_token stop);
    // One attempt: until an error, a stop, or until the stream is paused.
    Status Attempt(std::stop_token stop);
    Status Begin(StreamSource& source);
    Status StartOver(StreamSource& source, const Error& lost);
    // Does what was asked for.
    void Answer();
    Status Fulfil(StreamRequest request, const std::vector<std::string>& tables);
    // Has the stream's thread do it between two batches, and waits for that.
    Status OnThread(const std::function<Status(StreamLine&)>& work);
    Result<std::vector<std::string>> SourceNames(const std::vector<std::string>& tables) const;
    ReconcileHost HostOfReconciler();
    // Stands still until it is woken; false when stopped.
    bool StandStill(std::stop_token stop);
    // Brings the stream's tables in line with those of the source.
    Status Adjust(StreamSource& source);
    Status Publish(StreamSource& source, std::vector<TableStep>& steps);
    Status Carry(const TableStep& step);
    // Those of the stream's tables that their columns have become unfit to be followed.
    Result<std::vector<TableStep>> CompareColumns();
    // Has those that wait copied beside the stream, and takes over those that were; whether any
    // was.
    Result<bool> Join();
    Status TakeOver(const StreamState& joined);
    Status ForgetJoined(bool only_if_leaving);
    void Watch(std::stop_token stop);
    void Look(StreamSource& source);
    // What the source keeps for the stream, against the guard's limits. By the watcher.
    void Guard(StreamSource& source, std::uint64_t retained_bytes);
    // Makes the source keep nothing more for a stream that was given up: its next start is its
    // first.
    Status GiveUp(StreamSource& source);
    void Show(const std::vector<SourceTable>& found);

    LineOptions OptionsOf(const std::string& line, bool beside) const;
    template <typename Edit>
    void EditTable(const std::string& source_name, const Edit& edit);
    void ShowPhase(const std::string& source_name, TablePhase phase, const std::string& reason,
                   std::int64_t rows_copied);

    void OnState(StreamStatus::State state) override;
    void OnTable(const std::string& source_name, TablePhase phase, const std::string& reason,
                 std::int64_t rows_copied) override;
    void OnCopied(const TableName& target) override;
    void OnChanges(const ChangeBatch& batch) override;
    void OnCommit(const Applier::Applied& applied) override;
    void OnUnrepresentable(std::uint64_t count) override;

    Warehouse& warehouse_;
    const StreamOptions options_;
    const OpenSource open_source_;
    const OnChanged on_changed_;
    StreamLine line_;

    struct Question {
        StreamRequest request;
        std::vector<std::string> tables;
        std::function<Status(StreamLine&)> work;  // instead of a request
        std::promise<Status> answer;
    };

    mutable std::mutex mutex_;  // guards the four below
    bool is_over_ = false;      // nobody answers questions any more
    StreamStatus status_;
    std::string signature_;  // of the tables that the stream's thread has seen
    std::vector<Question> questions_;

    // The guard has said that the stream must stop: when Run has ended, the slot goes.
    std::atomic<bool> given_up_ = false;
    std::atomic<bool> running_ = true;
    std::atomic<bool> wake_ = false;  // the stream's thread has something to do besides following
    std::vector<SourceTable> found_;
    std::map<std::string, std::string> compared_;  // by table: the signature that its target fits
    std::unique_ptr<TableJoiner> joiner_;
    std::mutex joiner_mutex_;  // guards joiner_ against the watcher, and the one below
    std::chrono::steady_clock::time_point join_not_before_{};  // after a joiner has given up

    std::unique_ptr<StreamReconciler> reconciler_;  // all its life, and used by its thread
    std::jthread watcher_;
    std::jthread thread_;
};

}  // namespace biwa
