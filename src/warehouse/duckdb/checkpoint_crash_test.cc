// Folding the log into the file, ended at every call that changes a file, and at random moments.
//
// This program's own pwrite, write, fsync, ftruncate, remove and unlink stand before the system's,
// for the engine too. A child folds; at a chosen call it dies, with a part of that write done. When
// the power is to fail, pages that were not synced are there, not there, or garbage.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/testing.h"
#include "warehouse/duckdb/checkpoint_copy.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace {

constexpr std::size_t kPage = 4096;

struct Crash {
    std::atomic<bool> is_armed = false;
    std::mutex mutex;
    int last_call = 0;
    double part = 0;  // of the last call's bytes that is written
    bool power_fails = false;
    std::mt19937 random;

    int calls = 0;
    struct Write {
        int file;
        off_t at;
        std::string before;
    };
    std::vector<Write> unsynced;
    std::vector<std::string> removed;

    void Arm(int call, double written_part, bool with_power, unsigned seed) {
        last_call = call;
        part = written_part;
        power_fails = with_power;
        random.seed(seed);
        is_armed = true;
    }
    bool IsLast() { return ++calls == last_call; }
    bool Chance(double chance) { return std::uniform_real_distribution<>(0, 1)(random) < chance; }

    void Remember(int file, off_t at, std::size_t size) {
        if (!power_fails) return;
        std::string before(size, '\0');
        const auto n = ::syscall(SYS_pread64, file, before.data(), size, at);
        before.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        before.resize(size);
        unsynced.push_back({file, at, std::move(before)});
    }
    [[noreturn]] void Die() {
        std::reverse(unsynced.begin(), unsynced.end());
        for (auto& write : unsynced) {
            for (std::size_t i = 0; i < write.before.size(); i += kPage) {
                auto page = write.before.substr(i, kPage);
                if (!Chance(0.5)) continue;
                if (Chance(0.2)) page.assign(page.size(), '\x5a');
                ::syscall(SYS_pwrite64, write.file, page.data(), page.size(),
                          write.at + static_cast<off_t>(i));
            }
        }
        for (const auto& path : removed) {
            if (Chance(0.5)) ::rename((path + ".removed").c_str(), path.c_str());
        }
        ::kill(::getpid(), SIGKILL);
        for (;;) ::pause();
    }
    void Remove(const char* path) {
        if (!power_fails) return;
        if (::link(path, (std::string(path) + ".removed").c_str()) == 0) removed.push_back(path);
    }
};

Crash crash;

}  // namespace

extern "C" {

ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
    if (crash.is_armed) {
        std::lock_guard lock(crash.mutex);
        crash.Remember(file, at, size);
        if (crash.IsLast()) {
            const auto part = static_cast<size_t>(static_cast<double>(size) * crash.part);
            ::syscall(SYS_pwrite64, file, bytes, size > kPage ? part / kPage * kPage : part, at);
            crash.Die();
        }
    }
    return ::syscall(SYS_pwrite64, file, bytes, size, at);
}

// The log, which is only appended to.
ssize_t write(int file, const void* bytes, size_t size) {
    if (crash.is_armed && file > 2) {
        std::lock_guard lock(crash.mutex);
        if (crash.IsLast()) {
            const auto part = static_cast<double>(size) * crash.part;
            ::syscall(SYS_write, file, bytes, static_cast<size_t>(part));
            crash.Die();
        }
    }
    return ::syscall(SYS_write, file, bytes, size);
}

int fsync(int file) {
    if (crash.is_armed) {
        std::lock_guard lock(crash.mutex);
        if (crash.IsLast()) crash.Die();
        std::erase_if(crash.unsynced, [&](const auto& write) { return write.file == file; });
    }
    return static_cast<int>(::syscall(SYS_fsync, file));
}

int ftruncate(int file, off_t size) noexcept {
    if (crash.is_armed) {
        std::lock_guard lock(crash.mutex);
        if (crash.IsLast()) crash.Die();
    }
    return static_cast<int>(::syscall(SYS_ftruncate, file, size));
}

int unlink(const char* path) noexcept {
    if (crash.is_armed) {
        std::lock_guard lock(crash.mutex);
        if (crash.IsLast()) crash.Die();
        crash.Remove(path);
    }
    return static_cast<int>(::syscall(SYS_unlink, path));
}

