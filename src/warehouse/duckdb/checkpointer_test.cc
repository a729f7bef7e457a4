#include "warehouse/duckdb/checkpointer.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/testing.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class CheckpointerTest : public testing::Test {
  protected:
    CheckpointerTest() {
        options_.path = folder_.path() / "w.duckdb";
        options_.checkpoint_bytes = 64 << 10;
        warehouse_ = OpenDuckDb(options_).value();
        Write(*warehouse_->Begin().value(), "CREATE TABLE t (i BIGINT)");
        EXPECT_TRUE(warehouse_->Checkpoint());
    }

    std::uint64_t LogBytes() {
        std::error_code none;
        const auto bytes = fs::file_size(options_.path.string() + ".wal", none);
        return none ? 0 : bytes;
    }
    static void Write(WriteTransaction& transaction, const std::string& sql) {
        const auto done = transaction.Execute(sql);
        ASSERT_TRUE(done) << done.error().ToString();
        ASSERT_TRUE(transaction.Commit());
    }
    // 8 bytes a row in the log.
    void WriteRows(int rows) {
        const auto transaction = warehouse_->Begin().value();
        Write(*transaction, "INSERT INTO t SELECT i FROM range(" + std::to_string(rows) + ") r(i)");
    }

    TempFolder folder_;
    DuckDbOptions options_;
    std::unique_ptr<Warehouse> warehouse_;
};

TEST_F(CheckpointerTest, TheLogIsFoldedWhenItHasGrownToItsLimit) {
    WriteRows(1'000);
    EXPECT_GT(LogBytes(), 8'000u);
    WriteRows(10'000);
    EXPECT_EQ(LogBytes(), 0u);
    EXPECT_FALSE(fs::exists(duck::CheckpointCopyPath(options_.path)));
}

TEST_F(CheckpointerTest, NothingIsFoldedWhileAnotherTransactionIsOpen) {
    auto beside = warehouse_->BeginBeside().value();
    WriteRows(10'000);
    EXPECT_GT(LogBytes(), options_.checkpoint_bytes);
    const auto folded = warehouse_->Checkpoint();
    ASSERT_FALSE(folded);
    EXPECT_EQ(folded.error().kind, ErrorKind::kConflict);
    Write(*beside, "CREATE TABLE u AS SELECT 1 AS i");
    EXPECT_EQ(LogBytes(), 0u);
}

TEST_F(CheckpointerTest, FromTwiceTheLimitOnThoseBesideWaitForTheFold) {
    const auto bench = warehouse_->OpenWorkbench().value();
    auto build = bench->Begin().value();
    while (LogBytes() <= 2 * options_.checkpoint_bytes) WriteRows(5'000);
    std::atomic<bool> is_in = false;
    std::uint64_t log_bytes = 1;
    std::thread next([&] {
        const auto beside = warehouse_->BeginBeside().value();
        log_bytes = LogBytes();
        is_in = true;
    });
    std::this_thread::sleep_for(200ms);
    EXPECT_FALSE(is_in);
    // The writer does not.
    WriteRows(10);
    build.reset();
    next.join();
    EXPECT_EQ(log_bytes, 0u);
}

// The engine's lock on the file is one that goes with any descriptor that is closed.
TEST_F(CheckpointerTest, AFoldDoesNotLetOtherProcessesIn) {
    WriteRows(10'000);
    ASSERT_EQ(LogBytes(), 0u);
    const auto child = ::fork();
    if (child == 0) {
        const auto second = OpenDuckDb(options_);
        ::_exit(second || second.error().kind != ErrorKind::kConflict ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(CheckpointerTest, WithoutRoomForTheCopyTheLogIsKeptAndWorkGoesOn) {
    // A folder in the copy's place: it cannot be written.
    const auto copy = duck::CheckpointCopyPath(options_.path);
    fs::create_directories(copy / "in the way");
    WriteRows(10'000);
    EXPECT_GT(LogBytes(), options_.checkpoint_bytes);
    WriteRows(10);
    fs::remove_all(copy);
    WriteRows(10);
    EXPECT_GT(LogBytes(), options_.checkpoint_bytes) << "it is tried again later";
    WriteRows(10'000);
    EXPECT_EQ(LogBytes(), 0u);
}

// An engine that runs out of room in a fold is beyond use, and so would be the next.
TEST(CheckpointerOnASmallDiskTest, WithoutRoomForTheFoldTheLogIsKeptAndWorkGoesOn) {
    TempFolder folder;
    const auto& disk = folder.path();
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64m") != 0) {
        GTEST_SKIP() << "only root can mount a small file system";
    }
    {
        DuckDbOptions options;
        options.path = disk / "w.duckdb";
        options.checkpoint_bytes = 1 << 20;
        const auto warehouse = OpenDuckDb(options).value();
        const auto write = [&](const std::string& sql) {
            const auto transaction = warehouse->Begin().value();
            return transaction->Execute(sql) && transaction->Commit();
        };
        const std::string rows = "INSERT INTO t SELECT hash(i) FROM range(100000) r(i)";
        ASSERT_TRUE(write("CREATE TABLE t (i UBIGINT)"));
        // Room for the log of all below, and for half of what folding it writes.
        std::ofstream filler(disk / "filler");
        const auto megabytes = (fs::space(disk).available >> 20) - 5;
        for (std::uintmax_t i = 0; i < megabytes; ++i) filler << std::string(1 << 20, 'x');
        filler.flush();
        for (int i = 0; i < 4; ++i) ASSERT_TRUE(write(rows)) << i;
        EXPECT_GT(fs::file_size(disk / "w.duckdb.wal"), 3u << 20);
        ASSERT_FALSE(warehouse->Checkpoint());
        EXPECT_EQ(warehouse->Checkpoint().error().kind, ErrorKind::kUnavailable);
        // Until there is none for the log either: that changes nothing.
        while (write(rows)) {
        }
        filler.close();
        fs::remove(disk / "filler");
        ASSERT_TRUE(write(rows));
        ASSERT_TRUE(warehouse->Checkpoint());
        EXPECT_FALSE(fs::exists(disk / "w.duckdb.wal"));
    }
    ::umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace biwa
