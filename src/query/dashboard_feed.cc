#include "query/dashboard_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "query/json_writer.h"

namespace biwa {

namespace {

using SteadyClock = std::chrono::steady_clock;

// Gathers a result as the "columns" and "rows" of a tile's JSON.
class TileSink final : public ResultSink {
  public:
    Status Begin(const std::vector<Column>& columns) override {
        AppendJsonColumns(columns, columns_);
        return {};
    }
    Status Block(const RowBlock& block) override {
        if (!rows_.empty()) rows_ += ',';
        AppendJsonRows(block, rows_);
        if (rows_.size() <= DashboardFeed::kTileBytesMax) return {};
        return UserError(fmt::format("the tile's result is larger than {} MB",
                                     DashboardFeed::kTileBytesMax >> 20),
                         "Select less: a tile shows at most a few thousand values.");
    }
    Status End(const QueryStats&) override { return {}; }

    std::string ToJson() const {
        return "\"columns\":" + columns_ + ",\"rows\":[" + rows_ + "],\"error\":null";
    }

  private:
    std::string columns_;
    std::string rows_;
};

bool IsSame(const DashboardConfig& a, const DashboardConfig& b) {
    return a.name == b.name && a.refresh == b.refresh &&
           std::equal(
               a.tiles.begin(), a.tiles.end(), b.tiles.begin(), b.tiles.end(),
               [](const TileConfig& one, const TileConfig& other) { return one.sql == other.sql; });
}

}  // namespace

struct DashboardFeed::Tile {
    std::string sql;
    bool running = false;
    std::uint64_t data_version = 0;  // when it was last begun
    SteadyClock::time_point begun{};
    std::string result;  // what counts as changed: columns, rows and error
    TileJson json;       // null before the first result
};

// A dashboard with subscribers.
struct DashboardFeed::Shown {
    DashboardConfig config;
    std::vector<Tile> tiles;
    std::vector<Ticket*> tickets;
    std::stop_source stop;  // the last subscriber has gone
};

class DashboardFeed::Ticket final : public Subscription {
  public:
    Ticket(DashboardFeed& feed, std::shared_ptr<Shown> shown, Listener listener)
        : feed_(feed), listener_(std::move(listener)), shown_(std::move(shown)) {}
    ~Ticket() override { feed_.Unsubscribe(shown_, this); }

    void Show(std::size_t tile, const TileJson& json) const { listener_(tile, json); }