int remove(const char* path) noexcept {
    if (unlink(path) == 0) return 0;
    return errno == EISDIR ? ::rmdir(path) : -1;
}

}  // extern "C"

namespace biwa {
namespace {

namespace fs = std::filesystem;

constexpr int kTables = 15;

bool IsLong() { return std::getenv("BIWA_LONG") != nullptr; }

Status Execute(Warehouse& warehouse, const std::vector<std::string>& statements,
               bool is_beside = false) {
    const auto transaction = BIWA_TRY(is_beside ? warehouse.BeginBeside() : warehouse.Begin());
    for (const auto& statement : statements) BIWA_TRY(transaction->Execute(statement));
    return transaction->Commit();
}

Result<std::string> Ask(Warehouse& warehouse, const std::string& sql) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const auto rows = BIWA_TRY(session->Query(sql));
    std::string text;
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            text += std::string(block->columns[0].GetString(row)) + "\n";
        }
    }
    return text;
}

// All rows of all tables.
Result<std::string> Fingerprint(Warehouse& warehouse) {
    std::string sql;
    for (int i = 0; i < kTables; ++i) {
        sql += fmt::format(
            "{} SELECT '{} ' || count(*) || ' ' || coalesce(sum(hash(id, a, b, c))::VARCHAR, '') "
            "FROM t{}",
            i == 0 ? "" : " UNION ALL", i, i);
    }
    return Ask(warehouse, sql + " ORDER BY 1");
}

