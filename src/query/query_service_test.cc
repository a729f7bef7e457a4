#include "query/query_service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "query/testing.h"

namespace biwa {
namespace {

using namespace std::chrono_literals;

// Runs for minutes unless it is interrupted, and gives its first row only then.
constexpr const char* kEndless =
    "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3";

class CountingSink final : public ResultSink {
  public:
    Status Begin(const std::vector<Column>& columns) override {
        column_count = columns.size();
        return {};
    }
    Status Block(const RowBlock& block) override {
        rows += block.rows;
        if (delay > 0ms) std::this_thread::sleep_for(delay);
        if (rows >= fail_at) return Unavailable("the reader went away");
        return {};
    }
    Status End(const QueryStats&) override {
        ended = true;
        return {};
    }

    std::size_t column_count = 0;
    std::atomic<std::uint64_t> rows = 0;
    std::uint64_t fail_at = ~std::uint64_t{0};
    std::chrono::milliseconds delay{0};
    bool ended = false;
};

template <typename Condition>
bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        std::this_thread::sleep_for(2ms);
    }
    return false;
}

class QueryServiceTest : public ::testing::Test {
  protected:
    const std::unique_ptr<Warehouse> warehouse_ = testing::OpenWarehouse();
};

TEST_F(QueryServiceTest, DeliversEveryRow) {
    QueryService queries(*warehouse_);
    CountingSink sink;
    const auto stats = queries.Run({.sql = "SELECT i, i FROM range(100000) r(i)"}, sink);
    ASSERT_TRUE(stats) << stats.error().ToString();
    EXPECT_EQ(stats->rows, 100'000U);
    EXPECT_FALSE(stats->truncated);
    EXPECT_EQ(sink.rows, 100'000U);
    EXPECT_EQ(sink.column_count, 2U);
    EXPECT_TRUE(sink.ended);
}

TEST_F(QueryServiceTest, SaysWhetherAQueryRunsOrHasJustRun) {
    QueryService queries(*warehouse_);
    EXPECT_FALSE(queries.has_run_within(1h));
    CountingSink sink;
    ASSERT_TRUE(queries.Run({.sql = "SELECT 1"}, sink));
    EXPECT_TRUE(queries.has_run_within(1h));
    EXPECT_TRUE(Eventually([&] { return !queries.has_run_within(20ms); }));
    std::promise<void> ended;
    queries.Start({.sql = kEndless, .id = "endless"}, std::make_shared<CountingSink>(), {},
                  [&](const Result<QueryStats>&) { ended.set_value(); });
    EXPECT_TRUE(queries.has_run_within(0ms));
    std::this_thread::sleep_for(30ms);
    EXPECT_TRUE(queries.has_run_within(20ms));
    queries.Cancel("endless");
    ended.get_future().wait();
}

TEST_F(QueryServiceTest, CutsAtTheRowLimitAndSaysSo) {
    QueryService queries(*warehouse_);
    for (const auto limit : {0U, 1U, 2048U, 3000U, 4999U}) {
        CountingSink sink;
        const auto stats =
            queries.Run({.sql = "SELECT i FROM range(5000) r(i)", .row_limit = limit}, sink);
        ASSERT_TRUE(stats);
        EXPECT_EQ(sink.rows, limit);
        EXPECT_TRUE(stats->truncated) << limit;
    }
    CountingSink sink;
    const auto exact =
        queries.Run({.sql = "SELECT i FROM range(5000) r(i)", .row_limit = 5000}, sink);
    ASSERT_TRUE(exact);
    EXPECT_FALSE(exact->truncated);
    EXPECT_EQ(sink.rows, 5000U);
}

TEST_F(QueryServiceTest, ABadQueryIsTheUsersError) {
    QueryService queries(*warehouse_);
    for (const auto* sql : {"SELEC 1", "SELECT * FROM nowhere", "CREATE TABLE t (i INT)", "",
                            "SELECT 1; SELECT 2", "SELECT * FROM read_csv('/etc/passwd')"}) {
        CountingSink sink;
        const auto stats = queries.Run({.sql = sql}, sink);
        ASSERT_FALSE(stats) << sql;
        EXPECT_EQ(stats.error().kind, ErrorKind::kUser) << sql << ": " << stats.error().message;
        EXPECT_FALSE(sink.ended);
    }
    CountingSink sink;
    EXPECT_TRUE(queries.Run({.sql = "SELECT 1"}, sink));  // the session is still good
}

TEST_F(QueryServiceTest, CancelsByIdWhateverTheQueryIsDoing) {
    QueryService queries(*warehouse_, {.running_max = 1});
    EXPECT_FALSE(queries.Cancel("a"));
    for (int i = 0; i < 20; ++i) {
        CountingSink sink;
        auto result = std::async(std::launch::async,
                                 [&] { return queries.Run({.sql = kEndless, .id = "a"}, sink); });
        // Now and then before the engine has begun with it.
        if (i % 2 == 0) std::this_thread::sleep_for(20ms);
        ASSERT_TRUE(Eventually([&] { return queries.Cancel("a"); }));
        ASSERT_EQ(result.wait_for(10s), std::future_status::ready);
        const auto stats = result.get();
        ASSERT_FALSE(stats);
        EXPECT_EQ(stats.error().kind, ErrorKind::kUser);
        EXPECT_EQ(stats.error().message, "the query was cancelled");
    }
    EXPECT_EQ(queries.running(), 0U);
}

TEST_F(QueryServiceTest, CancelsByStopToken) {
    QueryService queries(*warehouse_, {.running_max = 1});
    std::stop_source stop;
    CountingSink first;
    CountingSink second;
    auto running = std::async(std::launch::async, [&] {
        return queries.Run({.sql = kEndless}, first, stop.get_token());
    });
    ASSERT_TRUE(Eventually([&] { return queries.running() == 1; }));
    auto waiting = std::async(std::launch::async, [&] {
        return queries.Run({.sql = "SELECT 1"}, second, stop.get_token());
    });
    ASSERT_TRUE(Eventually([&] { return queries.waiting() == 1; }));
    stop.request_stop();
    ASSERT_EQ(running.wait_for(10s), std::future_status::ready);
    ASSERT_EQ(waiting.wait_for(10s), std::future_status::ready);
    EXPECT_FALSE(running.get());
    EXPECT_FALSE(waiting.get());
    EXPECT_EQ(second.column_count, 0U);

    CountingSink third;
    EXPECT_FALSE(queries.Run({.sql = "SELECT 1"}, third, stop.get_token()));
}

TEST_F(QueryServiceTest, StopsAtTheTimeLimit) {
    QueryService queries(*warehouse_, {.running_time_max = 100ms});
    CountingSink sink;
    const auto start = std::chrono::steady_clock::now();
    const auto stats = queries.Run({.sql = kEndless}, sink);
    ASSERT_FALSE(stats);
    EXPECT_EQ(stats.error().message, "the query ran longer than 100 ms and was stopped");
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST_F(QueryServiceTest, ALongLineIsRefusedAndALongWaitEnds) {
    QueryService queries(*warehouse_,
                         {.running_max = 1, .waiting_max = 1, .waiting_time_max = 300ms});
    CountingSink sinks[3];
    auto running = std::async(
        std::launch::async, [&] { return queries.Run({.sql = kEndless, .id = "long"}, sinks[0]); });
    ASSERT_TRUE(Eventually([&] { return queries.running() == 1; }));
    auto waiting =
        std::async(std::launch::async, [&] { return queries.Run({.sql = "SELECT 1"}, sinks[1]); });
    ASSERT_TRUE(Eventually([&] { return queries.waiting() == 1; }));
    const auto refused = queries.Run({.sql = "SELECT 1"}, sinks[2]);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_EQ(refused.error().message, "too many queries are running (1, and 1 are waiting)");
    const auto waited = waiting.get();
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().kind, ErrorKind::kUnavailable);
    EXPECT_TRUE(queries.Cancel("long"));
    EXPECT_FALSE(running.get());
}

TEST_F(QueryServiceTest, AFailingSinkEndsItsQuery) {
    QueryService queries(*warehouse_);
    CountingSink sink;
    sink.fail_at = 10'000;
    const auto stats = queries.Run({.sql = "SELECT i FROM range(1000000000) r(i)"}, sink);
    ASSERT_FALSE(stats);
    EXPECT_EQ(stats.error().message, "the reader went away");
    EXPECT_LT(sink.rows, 20'000U);
}

TEST_F(QueryServiceTest, ASlowSinkHoldsBackItsQueryAndNoOther) {
    QueryService queries(*warehouse_, {.running_max = 2});
    CountingSink slow;
    slow.delay = 10ms;
    std::stop_source stop;
    auto held = std::async(std::launch::async, [&] {
        return queries.Run({.sql = "SELECT i FROM range(1000000000) r(i)"}, slow, stop.get_token());
    });
    ASSERT_TRUE(Eventually([&] { return slow.rows > 0; }));
    for (int i = 0; i < 5; ++i) {
        CountingSink sink;
        EXPECT_TRUE(queries.Run({.sql = "SELECT 1"}, sink));
    }
    stop.request_stop();
    EXPECT_FALSE(held.get());
    EXPECT_LT(slow.rows, 10'000'000U);
}

TEST_F(QueryServiceTest, GoingAwayCancelsWhatRunsAndWhatWaits) {
    CountingSink running;
    CountingSink waiting;
    std::promise<Result<QueryStats>> results[2];
    const auto borrowed = [](CountingSink& sink) {
        return std::shared_ptr<ResultSink>(std::shared_ptr<void>(), &sink);
    };
    {
        QueryService queries(*warehouse_, {.running_max = 1});
        queries.Start({.sql = kEndless}, borrowed(running), {},
                      [&](const auto& result) { results[0].set_value(result); });
        ASSERT_TRUE(Eventually([&] { return queries.running() == 1; }));
        queries.Start({.sql = "SELECT 1"}, borrowed(waiting), {},
                      [&](const auto& result) { results[1].set_value(result); });
    }
    for (auto& result : results) {
        auto future = result.get_future();
        ASSERT_EQ(future.wait_for(0s), std::future_status::ready);
        const auto stats = future.get();
        ASSERT_FALSE(stats);
        EXPECT_EQ(stats.error().kind, ErrorKind::kUnavailable);
    }
}

}  // namespace
}  // namespace biwa
