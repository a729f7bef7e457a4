#include "query/dashboard_feed.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "query/testing.h"

namespace biwa {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// What one viewer has been shown.
class Viewer {
  public:
    DashboardFeed::Listener Listener() {
        return [this](std::size_t tile, const DashboardFeed::TileJson& text) {
            std::lock_guard lock(mutex_);
            ++updates_;
            tiles_[tile] = json::parse(*text);
            changed_.notify_all();
        };
    }
    template <typename Condition>
    bool WaitFor(Condition condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 10s, [&] { return condition(tiles_); });
    }
    bool WaitForValue(std::size_t tile, int value) {
        return WaitFor([&](const auto& tiles) {
            return tiles.contains(tile) && tiles.at(tile).at("rows") == json{{value}};
        });
    }
    int updates() {
        std::lock_guard lock(mutex_);
        return updates_;
    }
    json tile(std::size_t index) {
        std::lock_guard lock(mutex_);
        return tiles_.at(index);
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::size_t, json> tiles_;
    int updates_ = 0;
};

class DashboardFeedTest : public ::testing::Test {
  protected:
    DashboardFeedTest() { Write("CREATE TABLE t AS SELECT 1 AS i"); }

    void Write(const std::string& sql) {
        const auto transaction = warehouse_->Begin();
        ASSERT_TRUE(transaction);
        ASSERT_TRUE((*transaction)->Execute(sql));
        ASSERT_TRUE((*transaction)->Commit());
    }
    static DashboardConfig Dashboard(const std::vector<std::string>& sqls) {
        DashboardConfig dashboard;
        dashboard.name = "school";
        dashboard.refresh = 50ms;
        for (const auto& sql : sqls) dashboard.tiles.emplace_back().sql = sql;
        return dashboard;
    }

    const std::unique_ptr<Warehouse> warehouse_ = testing::OpenWarehouse();
    SystemClock clock_;
    QueryService queries_{*warehouse_};
    DashboardFeed feed_{queries_, clock_};
};

TEST_F(DashboardFeedTest, ShowsEveryTileOnceAndThenOnlyWhatHasChanged) {
    Viewer viewer;
    const auto subscription = feed_.Subscribe(
        Dashboard({"SELECT max(i) AS i FROM t", "SELECT 7 AS seven", "SELECT 'x'::INTEGER AS i"}),
        viewer.Listener());
    ASSERT_TRUE(viewer.WaitForValue(0, 1));
    ASSERT_TRUE(viewer.WaitFor([](const auto& tiles) { return tiles.size() == 3; }));
    EXPECT_EQ(viewer.tile(1).at("columns"),
              json::parse(R"([{"name": "seven", "type": "INTEGER"}])"));
    EXPECT_EQ(viewer.tile(1).at("error"), nullptr);
    EXPECT_EQ(viewer.tile(2).at("error").at("kind"), "user");
    EXPECT_EQ(viewer.updates(), 3);

    Write("INSERT INTO t VALUES (2)");
    feed_.OnDataChanged();
    ASSERT_TRUE(viewer.WaitForValue(0, 2));
    // A change that no tile sees, and one that a tile does: only the latter arrives.
    Write("CREATE TABLE other AS SELECT 1 AS i");
    feed_.OnDataChanged();
    std::this_thread::sleep_for(200ms);
    Write("INSERT INTO t VALUES (3)");
    feed_.OnDataChanged();
    ASSERT_TRUE(viewer.WaitForValue(0, 3));
    EXPECT_EQ(viewer.updates(), 5);
}

TEST_F(DashboardFeedTest, ComputesOnceForManyViewers) {
    Viewer viewers[3];
    // A query that never gives the same twice shows when it is run.
    const auto dashboard = Dashboard({"SELECT random() AS r"});
    const auto first = feed_.Subscribe(dashboard, viewers[0].Listener());
    const auto second = feed_.Subscribe(dashboard, viewers[1].Listener());
    const auto is_shown = [](const auto& tiles) { return tiles.size() == 1; };
    ASSERT_TRUE(viewers[0].WaitFor(is_shown));
    ASSERT_TRUE(viewers[1].WaitFor(is_shown));
    const auto late = feed_.Subscribe(dashboard, viewers[2].Listener());
    ASSERT_TRUE(viewers[2].WaitFor(is_shown));
    EXPECT_EQ(viewers[0].tile(0), viewers[1].tile(0));
    EXPECT_EQ(viewers[0].tile(0), viewers[2].tile(0));
    EXPECT_EQ(viewers[0].updates(), 1);
}

TEST_F(DashboardFeedTest, AsksNoMoreOftenThanTheRefreshTime) {
    Viewer viewer;
    auto dashboard = Dashboard({"SELECT random() AS r"});
    dashboard.refresh = 200ms;
    const auto subscription = feed_.Subscribe(dashboard, viewer.Listener());
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < 1s) {
        feed_.OnDataChanged();
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_GE(viewer.updates(), 2);
    EXPECT_LE(viewer.updates(), 7);
}

TEST_F(DashboardFeedTest, ATileHasAtMostTenThousandRows) {
    Viewer viewer;
    const auto subscription =
        feed_.Subscribe(Dashboard({"SELECT i FROM range(50000) r(i)"}), viewer.Listener());
    ASSERT_TRUE(viewer.WaitFor([](const auto& tiles) { return tiles.size() == 1; }));
    EXPECT_EQ(viewer.tile(0).at("rows").size(), 10'000U);
}

TEST_F(DashboardFeedTest, ATileThatNobodyLooksAtIsGivenUp) {
    Viewer viewer;
    auto subscription = feed_.Subscribe(
        Dashboard({"SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) "
                   "WHERE (i * j) % 7 = 3"}),
        viewer.Listener());
    while (queries_.running() == 0) std::this_thread::sleep_for(1ms);
    subscription.reset();
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (queries_.running() > 0 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(queries_.running(), 0U);
    EXPECT_EQ(viewer.updates(), 0);
}

}  // namespace
}  // namespace biwa