std::vector<std::string> MakeTables() {
    std::vector<std::string> statements;
    for (int i = 0; i < kTables; ++i) {
        statements.push_back(fmt::format(
            "CREATE TABLE t{} AS SELECT i AS id, 'some text ' || i % 97 AS a, i * {} AS b, NULL::"
            "TIMESTAMP AS c FROM range({}) r(i)",
            i, i + 1, i == 0 ? 130'000 : 400 * i));
    }
    return statements;
}

// Another batch of changes: every kind of them.
std::vector<std::string> Change(int batch) {
    std::vector<std::string> statements;
    for (int i = batch % 3; i < kTables; i += 3) {
        statements.push_back(fmt::format("DELETE FROM t{} WHERE id % 11 = {}", i, batch % 11));
        statements.push_back(
            fmt::format("UPDATE t{} SET b = b + {} WHERE id % 7 = {}", i, batch, batch % 7));
        statements.push_back(fmt::format(
            "INSERT INTO t{} SELECT -i, 'batch {}', i, now() FROM range(300) r(i)", i, batch));
    }
    statements.push_back(fmt::format("ALTER TABLE t{} RENAME COLUMN c TO d", batch % kTables));
    statements.push_back(fmt::format("ALTER TABLE t{} RENAME COLUMN d TO c", batch % kTables));
    return statements;
}

class CheckpointCrashTest : public testing::Test {
  protected:
    CheckpointCrashTest() { options_.path = root_ / "now" / "w.duckdb"; }

    void CopyFolder(const std::string& from, const std::string& to) {
        fs::remove_all(root_ / to);
        fs::copy(root_ / from, root_ / to, fs::copy_options::recursive);
    }

    // A file that was folded twice, and a log with more, in the folder "before".
    void Prepare() {
        fs::create_directory(root_ / "now");
        {
            const auto warehouse = OpenDuckDb(options_).value();
            ASSERT_TRUE(Execute(*warehouse, MakeTables()));
            for (int batch = 1; batch <= 3; ++batch) {
                ASSERT_TRUE(warehouse->Checkpoint());
                ASSERT_TRUE(Execute(*warehouse, Change(batch)));
            }
            expected_ = Fingerprint(*warehouse).value();
        }
        CopyFolder("now", "before");
    }

    // Whether the child died at that call; it folds to the end otherwise.
    bool FoldAndDie(int call, double part, bool power_fails, unsigned seed) {
        CopyFolder("before", "now");
        const auto child = ::fork();
        if (child == 0) {
            const auto warehouse = OpenDuckDb(options_);
            if (!warehouse) ::_exit(2);
            crash.Arm(call, part, power_fails, seed);
            const auto folded = (*warehouse)->Checkpoint();
            crash.is_armed = false;
            ::_exit(folded ? 0 : 3);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status)) {
            EXPECT_EQ(WTERMSIG(status), SIGKILL);
            return true;
        }
        EXPECT_EQ(WEXITSTATUS(status), 0) << "the fold failed";
        return false;
    }

    // What is in the folder opens, has everything, and can be gone on with.
    void ExpectAllThere(const std::string& where) {
        {
            const auto warehouse = OpenDuckDb(options_);
            ASSERT_TRUE(warehouse) << where << ": " << warehouse.error().ToString();
            EXPECT_FALSE(fs::exists(duck::CheckpointCopyPath(options_.path))) << where;
            const auto found = Fingerprint(**warehouse);
            ASSERT_TRUE(found) << where << ": " << found.error().ToString();
            ASSERT_EQ(*found, expected_) << where;
            const auto done = Execute(**warehouse, {"CREATE TABLE more AS SELECT 'there' AS a"});
            ASSERT_TRUE(done) << where << ": " << done.error().ToString();
            const auto folded = (*warehouse)->Checkpoint();
            ASSERT_TRUE(folded) << where << ": " << folded.error().ToString();
        }
        const auto warehouse = OpenDuckDb(options_);
        ASSERT_TRUE(warehouse) << where << ": " << warehouse.error().ToString();
        EXPECT_EQ(Ask(**warehouse, "SELECT a FROM more").value(), "there\n") << where;
        EXPECT_EQ(Fingerprint(**warehouse).value(), expected_) << where;
    }

    TempFolder folder_;
    const fs::path& root_ = folder_.path();
    DuckDbOptions options_;
    std::string expected_;
};

TEST_F(CheckpointCrashTest, AKillAtAnyCallLosesNothing) {
    Prepare();
    if (HasFatalFailure()) return;
    int torn = 0, calls = 0;
    for (const double part : {0.5, 0.0, 0.9}) {
        for (int call = 1; FoldAndDie(call, part, false, 0); ++call) {
            const auto where = fmt::format("call {}, {} of it", call, part);
            // Without the copy: what this test is worth.
            CopyFolder("now", "bare");
            fs::remove(duck::CheckpointCopyPath(root_ / "bare/w.duckdb"));
            DuckDbOptions bare;
            bare.path = root_ / "bare/w.duckdb";
            const auto opened = OpenDuckDb(bare);
            torn += opened && Fingerprint(**opened) == expected_ ? 0 : 1;
            ExpectAllThere(where);
            if (HasFatalFailure()) return;
            ++calls;
        }
        if (!IsLong()) break;
    }
    EXPECT_GT(calls, 15);
    EXPECT_GT(torn, 0) << "nothing was torn: this test sees nothing";
    std::printf("%d of %d are torn without the copy\n", torn, calls);
}

TEST_F(CheckpointCrashTest, AFailureOfThePowerAtAnyCallLosesNothing) {
    Prepare();
    if (HasFatalFailure()) return;
    const unsigned seeds = IsLong() ? 10 : 1;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        std::mt19937 random(seed);
        for (int call = 1;; ++call) {
            const double part = std::uniform_real_distribution<>(0, 1.2)(random);
            if (!FoldAndDie(call, std::min(part, 1.0), true, seed * 1000 + call)) break;
            ExpectAllThere(fmt::format("seed {}, call {}, {} of it", seed, call, part));
            if (HasFatalFailure()) return;
        }
    }
}

