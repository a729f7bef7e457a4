// When the log of a DuckDB file is folded into it, and how, so that a kill or a power failure in
// the middle loses nothing (checkpoint_copy.h).
//
// DuckDB's own automatic checkpoints are off. The log is folded by whoever commits when it has
// grown to its limit and no other transaction is open; until it is folded, nobody begins one.
// Without room on the disk the log is kept: an engine that runs out of it in a fold is beyond use.
// While one is open all the time, those beside the writer wait, from twice the limit on: the log
// grows beyond that by what is written during the longest transaction.
#pragma once

#include <duckdb.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>

#include "base/result.h"
#include "warehouse/duckdb/checkpoint_copy.h"

namespace biwa::duck {

// Thread-safe. Outlives the engine's hold on the file.
class Checkpointer {
  public:
    // The file, empty when in memory: nothing is folded then.
    Checkpointer(std::filesystem::path warehouse, std::uint64_t log_bytes_max)
        : warehouse_(std::move(warehouse)), log_bytes_max_(log_bytes_max), due_at_(log_bytes_max) {}

    // Once the engine has opened the file. `keeper` is for folding, and for nothing else.
    Status Start(duckdb_connection keeper);

    // Around each transaction that may write. The writer is let in as soon as nothing is folded.
    enum class Who { kWriter, kBeside };
    void Enter(Who who);
    // After the engine has ended it. Folds the log when it is time.
    void Leave(bool has_committed);

    // Folds it now. kConflict: a transaction is open.
    Status Fold();

    std::uint64_t log_bytes() const;
    // The warehouse, open for reading; below zero when it is in memory.
    int file() const { return file_.get(); }

  private:
    void FoldIfDue(std::unique_lock<std::mutex>& lock);
    // Keeps everybody out meanwhile, without the lock.
    Status FoldAlone(std::unique_lock<std::mutex>& lock);
    Status FoldNow();
    Status CheckRoom() const;

    const std::filesystem::path warehouse_;
    const std::uint64_t log_bytes_max_;
    OpenFile file_;
    duckdb_connection keeper_ = nullptr;

    std::mutex mutex_;
    std::condition_variable changed_;
    int open_ = 0;
    bool is_closed_ = false;
    std::uint64_t due_at_;  // bytes of the log
};

}  // namespace biwa::duck
