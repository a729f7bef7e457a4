// Brings tables into a stream that is running: copies them beside it on a line of their own
// (stream_line.h), follows their changes, and ends at a position from which the stream can go on
// with them. The stream loses no time to it, and readers see the old rows until the new ones are
// whole.
#pragma once

#include <atomic>
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
#include "replication/stream_line.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

class TableJoiner final : private LineObserver {
  public:
    using OpenSource = std::function<Result<std::unique_ptr<StreamSource>>()>;
    // Is told what happens to a table, by its name at the source; from the joiner's thread.
    using OnTableChanged =
        std::function<void(const std::string& table, TablePhase phase, std::int64_t rows)>;

    // `options` are those of the line. `tables`: names at the source. `wake` is called when the
    // line has caught up or has failed.
    TableJoiner(Warehouse& warehouse, LineOptions options, OpenSource open_source,
                std::vector<std::string> tables, std::chrono::milliseconds retry_first,
                OnTableChanged on_table, std::function<void()> wake);
    // Stops. What was done so far is gone on with by the next joiner of the stream.
    ~TableJoiner() override;
    TableJoiner(const TableJoiner&) = delete;
    TableJoiner& operator=(const TableJoiner&) = delete;

    // Whether all changes so far are in the copies: it is worth calling FinishAt.
    bool is_ready() const { return is_ready_; }
    // How far it is, and in which attempt of all joiners: each may have made the copies anew.
    std::uint64_t durable_order() const { return line_.durable_order(); }
    int attempt() const { return attempt_; }
    const std::vector<std::string>& tables() const { return tables_; }
    // Set when it has given up.
    std::optional<Error> failed() const;
    std::int64_t rows_copied() const { return line_.rows_copied(); }
    std::uint64_t rows_total() const { return line_.rows_total(); }

    // Goes on until everything up to `position` is in the copies, ends there, and tells where that
    // is. Nothing when it takes longer than `timeout`, or is stopped: the line then follows on.
    std::optional<StreamState> FinishAt(const Position& position, std::chrono::milliseconds timeout,
                                        std::stop_token stop);

  private:
    void Run(std::stop_token stop);
    Status Attempt(std::stop_token stop);
    Status GiveUp(const Error& error);

    void OnState(StreamStatus::State state) override;
    void OnTable(const std::string& source_name, TablePhase phase, const std::string& reason,
                 std::int64_t rows_copied) override;
    void OnCopied(const TableName&) override {}
    void OnChanges(const ChangeBatch&) override {}
    void OnCommit(const Applier::Applied&) override {}
    void OnUnrepresentable(std::uint64_t) override {}

    Warehouse& warehouse_;
    const LineOptions options_;
    const OpenSource open_source_;
    const std::vector<std::string> tables_;
    const std::chrono::milliseconds retry_first_;
    const OnTableChanged on_table_;
    const std::function<void()> wake_;
    StreamLine line_;

    std::atomic<bool> is_ready_ = false;
    std::atomic<int> attempt_ = 0;
    std::atomic<std::uint64_t> finish_at_ = 0;  // 0: not asked for
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    bool is_finished_ = false;     // guarded by mutex_
    std::optional<Error> failed_;  // guarded by mutex_
    std::jthread thread_;
};

}  // namespace biwa
