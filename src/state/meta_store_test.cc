#include "state/meta_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/testing.h"

namespace biwa {
namespace {

class MetaStoreTest : public testing::Test {
  protected:
    std::unique_ptr<MetaStore> Open() {
        auto store = MetaStore::Open(path_, clock_);
        EXPECT_TRUE(store) << store.error().ToString();
        return std::move(*store);
    }

    ManualClock clock_{1'000'000};
    TempFolder temp_;
    const std::filesystem::path& folder_ = temp_.path();
    const std::filesystem::path path_ = folder_ / "meta.db";
};

TEST_F(MetaStoreTest, KeepsWhatWasAppliedAndSaysWhoDidIt) {
    {
        auto store = Open();
        ASSERT_TRUE(store->ApplyResources({{{"stream", "app", "h1", "{}"},
                                            {"model", "mart.学習", "h2", "{\"sql\":\"SELECT 1\"}"}},
                                           {}},
                                          "root", "apply"));
        clock_.Advance(5);
        ASSERT_TRUE(store->ApplyResources(
            {{{"stream", "app", "h3", "{\"a\":1}"}}, {{"model", "mart.学習"}}}, "root", "apply"));
    }
    const auto store = Open();
    const auto applied = store->ReadApplied();
    ASSERT_TRUE(applied);
    ASSERT_EQ(applied->size(), 1u);
    EXPECT_EQ(applied->front().hash, "h3");
    EXPECT_EQ(applied->front().content, "{\"a\":1}");
    EXPECT_EQ(applied->front().applied_at, 1'000'005);

    const auto audit = store->RecentAudit(10);
    ASSERT_TRUE(audit);
    ASSERT_EQ(audit->size(), 2u);
    EXPECT_EQ(audit->front().detail, "put stream app\nremove model mart.学習\n");
    EXPECT_EQ(audit->back().who, "root");
}

TEST_F(MetaStoreTest, TellsTheNewestRunsAndTheLastOfEachModel) {
    const auto store = Open();
    const auto first = store->RecordRun(
        {0,
         10,
         20,
         "failed",
         "command",
         {{"mart.a", "ok", 0.5, 7, ""}, {"mart.b", "failed", 0.1, std::nullopt, "no column x"}}});
    const auto second =
        store->RecordRun({0, 30, 40, "ok", "refresh", {{"mart.a", "ok", 1, 8, ""}}});
    const auto empty = store->RecordRun({0, 50, 60, "ok", "refresh", {}});
    ASSERT_TRUE(first && second && empty);
    EXPECT_LT(*first, *second);

    const auto runs = store->RecentRuns(2);
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->size(), 2u);
    EXPECT_EQ(runs->at(0).id, *empty);
    EXPECT_TRUE(runs->at(0).models.empty());
    EXPECT_EQ(runs->at(1).trigger, "refresh");
    ASSERT_EQ(runs->at(1).models.size(), 1u);
    EXPECT_EQ(runs->at(1).models[0].rows, 8);

    const auto by_command = store->LastRun("command");
    ASSERT_TRUE(by_command && *by_command);
    EXPECT_EQ((*by_command)->id, *first);
    EXPECT_EQ((*by_command)->state, "failed");
    EXPECT_FALSE(store->LastRun("apply")->has_value());

    const auto last = store->LastModelRuns();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->at("mart.a").finished, 40);
    EXPECT_EQ(last->at("mart.b").run.error, "no column x");
    EXPECT_EQ(last->at("mart.b").run.rows, std::nullopt);

    // Of the old runs only the first stays, because it is the last of mart.b.
    ASSERT_TRUE(store->RecordRun({0, 70, 80, "ok", "refresh", {{"mart.a", "ok", 1, 9, ""}}}));
    ASSERT_TRUE(store->PruneRuns(1));
    EXPECT_EQ(store->RecentRuns(10)->size(), 2u);
    EXPECT_EQ(store->LastModelRuns()->count("mart.b"), 1u);
}

TEST_F(MetaStoreTest, ARunThatNamesAModelTwiceIsRefusedAlone) {
    const auto store = Open();
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 20; ++n) good += store->Audit({0, "a", "b", "c"}) ? 1 : 0;
        });
    }
    for (int n = 0; n < 20; ++n) {
        const auto twice = store->RecordRun(
            {0, 1, 2, "ok", "command", {{"m", "ok", 0, 1, ""}, {"m", "ok", 0, 1, ""}}});
        EXPECT_FALSE(twice);
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 160);
    EXPECT_EQ(store->RecentAudit(1000)->size(), 160u);
    EXPECT_TRUE(store->RecentRuns(10)->empty());
}

