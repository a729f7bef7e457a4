#include "warehouse/duckdb/duckdb_warehouse.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <thread>

#include "base/testing.h"
#include "model/row_store.h"

namespace biwa {
namespace {

// Rows made on the spot: i, "text number i", every third NULL, [i, NULL].
class NumberedRows final : public RowSource {
  public:
    explicit NumberedRows(std::int64_t rows, std::int64_t fail_at = -1)
        : rows_(rows), fail_at_(fail_at) {}
    const std::vector<Column>& columns() const override { return columns_; }
    std::size_t threads_max() const override { return 2; }
    std::size_t rows_estimate() const override { return static_cast<std::size_t>(rows_); }
    Result<std::unique_ptr<RowReader>> Open() override { return std::make_unique<Reader>(*this); }

  private:
    class Reader final : public RowReader {
      public:
        explicit Reader(NumberedRows& rows) : rows_(rows) {}
        Result<std::size_t> Fill(RowBlock& block) override {
            arena_ = Arena();
            const auto begin = rows_.next_.fetch_add(1000);
            const auto end = std::min(begin + 1000, rows_.rows_);
            if (rows_.fail_at_ >= 0 && begin >= rows_.fail_at_) {
                return Unavailable("the source went away");
            }
            for (auto i = begin; i < end; ++i) {
                const auto row = static_cast<std::size_t>(i - begin);
                block.columns[0].Set(row, i);
                if (i % 3 == 0) {
                    block.columns[1].SetNull(row);
                } else {
                    block.columns[1].Set(row, arena_.Copy(fmt::format("text number {}", i)));
                }
                auto& list = block.columns[2];
                const auto at = list.child_size;
                auto& child = list.owner->GrowChild(list, at + 2);
                child.Set(at, i);
                child.SetNull(at + 1);
                list.Set(row, ListCell{at, 2});
            }
            return end > begin ? static_cast<std::size_t>(end - begin) : 0;
        }

      private:
        NumberedRows& rows_;
        Arena arena_;
    };

