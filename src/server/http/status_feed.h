// Tells whoever listens how the instance is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "server/http/exchange.h"

namespace biwa::http {

// Thread-safe. The status is made by the feed's own thread, once for all listeners, after a change
// and at most once a second; never while nobody listens.
class StatusFeed {
  public:
    explicit StatusFeed(std::function<std::string()> make_json);
    ~StatusFeed();

    // Begins with the status as it is. Forgets the exchange when its caller has gone.
    void Add(const std::shared_ptr<Exchange>& exchange);
    void OnStatusChanged();

  private:
    void Loop(std::stop_token stop);

    const std::function<std::string()> make_json_;
    std::atomic<bool> has_listeners_{false};
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool is_stale_ = false;
    std::vector<std::weak_ptr<Exchange>> listeners_;
    std::jthread thread_;
};

}  // namespace biwa::http
