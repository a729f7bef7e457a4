#include "warehouse/duckdb/checkpointer.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "warehouse/duckdb/session.h"

namespace biwa::duck {

namespace {

// A transaction that is begun while the same thread has another one open would wait for itself.
constexpr auto kPatience = std::chrono::seconds(60);
// Without room the engine fails in the midst of a fold and can only be opened anew, and the next
// commit would fold again. A fold writes less than the log has, but for row groups of which much
// was deleted, which it puts together: 40 MB after a quarter of 3 million rows with a log of 6 MB.
constexpr std::uint64_t kRoomBesideLog = 32'000'000;

// Of the blocks with the catalogue those that the next checkpoint may write: it uses their free
// places, and makes more free only when it ends.
Result<std::vector<std::int64_t>> BlocksAtRisk(duckdb_connection connection) {
    auto statement = BIWA_TRY(
        Prepare(connection, "SELECT block_id FROM pragma_metadata_info() WHERE free_blocks > 0"));
    const auto rows = BIWA_TRY(Stream(connection, std::move(statement), nullptr));
    std::vector<std::int64_t> blocks;
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            blocks.push_back(block->columns[0].Get<std::int64_t>(row));
        }
    }
    return blocks;
}

}  // namespace

Status Checkpointer::Start(duckdb_connection keeper) {
    if (warehouse_.empty()) return {};
    file_ = OpenFile(::open(warehouse_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) {
        return Unavailable(
            fmt::format("cannot read {}: {}", warehouse_.string(), std::strerror(errno)));
    }
    keeper_ = keeper;
    return {};
}

std::uint64_t Checkpointer::log_bytes() const {
    if (warehouse_.empty()) return 0;
    std::error_code none;
    const auto bytes = std::filesystem::file_size(warehouse_.string() + ".wal", none);
    return none ? 0 : bytes;
}

void Checkpointer::Enter(Who who) {
    std::unique_lock lock(mutex_);
    if (who == Who::kBeside && log_bytes() > due_at_ + log_bytes_max_) {
        changed_.wait_for(lock, kPatience,
                          [&] { return !is_closed_ && (open_ == 0 || log_bytes() < due_at_); });
        FoldIfDue(lock);
    }
    changed_.wait(lock, [&] { return !is_closed_; });
    ++open_;
}

void Checkpointer::Leave(bool has_committed) {
    std::unique_lock lock(mutex_);
    --open_;
    if (has_committed) FoldIfDue(lock);
    lock.unlock();
    changed_.notify_all();
}

Status Checkpointer::Fold() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !is_closed_; });
    if (open_ > 0) return Fail(ErrorKind::kConflict, "a transaction of the warehouse is open");
    return FoldAlone(lock);
}

void Checkpointer::FoldIfDue(std::unique_lock<std::mutex>& lock) {
    if (is_closed_ || open_ > 0 || log_bytes() < due_at_) return;
    if (const auto folded = FoldAlone(lock); !folded) {
        LogWarn("the log of {} could not be folded into it: {}", warehouse_.string(),
                folded.error().ToString());
    }
}

Status Checkpointer::FoldAlone(std::unique_lock<std::mutex>& lock) {
    is_closed_ = true;
    lock.unlock();
    auto folded = FoldNow();
    lock.lock();
    // What failed is not tried again with each commit.
    due_at_ = folded ? log_bytes_max_ : log_bytes() + log_bytes_max_;
    is_closed_ = false;
    changed_.notify_all();
    return folded;
}

Status Checkpointer::CheckRoom() const {
    std::error_code none;
    const auto disk = std::filesystem::space(warehouse_, none);
    const auto needed = log_bytes() + kRoomBesideLog;
    if (none || disk.available >= needed) return {};
    return Unavailable(
        fmt::format("folding the log of {} needs {} on its disk, where {} are free",
                    warehouse_.string(), HumanBytes(needed), HumanBytes(disk.available)),
        "Free some disk space.");
}

Status Checkpointer::FoldNow() {
    if (log_bytes() == 0) return {};
    BIWA_TRY(CheckRoom());
    const auto began = std::chrono::steady_clock::now();
    const auto blocks = BIWA_TRY(BlocksAtRisk(keeper_));
    const auto copied = BIWA_TRY(KeepCheckpointCopy(file_.get(), warehouse_, blocks));
    // After an error the engine has given up, and the copy is for the next start.
    BIWA_TRY(Execute(keeper_, "CHECKPOINT"));
    DropCheckpointCopy(warehouse_);
    LogDebug("{}: its log was folded in {} ms; {} bytes were copied before", warehouse_.string(),
             std::chrono::duration_cast<std::chrono::milliseconds>(
                 std::chrono::steady_clock::now() - began)
                 .count(),
             copied);
    return {};
}

}  // namespace biwa::duck