// Three threads that change tables of their own, each commit folding the log, until they are
// killed; what they say to have committed is there, and at most one more.
TEST_F(CheckpointCrashTest, KillsAtRandomMomentsLoseNothing) {
    constexpr int kThreads = 3;
    struct Counters {
        std::atomic<int> committed[kThreads];
        std::atomic<bool> is_open;
    };
    void* const shared = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    auto& counters = *new (shared) Counters();
    fs::create_directory(root_ / "now");
    {
        const auto warehouse = OpenDuckDb(options_).value();
        ASSERT_TRUE(Execute(*warehouse, MakeTables()));
        ASSERT_TRUE(Execute(*warehouse, {"CREATE TABLE done (thread INT, batch INT)"}));
    }
    options_.checkpoint_bytes = 1;
    const auto work = [&](Warehouse& warehouse, int thread) {
        for (;;) {
            const int batch = counters.committed[thread] + 1;
            std::vector<std::string> statements;
            for (int i = thread; i < kTables; i += kThreads) {
                statements.push_back(
                    fmt::format("UPDATE t{} SET b = {} WHERE id % 5 = {}", i, batch, batch % 5));
                statements.push_back(
                    fmt::format("DELETE FROM t{} WHERE a = 'batch {}'", i, batch - 2));
                statements.push_back(fmt::format(
                    "INSERT INTO t{} SELECT i, 'batch {}', {}, NULL FROM range(200) r(i)", i, batch,
                    batch));
            }
            statements.push_back(fmt::format("INSERT INTO done VALUES ({}, {})", thread, batch));
            const auto done = Execute(warehouse, statements, thread > 0);
            if (!done) {
                std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
                ::_exit(3);
            }
            counters.committed[thread] = batch;
        }
    };
    const char* const seed = std::getenv("BIWA_SEED");
    std::mt19937 random(seed != nullptr ? std::atoi(seed) : 1);
    const int kills = IsLong() ? 400 : 50;
    int torn = 0, cut_off = 0;
    for (int kill = 0; kill < kills; ++kill) {
        counters.is_open = false;
        const auto child = ::fork();
        if (child == 0) {
            const auto warehouse = OpenDuckDb(options_);
            counters.is_open = true;
            if (!warehouse) ::_exit(2);
            std::vector<std::thread> threads;
            for (int i = 0; i < kThreads; ++i)
                threads.emplace_back([&, i] { work(**warehouse, i); });
            for (auto& thread : threads) thread.join();
        }
        // However busy the machine is.
        for (int ms = 0; ms < 60'000 && !counters.is_open; ++ms) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        std::this_thread::sleep_for(
            std::chrono::microseconds(std::uniform_int_distribution<>(1'000, 200'000)(random)));
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended with " << WEXITSTATUS(status);
        if (fs::exists(duck::CheckpointCopyPath(options_.path))) {
            ++cut_off;
            CopyFolder("now", "bare");
            fs::remove(duck::CheckpointCopyPath(root_ / "bare/w.duckdb"));
            DuckDbOptions bare;
            bare.path = root_ / "bare/w.duckdb";
            const auto opened = OpenDuckDb(bare);
            torn += opened && Fingerprint(**opened) ? 0 : 1;
        }
        const auto warehouse = OpenDuckDb(options_);
        ASSERT_TRUE(warehouse) << "kill " << kill << ": " << warehouse.error().ToString();
        for (int thread = 0; thread < kThreads; ++thread) {
            const auto said = counters.committed[thread].load();
            const auto found =
                Ask(**warehouse, fmt::format("SELECT coalesce(max(batch), 0)::VARCHAR "
                                             "FROM done WHERE thread = {}",
                                             thread));
            ASSERT_TRUE(found) << found.error().ToString();
            const int batch = std::stoi(*found);
            ASSERT_GE(batch, said) << "kill " << kill;
            ASSERT_LE(batch, said + 1) << "kill " << kill;
            counters.committed[thread] = batch;
            // All of its tables are as that batch left them.
            for (int i = thread; i < kTables; i += kThreads) {
                const auto state =
                    Ask(**warehouse,
                        fmt::format(
                            "SELECT count(*) FILTER (a = 'batch {0}') || ' ' || count(*) FILTER "
                            "(a = 'batch {1}') || ' ' || count(*) FILTER (a < 'some' AND a NOT "
                            "IN ('batch {0}', 'batch {1}')) || ' ' || count(*) FILTER (id % 5 "
                            "= {0} % 5 AND b <> {0}) FROM t{2}",
                            batch, batch - 1, i));
                ASSERT_TRUE(state) << state.error().ToString();
                const auto wanted =
                    fmt::format("{} {} 0 0\n", batch > 0 ? 200 : 0, batch > 1 ? 200 : 0);
                if (batch > 0) {
                    ASSERT_EQ(*state, wanted) << "kill " << kill << ", t" << i;
                }
            }
        }
    }
    int batches = 0;
    for (const auto& committed : counters.committed) batches += committed;
    EXPECT_GT(batches, 0) << "they did not get on";
    std::printf("%d kills, %d while folding, %d torn without the copy\n", kills, cut_off, torn);
    ::munmap(shared, sizeof(Counters));
}

}  // namespace
}  // namespace biwa
