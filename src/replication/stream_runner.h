// Keeps one stream going: starts it, copies its tables, follows their changes, and begins again
// after whatever broke. Threads: one that does all this and writes, one that reads changes while
// they are followed, one that looks how far the source is and what it keeps for the stream.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/result.h"
#include "replication/applier.h"
#include "replication/log_guard.h"
#include "replication/snapshot_loader.h"
#include "replication/stream_state.h"
#include "replication/stream_status.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct StreamOptions {
    std::string name;
    std::string dataset;
    std::vector<std::string> tables;   // patterns
    std::vector<std::string> exclude;  // "schema.table", "schema.prefix*"
    SnapshotOptions snapshot;
    // Changes become visible at most this often, unless many wait: a commit costs, and each makes
    // dashboards and models look again.
    std::chrono::milliseconds commit_every{100};
    std::size_t queue_bytes_max = 32 << 20;
    LogGuard log_guard;
    // The first wait after an error; each further one is twice as long, up to half a minute.
    std::chrono::milliseconds retry_first{500};
};

class StreamRunner {
  public:
    using OpenSource = std::function<Result<std::unique_ptr<StreamSource>>()>;
    // Called after each commit with the tables that changed, from the stream's thread.
    using OnChanged = std::function<void(const std::vector<TableName>&)>;

    StreamRunner(Warehouse& warehouse, StreamOptions options, OpenSource open_source,
                 OnChanged on_changed);
    // Stops and waits; what was taken in and not committed is read again next time.
    ~StreamRunner();
    StreamRunner(const StreamRunner&) = delete;
    StreamRunner& operator=(const StreamRunner&) = delete;

    StreamStatus status() const;

  private:
    void Run(std::stop_token stop);
    // One attempt: until an error or a stop.
    Status Attempt(std::stop_token stop);
    Result<std::vector<SourceTable>> ChooseTables(StreamSource& source);
    Status Begin(StreamSource& source, const std::vector<SourceTable>& tables, StreamState& state,
                 std::unique_ptr<SnapshotReader>& snapshot);
    Status Adjust(StreamSource& source, const std::vector<SourceTable>& tables, StreamState& state);
    Status Copy(StreamSource& source, const std::vector<SourceTable>& tables, StreamState& state,
                std::unique_ptr<SnapshotReader> snapshot, std::stop_token stop);
    Status Follow(StreamSource& source, const std::vector<SourceTable>& tables,
                  const StreamState& state, std::stop_token stop);
    Status ApplyQueue(StreamSource& source, const StreamState& state,
                      BoundedQueue<ChangeBatch>& queue, std::stop_token stop);
    void Watch(std::stop_token stop);
    // What the source keeps for the stream, against the guard's limits. By the watcher.
    void Guard(StreamSource& source, std::uint64_t retained_bytes);
    // Makes the source keep nothing more for a stream that was given up: its next start is its
    // first.
    void GiveUp(StreamSource& source, std::uint64_t retained_bytes);

    void SetState(StreamStatus::State state);
    template <typename Edit>
    void EditTable(const std::string& source_name, const Edit& edit);

    Warehouse& warehouse_;
    const StreamOptions options_;
    const OpenSource open_source_;
    const OnChanged on_changed_;

    // What was received and cannot be seen yet: the order of its commit and when that was.
    struct Waiting {
        std::uint64_t order;
        Micros commit_time;
    };

    mutable std::mutex mutex_;  // guards the two below
    StreamStatus status_;
    std::deque<Waiting> waiting_;

    std::atomic<std::uint64_t> durable_order_ = 0;
    std::atomic<std::uint64_t> received_order_ = 0;
    std::atomic<std::int64_t> rows_copied_ = 0;
    std::atomic<std::uint64_t> changes_applied_ = 0;
    std::atomic<std::uint64_t> rows_total_ = 0;
    std::atomic<std::uint64_t> queue_bytes_ = 0;
    // The guard has said that the stream must stop: when Run has ended, the slot goes.
    std::atomic<bool> given_up_ = false;
    std::atomic<bool> running_ = true;
    // A commit of any kind has succeeded since the last error: retries may be quick again.
    std::atomic<bool> progressed_ = false;

    std::jthread watcher_;
    std::jthread thread_;
};

}  // namespace biwa