  private:
    DashboardFeed& feed_;
    const Listener listener_;
    const std::shared_ptr<Shown> shown_;
};

DashboardFeed::DashboardFeed(QueryService& queries, const Clock& clock)
    : queries_(queries), clock_(clock) {
    thread_ = std::jthread([this](std::stop_token stop) { Loop(std::move(stop)); });
}

DashboardFeed::~DashboardFeed() {
    thread_.request_stop();
    thread_.join();
    std::unique_lock lock(mutex_);
    BIWA_CHECK(shown_.empty());
    changed_.wait(lock, [&] { return tiles_running_ == 0; });
}

std::unique_ptr<DashboardFeed::Subscription> DashboardFeed::Subscribe(
    const DashboardConfig& dashboard, Listener listener) {
    std::lock_guard lock(mutex_);
    const auto known = std::find_if(shown_.begin(), shown_.end(), [&](const auto& shown) {
        return IsSame(shown->config, dashboard);
    });
    std::shared_ptr<Shown> shown;
    if (known != shown_.end()) {
        shown = *known;
    } else {
        shown = std::make_shared<Shown>();
        shown->config = dashboard;
        for (const auto& tile : dashboard.tiles) shown->tiles.emplace_back().sql = tile.sql;
        shown_.push_back(shown);
    }
    auto ticket = std::make_unique<Ticket>(*this, shown, std::move(listener));
    shown->tickets.push_back(ticket.get());
    for (std::size_t i = 0; i < shown->tiles.size(); ++i) {
        if (shown->tiles[i].json) ticket->Show(i, shown->tiles[i].json);
    }
    has_subscribers_ = true;
    must_look_ = true;
    changed_.notify_all();
    return ticket;
}

void DashboardFeed::Unsubscribe(const std::shared_ptr<Shown>& shown, const Ticket* ticket) {
    {
        std::lock_guard lock(mutex_);
        std::erase(shown->tickets, ticket);
        if (!shown->tickets.empty()) return;
        std::erase(shown_, shown);
        has_subscribers_ = !shown_.empty();
    }
    shown->stop.request_stop();
}

void DashboardFeed::OnDataChanged() {
    data_version_.fetch_add(1);
    if (!has_subscribers_) return;
    std::lock_guard lock(mutex_);
    must_look_ = true;
    changed_.notify_all();
}

void DashboardFeed::Loop(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        must_look_ = false;
        const auto now = SteadyClock::now();
        auto next = now + std::chrono::hours(1);
        // The one that has waited longest is next, so that tiles which take longer than their
        // refresh time keep no other from its turn.
        std::shared_ptr<Shown> oldest;
        std::size_t oldest_index = 0;
        for (const auto& dashboard : shown_) {
            for (std::size_t i = 0; i < dashboard->tiles.size(); ++i) {
                const auto& tile = dashboard->tiles[i];
                if (tile.running || tile.data_version == data_version_) continue;
                const bool was_begun = tile.begun != SteadyClock::time_point{};
                const auto due = was_begun ? tile.begun + dashboard->config.refresh : now;
                if (due > now) {
                    next = std::min(next, due);
                } else if (!oldest || tile.begun < oldest->tiles[oldest_index].begun) {
                    oldest = dashboard;
                    oldest_index = i;
                }
            }
        }
        if (oldest && tiles_running_ < kTilesAtOnceMax) {
            StartTile(oldest, oldest_index, lock);
            continue;
        }
        changed_.wait_until(lock, stop, next, [&] { return must_look_; });
    }
}

void DashboardFeed::StartTile(const std::shared_ptr<Shown>& shown, std::size_t index,
                              std::unique_lock<std::mutex>& lock) {
    auto& tile = shown->tiles[index];
    tile.running = true;
    tile.data_version = data_version_;
    tile.begun = SteadyClock::now();
    ++tiles_running_;
    const auto as_of = clock_.Now();
    const auto sink = std::make_shared<TileSink>();
    const auto done = [this, shown, index, as_of, sink](const Result<QueryStats>& stats) {
        const bool refused = !stats && stats.error().kind == ErrorKind::kUnavailable;
        const auto seconds = stats ? stats->seconds : 0.0;
        auto result = stats ? sink->ToJson()
                            : "\"columns\":[],\"rows\":[],\"error\":" + ErrorToJson(stats.error());
        auto json = std::make_shared<const std::string>(
            fmt::format(R"({{"id":{},{},"as_of":"{}","seconds":{:.6f}}})", index, result,
                        ToIso8601(as_of), seconds));
        std::lock_guard guard(mutex_);
        auto& finished = shown->tiles[index];
        finished.running = false;
        if (refused) {
            // The machine is busy. That says nothing about the tile: it is asked again later.
            finished.data_version = 0;
        } else if (!shown->stop.stop_requested()) {
            const bool is_new = !finished.json || finished.result != result;
            finished.result = std::move(result);
            finished.json = std::move(json);
            if (is_new) {
                for (const auto* ticket : shown->tickets) ticket->Show(index, finished.json);
            }
        }
        --tiles_running_;
        must_look_ = true;
        changed_.notify_all();
    };
    lock.unlock();
    queries_.Start(
        {.sql = tile.sql, .id = {}, .row_limit = kTileRowsMax, .running_time_max = kTileTimeMax},
        sink, shown->stop.get_token(), done);
    lock.lock();
}

}  // namespace biwa
