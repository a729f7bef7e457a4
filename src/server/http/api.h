// What the server answers: routes to the backend, all else from the page's files.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "server/http/backend.h"
#include "server/http/exchange.h"
#include "server/http/guard.h"
#include "server/http/static_files.h"
#include "server/http/status_feed.h"

namespace biwa::http {

// Threads for what must not run on a network thread, and a limit on what waits for them.
class Workers {
  public:
    Workers(std::size_t threads, std::size_t waiting_max)
        : waiting_max_(waiting_max), pool_(threads) {}
    ~Workers() { pool_.join(); }
    // False when too much waits already.
    bool Run(std::function<void()> job);

  private:
    const std::size_t waiting_max_;
    std::atomic<std::size_t> waiting_{0};
    boost::asio::thread_pool pool_;
};

struct ApiOptions {
    std::string version;
    GuardOptions guard;
    std::size_t event_streams_max = 800;
};

// Thread-safe. Goes only when no exchange is left.
class Api {
  public:
    Api(Backend& backend, ApiOptions options, StaticFiles files);

    // Called by network threads: what takes time goes to a worker.
    void Handle(const std::shared_ptr<Exchange>& exchange);
    void OnStatusChanged() { status_.OnStatusChanged(); }

  private:
    using Job = std::function<Response()>;

    void AnswerBy(Workers& workers, const std::shared_ptr<Exchange>& exchange, Job job);
    void StartQuery(const std::shared_ptr<Exchange>& exchange);
    // One of the places for streams of events: given back when the last copy goes.
    using Place = std::shared_ptr<void>;
    void StartEvents(const std::shared_ptr<Exchange>& exchange,
                     std::function<void(const Place&)> begin);
    void ShowDashboard(const std::shared_ptr<Exchange>& exchange, const std::string& name,
                       const Place& place);
    Response Dashboards();
    Response Dashboard(const std::string& name);
    Response CancelQuery(const std::string& id);
    void Run(const std::shared_ptr<Exchange>& exchange);

    Backend& backend_;
    const ApiOptions options_;
    const StaticFiles files_;
    std::atomic<std::size_t> event_streams_{0};
    StatusFeed status_;
    Workers quick_{2, 256};
    Workers slow_{4, 16};
};

}  // namespace biwa::http