    const std::vector<Column> columns_ = {
        {"i", {TypeId::kInt64}, false, ""},
        {"t", {TypeId::kText}, true, ""},
        {"l", Type::List({TypeId::kInt64}), true, ""},
    };
    const std::int64_t rows_;
    const std::int64_t fail_at_;
    std::atomic<std::int64_t> next_ = 0;
};

std::unique_ptr<Warehouse> InMemory() {
    auto warehouse = OpenDuckDb({});
    EXPECT_TRUE(warehouse) << warehouse.error().ToString();
    return std::move(*warehouse);
}

// The whole result as text: columns by "|", rows by ";".
std::string Ask(Warehouse& warehouse, const std::string& sql) {
    auto session = warehouse.OpenSession();
    if (!session) return session.error().ToString();
    auto stream = (*session)->Query("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (" + sql + ")");
    if (!stream) return stream.error().ToString();
    std::string text;
    for (;;) {
        const auto block = (*stream)->Next();
        if (!block) return block.error().ToString();
        if (*block == nullptr) return text;
        for (std::size_t row = 0; row < (*block)->rows; ++row) {
            for (const auto& cells : (*block)->columns) {
                text += cells.IsNull(row) ? "NULL" : std::string(cells.GetString(row));
                text += '|';
            }
            text.back() = ';';
        }
    }
}

TEST(DuckDbWarehouseTest, LoadsRowsOfASourceThroughThreads) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute("CREATE TABLE t (i BIGINT, t VARCHAR, l BIGINT[])"));
    NumberedRows rows(300'000);
    const auto loaded =
        transaction->ExecuteWith("INSERT INTO t SELECT * FROM $rows", {{"rows", rows}});
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    EXPECT_EQ(*loaded, 300'000u);
    ASSERT_TRUE(transaction->Commit());
    EXPECT_EQ(Ask(*warehouse,
                  "SELECT count(*), count(DISTINCT i), count(t), sum(l[1])::BIGINT, "
                  "count(*) FILTER (t = 'text number ' || i AND l[2] IS NULL) FROM t"),
              "300000|300000|200000|44999850000|200000;");
}

TEST(DuckDbWarehouseTest, NoStatementInATransactionBeginsOrEndsOne) {
    const auto warehouse = InMemory();
    ASSERT_TRUE((*warehouse->Begin())->Execute("SELECT 1"));
    for (const auto* sql :
         {"COMMIT", "begin transaction", "CREATE TABLE t AS SELECT 1; /* ; */ -- ;\n Rollback;",
          "SELECT ';' ;\nEND", "abort", "SELECT E'\\'; x'; START TRANSACTION",
          "PREPARE p AS COMMIT; EXECUTE p"}) {
        auto transaction = *warehouse->Begin();
        ASSERT_TRUE(transaction->Execute("CREATE TABLE before (i INTEGER)"));
        const auto done = transaction->Execute(sql);
        ASSERT_FALSE(done) << sql;
        EXPECT_EQ(done.error().kind, ErrorKind::kUser) << done.error().ToString();
        transaction.reset();
        EXPECT_EQ(Ask(*warehouse, "SELECT count(*) FROM duckdb_tables()"), "0;") << sql;
    }
    auto transaction = *warehouse->Begin();
    const auto asked = transaction->Query("COMMIT");
    ASSERT_FALSE(asked);
    EXPECT_NE(asked.error().message.find("would begin or end a transaction"), std::string::npos);
    for (const auto* sql :
         {"", "SELECT CASE WHEN true THEN 1\nEND", "SELECT 1 AS commit", "SELECT ';commit'",
          "SELECT 1 AS \"; commit\"", "SELECT $$; commit$$", "-- ; commit", "/* ; */"}) {
        EXPECT_TRUE(transaction->Execute(sql)) << sql;
    }
    EXPECT_TRUE(transaction->Commit());
}

TEST(DuckDbWarehouseTest, TellsHowWideColumnsAre) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute(
        "CREATE TABLE t AS SELECT 1::UTINYINT AS a, 1.5::DECIMAL(5,1) AS \"b c\", "
        "'x'::ENUM('x', 'y') AS d, 'x' AS e, 'x'::BLOB AS f, {'k': 1} AS g"));
    const auto widths = transaction->Widths({"main", "T"});
    ASSERT_TRUE(widths) << widths.error().ToString();
    std::string text;
    for (const auto& width : *widths)
        text += fmt::format("{}:{}:{} ", width.name, static_cast<int>(width.kind), width.bytes);
    EXPECT_EQ(text, "a:0:1 b c:0:4 d:0:1 e:1:0 f:2:0 g:3:0 ");
    EXPECT_FALSE(transaction->Widths({"main", "no_such"}));
    EXPECT_TRUE(transaction->Commit());
}

TEST(DuckDbWarehouseTest, KeepsTheErrorOfASourceAndLoadsNothing) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute("CREATE TABLE t (i BIGINT, t VARCHAR, l BIGINT[])"));
    ASSERT_TRUE(transaction->Commit());
    transaction.reset();
    transaction = *warehouse->Begin();
    NumberedRows rows(300'000, 200'000);
    const auto loaded =
        transaction->ExecuteWith("INSERT INTO t SELECT * FROM $rows", {{"rows", rows}});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().kind, ErrorKind::kUnavailable);
    EXPECT_EQ(loaded.error().message, "the source went away");
    transaction.reset();
    EXPECT_EQ(Ask(*warehouse, "SELECT count(*) FROM t"), "0;");
}

