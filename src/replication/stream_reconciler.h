// When a stream is compared with its source, and what is remembered of it. On a thread of its own,
// with connections of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "replication/key_watch.h"
#include "replication/reconciler.h"
#include "replication/reconciliation.h"
#include "replication/stream_line.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// The stream, as its reconciler sees it. From the reconciler's thread.
struct ReconcileHost {
    std::function<Result<std::unique_ptr<StreamSource>>()> open_source;
    // Those at the source that the stream is made of.
    std::function<Result<std::vector<SourceTable>>(StreamSource&)> find_tables;
    // By its name at the source.
    std::function<bool(const std::string&)> is_live;
    // Whether it follows its source without delay.
    std::function<bool()> is_streaming;
    // kConflict when the stream has stopped.
    std::function<Result<bool>(const Position&)> has_applied;
    // Does it on the stream's thread, between batches. kUnavailable when the stream has stopped.
    std::function<Status(const std::function<Status(StreamLine&)>&)> on_stream_thread;
    std::function<void(const TableName&)> on_changed;
};

class StreamReconciler {
  public:
    // `every` 0: only when asked. All outlive it.
    StreamReconciler(Warehouse& warehouse, std::string stream, TargetDataset dataset,
                     std::chrono::milliseconds every, bool repair, ReconcileHost host);
    ~StreamReconciler();
    StreamReconciler(const StreamReconciler&) = delete;
    StreamReconciler& operator=(const StreamReconciler&) = delete;

    // Begins to compare these tables (names at the source; none: all). kConflict while it compares.
    Status Begin(const std::vector<std::string>& tables, bool repair);
    // Begins to read the keys of the range anew. kConflict as above.
    Status BeginBackfill(const std::string& table, const KeyRange& range);
    Reconciliation status() const;
    // Ends what it does. Before the stream's thread is joined, which it may be waiting for.
    void Stop();

    // What was found of a table that goes. From any thread.
    Status Forget(WriteTransaction& transaction, const std::string& schema,
                  const std::string& name);

    // What the stream tells of itself, on its thread.
    KeyWatch& watch() { return watch_; }

  private:
    struct Request {
        std::vector<std::string> tables;
        bool repair = false;
        std::optional<KeyRange> range = {};  // to be read anew, whatever differs
    };

    Status Begin(Request request);

    void Run(std::stop_token stop);
    // Until it is asked or due; nothing when stopped.
    std::optional<Request> WaitForRequest(std::stop_token stop);
    Status CompareAll(const Request& request, std::stop_token stop);
    Status ReadAnew(const Request& request, std::stop_token stop);
    void ShowParts(std::size_t done, std::size_t all);
    Status Repair(StreamSource& source, const SourceTable& table, const TableName& target,
                  const std::vector<std::vector<std::string>>& keys);
    Status ReadResults();
    Status SaveResult(const SourceTable& table, const TableComparison& result);
    Status ForgetResult(WriteTransaction& transaction, const std::string& schema,
                        const std::string& name);

    Warehouse& warehouse_;
    const std::string stream_;
    const TargetDataset dataset_;
    const std::chrono::milliseconds every_;
    const bool repair_when_due_;
    const ReconcileHost host_;
    KeyWatch watch_;

    mutable std::mutex mutex_;  // guards the two below
    std::condition_variable_any asked_;
    std::optional<Request> request_;
    Reconciliation status_;

    std::jthread thread_;
};

}  // namespace biwa