TEST_F(MetaStoreTest, ManyWritersShareACommit) {
    const auto store = Open();
    const auto measure = [&](int threads_count, int writes) {
        const auto commits = store->commits();
        const auto begin = std::chrono::steady_clock::now();
        std::vector<std::thread> threads;
        for (int i = 0; i < threads_count; ++i) {
            threads.emplace_back([&] {
                for (int n = 0; n < writes; ++n) {
                    ASSERT_TRUE(store->Audit({0, "writer", "write", "a line of some length"}));
                }
            });
        }
        for (auto& thread : threads) thread.join();
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        std::printf("%2d writers: %.0f writes/s, %.0f commits/s\n", threads_count,
                    threads_count * writes / seconds.count(),
                    static_cast<double>(store->commits() - commits) / seconds.count());
        return store->commits() - commits;
    };
    EXPECT_EQ(measure(1, 200), 200u);
    // Sixteen writers wait for a commit that is under way, and then share the next one.
    EXPECT_LT(measure(16, 200), 16u * 200 / 2);
    EXPECT_EQ(store->RecentAudit(10000)->size(), 17u * 200);
}

TEST_F(MetaStoreTest, WhatWasAcknowledgedOutlivesAKill) {
    // The count of acknowledged writes lives in memory that parent and child share.
    auto* acknowledged = static_cast<std::atomic<int>*>(::mmap(nullptr, sizeof(std::atomic<int>),
                                                               PROT_READ | PROT_WRITE,
                                                               MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    for (int round = 0; round < 5; ++round) {
        acknowledged->store(0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto store = MetaStore::Open(path_, clock_);
            if (!store) ::_exit(1);
            std::vector<std::thread> threads;
            for (int i = 0; i < 4; ++i) {
                threads.emplace_back([&] {
                    for (;;) {
                        if (!(*store)->Audit({0, "child", std::to_string(round), ""})) ::_exit(2);
                        ++*acknowledged;
                    }
                });
            }
            for (auto& thread : threads) thread.join();
        }
        while (acknowledged->load() < 50 + 37 * round) std::this_thread::yield();
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status));

        const auto store = Open();
        int found = 0;
        const auto entries = store->RecentAudit(1'000'000);
        for (const auto& entry : *entries) {
            if (entry.what == std::to_string(round)) ++found;
        }
        EXPECT_GE(found, acknowledged->load());
        EXPECT_LE(found, acknowledged->load() + 4);  // durable, but cut off before saying so
    }
    ::munmap(acknowledged, sizeof(std::atomic<int>));
}

TEST_F(MetaStoreTest, ADamagedFileIsSaidToBeDamaged) {
    std::ofstream(path_)
        << "this is no database, however long one looks at it. It is only text, and "
           "longer than the header of a database would have been at that.";
    auto store = MetaStore::Open(path_, clock_);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(store.error().message.find(path_.string()), std::string::npos);
    EXPECT_FALSE(store.error().hint.empty());
}

TEST_F(MetaStoreTest, ADamagedPageIsSeenWhenTheFileIsOpened) {
    {
        const auto store = Open();
        for (int i = 0; i < 50; ++i) {
            ASSERT_TRUE(store->Audit({0, "a", "b", std::string(2000, 'x')}));
        }
    }
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    for (int i = 0; i < 8192; ++i) file.put('\x5a');
    file.close();
    auto store = MetaStore::Open(path_, clock_);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().kind, ErrorKind::kCorrupt);
}

TEST_F(MetaStoreTest, ANewerFileAndAForeignOneAreRefused) {
    { Open(); }
    {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
        sqlite3_exec(database, "INSERT INTO schema_version VALUES (999)", nullptr, nullptr,
                     nullptr);
        sqlite3_close(database);
    }
    auto newer = MetaStore::Open(path_, clock_);
    ASSERT_FALSE(newer);
    EXPECT_EQ(newer.error().kind, ErrorKind::kUser);

    const auto other = folder_ / "other.db";
    {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open(other.c_str(), &database), SQLITE_OK);
        sqlite3_exec(database, "CREATE TABLE songs (id)", nullptr, nullptr, nullptr);
        sqlite3_close(database);
    }
    auto foreign = MetaStore::Open(other, clock_);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().message.find("songs"), std::string::npos);
}

TEST_F(MetaStoreTest, AFolderThatIsNotThereIsNamed) {
    auto store = MetaStore::Open(folder_ / "nowhere" / "meta.db", clock_);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(store.error().message.find("nowhere"), std::string::npos);
}

TEST_F(MetaStoreTest, AFullDiskFailsTheWriteAndLosesNothingBefore) {
    // A limit on the size of files stands in for the disk's end: SQLite sees the same failed write.
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::signal(SIGXFSZ, SIG_IGN);
        auto store = MetaStore::Open(path_, clock_);
        if (!store) ::_exit(1);
        if (!(*store)->Audit({0, "a", "before", ""})) ::_exit(2);
        const rlimit small{256 << 10, 256 << 10};
        ::setrlimit(RLIMIT_FSIZE, &small);
        const auto written = (*store)->Audit({0, "a", "large", std::string(1 << 20, 'x')});
        if (written) ::_exit(3);
        if (written.error().kind != ErrorKind::kUnavailable || written.error().hint.empty()) {
            ::_exit(4);
        }
        if (!(*store)->Audit({0, "a", "after", ""})) ::_exit(5);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 0);
    const auto entries = Open()->RecentAudit(10);
    ASSERT_EQ(entries->size(), 2u);
    EXPECT_EQ(entries->at(0).what, "after");
    EXPECT_EQ(entries->at(1).what, "before");
}

}  // namespace
}  // namespace biwa