TEST(DuckDbWarehouseTest, SessionsCannotWriteNorReachOut) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute("CREATE TABLE t (i BIGINT); INSERT INTO t VALUES (1)"));
    ASSERT_TRUE(transaction->Commit());
    transaction.reset();
    auto session = *warehouse->OpenSession();
    for (const auto* sql : {
             "INSERT INTO t VALUES (2)",
             "DELETE FROM t",
             "CREATE TABLE u (i INT)",
             "DROP TABLE t",
             "ATTACH '/tmp/other.duckdb'",
             "COPY t TO '/tmp/biwa-test.csv'",
             "SELECT * FROM read_csv('/etc/passwd')",
             "SELECT * FROM read_text('/etc/passwd')",
             "SELECT * FROM '/etc/passwd'",
             "SELECT * FROM glob('/etc/*')",
             "EXPLAIN ANALYZE INSERT INTO t VALUES (2)",
             "SET memory_limit = '1TB'",
             "SET enable_external_access = true",
             "PRAGMA enable_external_access",
             "INSTALL httpfs",
             "LOAD '/tmp/x.duckdb_extension'",
             "SELECT 1; SELECT 2",
             "SELECT * FROM biwa_rows(1::UBIGINT)",
             "SELECT biwa_has(1::UBIGINT, 5)",
             "BEGIN",
             "CHECKPOINT",
             "SELECT ?",
             "",
             "-- nothing",
         }) {
        auto stream = session->Query(sql);
        bool refused = !stream;
        if (stream) refused = !(*stream)->Next();
        EXPECT_TRUE(refused) << sql;
    }
    EXPECT_EQ(Ask(*warehouse, "SELECT * FROM t"), "1;");
}

TEST(DuckDbWarehouseTest, ShowsTypesThatTheModelDoesNotHave) {
    const auto warehouse = InMemory();
    auto session = *warehouse->OpenSession();
    auto stream = session->Query(
        "SELECT 1::UTINYINT AS a, {'x': 1, 'y': [2]} AS b, MAP {'k': 1} AS c, "
        "18446744073709551615::UBIGINT AS d, '{}'::JSON AS e, 'a' AS \"a\" ORDER BY 1 -- end;");
    ASSERT_TRUE(stream) << stream.error().ToString();
    const auto& columns = (*stream)->columns();
    ASSERT_EQ(columns.size(), 6u);
    EXPECT_EQ(ToSql(columns[0].type), "SMALLINT");
    EXPECT_EQ(ToSql(columns[1].type), "VARCHAR");
    EXPECT_EQ(ToSql(columns[3].type), "HUGEINT");
    EXPECT_EQ(ToSql(columns[4].type), "JSON");
    EXPECT_EQ(columns[5].name, "a");
    const auto block = *(*stream)->Next();
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(block->columns[1].GetString(0), "{'x': 1, 'y': [2]}");
    EXPECT_EQ(block->columns[3].Get<Int128>(0).low, ~std::uint64_t{0});
}

TEST(DuckDbWarehouseTest, AQueryCanBeInterruptedAndTheSessionGoesOn) {
    const auto warehouse = InMemory();
    auto session = *warehouse->OpenSession();
    std::jthread other([&](std::stop_token stop) {
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            session->Interrupt();
        }
    });
    Result<const RowBlock*> block = nullptr;
    {
        auto stream = session->Query(
            "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = "
            "7");
        if (stream) {
            block = (*stream)->Next();
        } else {
            block = tl::unexpected(stream.error());
        }
        other.request_stop();
        other.join();
    }
    ASSERT_FALSE(block);
    EXPECT_EQ(block.error().message, "the query was cancelled");
    auto again = session->Query("SELECT 1");
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_TRUE((*again)->Next());
}

TEST(DuckDbWarehouseTest, ASessionBearsInterruptsAtAnyMoment) {
    const auto warehouse = InMemory();
    const auto session = warehouse->OpenSession();
    ASSERT_TRUE(session);
    {
        std::jthread interrupter([&](std::stop_token stop) {
            while (!stop.stop_requested()) {
                (*session)->Interrupt();
                std::this_thread::yield();
            }
        });
        for (int i = 0; i < 2000; ++i) {
            const auto rows = (*session)->Query("SELECT range FROM range(10)");
            if (rows) {
                while ((*rows)->Next().value_or(nullptr) != nullptr) {
                }
            } else {
                ASSERT_EQ(rows.error().kind, ErrorKind::kUser) << rows.error().message;
                ASSERT_EQ(rows.error().message, "the query was cancelled");
            }
        }
    }
    const auto rows = (*session)->Query("SELECT 1");
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_TRUE((*rows)->Next());
}

