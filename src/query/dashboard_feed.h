// Keeps the tiles of dashboards that somebody looks at as fresh as the warehouse.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "project/project.h"
#include "query/query_service.h"

namespace biwa {

// Thread-safe. A tile is computed once for any number of subscribers: at first, and then when the
// data has changed and the dashboard's `refresh` has passed since it was last begun. Nothing is
// computed for a dashboard that has no subscriber.
class DashboardFeed {
  public:
    static constexpr std::uint64_t kTileRowsMax = 10'000;
    static constexpr std::size_t kTileBytesMax = 16 << 20;
    static constexpr std::size_t kTilesAtOnceMax = 2;  // leaves places of the service to people
    static constexpr std::chrono::milliseconds kTileTimeMax{60'000};

    // {"id": 0, "columns": […], "rows": […], "error": null, "as_of": …, "seconds": …}
    using TileJson = std::shared_ptr<const std::string>;
    // Called for every tile once and then for each whose result has changed. Must neither wait nor
    // call the feed. Not called any more once the subscription is gone.
    using Listener = std::function<void(std::size_t tile, const TileJson& json)>;

    class Subscription {
      public:
        virtual ~Subscription() = default;
    };

    // Both outlive the feed.
    DashboardFeed(QueryService& queries, const Clock& clock);
    // Subscriptions must be gone.
    ~DashboardFeed();
    DashboardFeed(const DashboardFeed&) = delete;
    DashboardFeed& operator=(const DashboardFeed&) = delete;

    std::unique_ptr<Subscription> Subscribe(const DashboardConfig& dashboard, Listener listener);

    // The warehouse has other data than before. Cheap: may be called after every commit.
    void OnDataChanged();

  private:
    struct Tile;
    struct Shown;
    class Ticket;

    void Loop(std::stop_token stop);
    void StartTile(const std::shared_ptr<Shown>& shown, std::size_t index,
                   std::unique_lock<std::mutex>& lock);
    void Unsubscribe(const std::shared_ptr<Shown>& shown, const Ticket* ticket);

    QueryService& queries_;
    const Clock& clock_;
    std::atomic<std::uint64_t> data_version_{1};
    std::atomic<bool> has_subscribers_{false};

    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool must_look_ = false;
    std::vector<std::shared_ptr<Shown>> shown_;  // dashboards with subscribers
    std::size_t tiles_running_ = 0;
    std::jthread thread_;
};

}  // namespace biwa