TEST(DuckDbWarehouseTest, AQueryThatFailsLateSaysWhyAndNotThatItWasCancelled) {
    const auto warehouse = InMemory();
    const auto session = warehouse->OpenSession();
    ASSERT_TRUE(session);
    // Which of the engine's threads is first to hear of the error differs: one in about a hundred
    // says that it was interrupted.
    for (int i = 0; i < 400; ++i) {
        const auto rows = (*session)->Query(
            "SELECT CASE WHEN i = 250000 THEN error('too late') ELSE i END FROM range(300000) "
            "r(i)");
        ASSERT_TRUE(rows) << rows.error().message;
        auto block = (*rows)->Next();
        while (block && *block != nullptr) block = (*rows)->Next();
        ASSERT_FALSE(block);
        ASSERT_NE(block.error().message.find("too late"), std::string::npos)
            << block.error().message;
    }
}

TEST(DuckDbWarehouseTest, ReadersSeeAllOfATransactionOrNothing) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute("CREATE SCHEMA s; CREATE TABLE s.t (i BIGINT)"));
    EXPECT_NE(Ask(*warehouse, "SELECT count(*) FROM s.t"), "0;");
    ASSERT_TRUE(transaction->Commit());
    transaction.reset();
    EXPECT_EQ(Ask(*warehouse, "SELECT count(*) FROM s.t"), "0;");
    transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute("INSERT INTO s.t VALUES (1)"));
    transaction.reset();
    EXPECT_EQ(Ask(*warehouse, "SELECT count(*) FROM s.t"), "0;");
}

TEST(DuckDbWarehouseTest, AWorkbenchKeepsItsTablesAndSeesWhatOthersCommit) {
    const auto warehouse = InMemory();
    const auto commit = [](Result<std::unique_ptr<WriteTransaction>> transaction, const char* sql) {
        EXPECT_TRUE((*transaction)->Execute(sql));
        EXPECT_TRUE((*transaction)->Commit());
    };
    commit(warehouse->Begin(), "CREATE TABLE t AS SELECT 1 AS i");
    const auto workbench = *warehouse->OpenWorkbench();
    commit(workbench->Begin(), "CREATE TEMP TABLE seen AS FROM t");
    commit(warehouse->Begin(), "INSERT INTO t VALUES (2)");
    {
        const auto transaction = *workbench->Begin();
        const auto rows = *transaction->Query("SELECT i FROM t ANTI JOIN seen USING (i)");
        const auto* block = *rows->Next();
        ASSERT_NE(block, nullptr);
        ASSERT_EQ(block->rows, 1u);
        EXPECT_EQ(block->columns[0].Get<std::int32_t>(0), 2);
    }
    const auto session = *warehouse->OpenSession();
    EXPECT_FALSE(session->Query("FROM seen")) << "it is nobody else's";
}

TEST(DuckDbWarehouseTest, WhoHasCommittedKeepsNobodyFromWriting) {
    const auto warehouse = *OpenDuckDb({});
    auto first = *warehouse->Begin();
    ASSERT_TRUE(first->Execute("CREATE TABLE t (i INTEGER)"));
    auto second = std::async(std::launch::async, [&] { return warehouse->Begin().has_value(); });
    EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    ASSERT_TRUE(first->Commit());
    EXPECT_EQ(second.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    first.reset();
    EXPECT_TRUE(second.get());
}

class DuckDbFileTest : public testing::Test {
  protected:
    TempFolder folder_;
};

TEST_F(DuckDbFileTest, WhatWasCommittedIsThereAgain) {
    DuckDbOptions options;
    options.path = folder_.path() / "w.duckdb";
    {
        const auto warehouse = *OpenDuckDb(options);
        auto transaction = *warehouse->Begin();
        ASSERT_TRUE(transaction->Execute("CREATE TABLE t AS SELECT 42 AS i"));
        ASSERT_TRUE(transaction->Commit());
    }
    const auto warehouse = OpenDuckDb(options);
    ASSERT_TRUE(warehouse) << warehouse.error().ToString();
    EXPECT_EQ(Ask(**warehouse, "SELECT * FROM t"), "42;");
    EXPECT_GT((*warehouse)->size_bytes(), 0u);
    EXPECT_TRUE((*warehouse)->Checkpoint());
}

TEST_F(DuckDbFileTest, BlocksThatAThreadKeepsAreThereAfterAShadowSchema) {
    DuckDbOptions options;
    options.path = folder_.path() / "w.duckdb";
    options.threads = 1;
    const auto warehouse = *OpenDuckDb(options);
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute(
        "CREATE TABLE t AS SELECT md5(i::VARCHAR) AS text FROM range(600000) AS r(i)"));
    ASSERT_TRUE(transaction->Commit());
    // The least pages of several times that had to be made ready.
    const auto pages = [&](bool with_shadow) {
        long least = std::numeric_limits<long>::max();
        for (int i = 0; i < 5; ++i) {
            if (with_shadow) {
                EXPECT_TRUE(warehouse->MakeShadowSchema());
            }
            rusage before{}, after{};
            getrusage(RUSAGE_SELF, &before);
            Ask(*warehouse, "SELECT * FROM t ORDER BY text LIMIT 1 OFFSET 500000");
            getrusage(RUSAGE_SELF, &after);
            least = std::min(least, after.ru_minflt - before.ru_minflt);
        }
        return least;
    };
    const auto without = pages(false);
    EXPECT_LT(pages(true), without + 2000);
}

TEST_F(DuckDbFileTest, WhereReservedMemoryCountsItReservesLittle) {
    const auto reserved = [] {
        std::int64_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        return pages;
    };
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
    auto limited = before;
    limited.rlim_cur = std::min<rlim_t>(before.rlim_max, rlim_t{1} << 50);
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limited), 0);
    const auto pages_before = reserved();
    DuckDbOptions options;
    options.path = folder_.path() / "w.duckdb";
    const auto warehouse = OpenDuckDb(options);
    const auto pages = reserved() - pages_before;
    ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
    ASSERT_TRUE(warehouse) << warehouse.error().ToString();
    EXPECT_LT(pages, sysconf(_SC_PHYS_PAGES) / 2);
}

TEST_F(DuckDbFileTest, ALargeCommitIsSeenWholeOrNotAtAll) {
    constexpr int kCommits = 20;
    constexpr std::int64_t kRows = 150'000;
    DuckDbOptions options;
    options.path = folder_.path() / "w.duckdb";
    const auto warehouse = *OpenDuckDb(options);
    {
        auto transaction = *warehouse->Begin();
        ASSERT_TRUE(transaction->Execute(
            "CREATE SCHEMA s; CREATE TABLE s.t (i BIGINT); CREATE TABLE s.rows AS SELECT 0 AS n"));
        ASSERT_TRUE(transaction->Commit());
    }
    std::jthread reader([&](std::stop_token stop) {
        while (!stop.stop_requested()) {
            // Counted before it runs; counted by a scan; and what the same commits say.
            const auto seen = Ask(*warehouse,
                                  "SELECT a = b AND b = n, a, b, n FROM (SELECT (SELECT count(*) "
                                  "FROM s.t) AS a, (SELECT count(*) FROM s.t WHERE i >= 0) AS b, "
                                  "(SELECT n FROM s.rows) AS n)");
            ASSERT_EQ(seen.substr(0, 4), "true") << seen;
        }
    });
    for (int i = 0; i < kCommits; ++i) {
        auto transaction = *warehouse->Begin();
        ASSERT_TRUE(transaction->Execute(
            fmt::format("INSERT INTO s.t SELECT range FROM range({0}); UPDATE s.rows SET n = n + "
                        "{0}",
                        kRows)));
        ASSERT_TRUE(transaction->HideUntilCommit({"s", "t"}));
        ASSERT_TRUE(transaction->Commit());
    }
    reader.request_stop();
    reader.join();
    EXPECT_EQ(Ask(*warehouse, "SELECT count(*), min(i), max(i) FROM s.t"),
              fmt::format("{}|0|{};", kCommits * kRows, kRows - 1));
}

TEST_F(DuckDbFileTest, AFileThatIsNoWarehouseIsLeftAlone) {
    DuckDbOptions options;
    options.path = folder_.path() / "w.duckdb";
    FILE* file = std::fopen(options.path.c_str(), "w");
    std::fputs(std::string(20'000, 'x').c_str(), file);
    std::fclose(file);
    const auto warehouse = OpenDuckDb(options);
    ASSERT_FALSE(warehouse);
    EXPECT_EQ(warehouse.error().kind, ErrorKind::kCorrupt) << warehouse.error().ToString();
    EXPECT_EQ(std::filesystem::file_size(options.path), 20'000u);
}

struct ByKey {
    const char* table;      // that it is about
    const char* condition;  // of the join of t with the source k
    const char* in;         // the columns of t that $in_keys is asked about
    std::vector<std::size_t> key;
    std::int64_t keys;
    std::uint64_t deleted;
};

// $in_keys is to change nothing but how long it takes.
TEST(DuckDbWarehouseTest, RowsAreFoundByTheirKeysWhateverTheTypes) {
    constexpr const char* kThousands = "SELECT i * 7919 % 300007 AS i FROM range(300000) AS r(i)";
    const std::string texts = fmt::format(
        "SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE 'text number ' || i END AS t FROM ({})",
        kThousands);
    const std::string narrow = fmt::format("SELECT i::INTEGER AS i FROM ({})", kThousands);
    const std::string floats = fmt::format("SELECT i::DOUBLE AS i FROM ({})", kThousands);
    const std::string nulls =
        fmt::format("SELECT CASE WHEN i % 2 = 0 THEN NULL ELSE i END AS i FROM ({})", kThousands);
    const std::vector<ByKey> cases = {
        {kThousands, "t.i = k.i", "t.i", {0}, 5'000, 5'000},
        // More keys than rows: the table's side is the one to be hashed.
        {"SELECT i FROM range(1000) AS r(i)", "t.i = k.i", "t.i", {0}, 500'000, 1'000},
        {texts.c_str(), "t.t = k.t", "t.t", {1}, 5'000, 3'333},
        {texts.c_str(), "t.i = k.i AND t.t = k.t", "t.i, t.t", {0, 1}, 5'000, 3'333},
        {nulls.c_str(), "t.i = k.i", "t.i", {0}, 5'000, 2'500},
        // Of another type than the keys: it can tell nothing.
        {narrow.c_str(), "t.i = k.i", "t.i", {0}, 5'000, 5'000},
        {floats.c_str(), "t.i = k.i", "t.i", {0}, 5'000, 5'000},
        {kThousands, "[t.i, NULL] = k.l", "[t.i, NULL]", {2}, 5'000, 5'000},
        {kThousands, "t.i = k.i", "t.i, t.i", {0}, 5'000, 5'000},
    };
    for (const auto& [table, condition, in, key, count, deleted] : cases) {
        SCOPED_TRACE(fmt::format("{} of {}", condition, table));
        const auto warehouse = InMemory();
        auto transaction = *warehouse->Begin();
        ASSERT_TRUE(transaction->Execute(fmt::format("CREATE TABLE t AS {}", table)));
        NumberedRows keys(count);
        const auto changed = transaction->ExecuteWith(
            fmt::format("DELETE FROM t USING $keys AS k WHERE {} AND $in_keys({})", condition, in),
            {{"keys", keys, key}});
        ASSERT_TRUE(changed) << changed.error().ToString();
        EXPECT_EQ(*changed, deleted);
    }
}

// What the keys pass over is not joined at all: else the outer join would have a row of each.
TEST(DuckDbWarehouseTest, AnOuterJoinByKeysHasWhatItHadWithout) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(
        transaction->Execute("CREATE TABLE t AS SELECT 2 * i AS i FROM range(50000) AS r(i)"));
    NumberedRows rows(3'000);
    ASSERT_TRUE(transaction->ExecuteWith(
        "CREATE TABLE u AS SELECT k.i, t.i AS found FROM $rows AS k LEFT JOIN t ON t.i = k.i AND "
        "$in_rows(t.i)",
        {{"rows", rows, {0}}}));
    ASSERT_TRUE(transaction->Commit());
    EXPECT_EQ(Ask(*warehouse, "SELECT count(*), count(found), sum(found) FROM u"),
              "3000|1500|2248500;");
}

TEST(DuckDbWarehouseTest, KeysThatFailToBeReadFailTheStatement) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute("CREATE TABLE t AS SELECT i FROM range(50000) AS r(i)"));
    NumberedRows keys(20'000, 10'000);
    const auto changed = transaction->ExecuteWith(
        "DELETE FROM t USING $keys AS k WHERE t.i = k.i AND $in_keys(t.i)", {{"keys", keys, {0}}});
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().message, "the source went away");
}

double CpuSeconds() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

TEST(DuckDbWarehouseTest, AWriterWithoutHasteRestsMoreThanItWorks) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    ASSERT_TRUE(transaction->Execute(
        "CREATE TABLE t AS SELECT i * 7919 % 1000003 AS id FROM range(1000000) AS r(i)"));
    transaction->TakeItEasy([] { return false; });
    NumberedRows keys(3000);
    const auto began = std::chrono::steady_clock::now();
    const auto cpu_before = CpuSeconds();
    const auto deleted = transaction->ExecuteWith(
        "DELETE FROM t USING $keys AS k WHERE t.id = k.i AND $in_keys(t.id)",
        {{"keys", keys, {0}}});
    const auto cpu = CpuSeconds() - cpu_before;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    ASSERT_TRUE(deleted) << deleted.error().message;
    EXPECT_GT(*deleted, 2900U);
    // Two threads that did not rest would need half of it.
    EXPECT_GT(took.count(), 1.2 * cpu);
    ASSERT_TRUE(transaction->Commit());
}

// How long a delete of keys anywhere takes that has all the time, while somebody waits for the
// writer or does not.
double SecondsAtEase(bool is_waited_for) {
    const auto warehouse = InMemory();
    auto transaction = *warehouse->Begin();
    EXPECT_TRUE(transaction->Execute(
        "CREATE TABLE t AS SELECT i * 7919 % 4000037 AS id FROM range(4000000) AS r(i)"));
    std::atomic<bool> is_asked = false;
    transaction->TakeItEasy([&] {
        is_asked = true;
        return true;
    });
    std::thread other;
    if (is_waited_for) {
        other = std::thread([&] { EXPECT_TRUE(warehouse->Begin()); });
        // Nothing tells when it waits for the writer; by then it does.
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    NumberedRows keys(3000);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(transaction->ExecuteWith(
        "DELETE FROM t USING $keys AS k WHERE t.id = k.i AND $in_keys(t.id)",
        {{"keys", keys, {0}}}));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    EXPECT_EQ(is_asked, !is_waited_for);
    EXPECT_TRUE(transaction->Commit());
    if (other.joinable()) other.join();
    return took.count();
}

TEST(DuckDbWarehouseTest, AWriterThatNobodyWaitsForTakesItsTime) {
    EXPECT_GT(SecondsAtEase(false), 2 * SecondsAtEase(true));
}

TEST(DuckDbWarehouseTest, WhoWritesBesideTheWriterIsInAHurry) {
    const auto warehouse = InMemory();
    auto beside = *warehouse->BeginBeside();
    ASSERT_TRUE(beside->Execute(
        "CREATE TABLE t AS SELECT i * 7919 % 1000003 AS id FROM range(1000000) AS r(i)"));
    std::atomic<bool> is_asked = false;
    beside->TakeItEasy([&] {
        is_asked = true;
        return true;
    });
    NumberedRows keys(3000);
    ASSERT_TRUE(
        beside->ExecuteWith("DELETE FROM t USING $keys AS k WHERE t.id = k.i AND $in_keys(t.id)",
                            {{"keys", keys, {0}}}));
    EXPECT_FALSE(is_asked);
}

}  // namespace
}  // namespace biwa
