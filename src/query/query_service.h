// Runs people's queries: so many at once, so many waiting, none for ever.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "query/sink.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct QueryLimits {
    std::size_t running_max = 4;
    std::size_t waiting_max = 64;
    std::chrono::milliseconds waiting_time_max{30'000};
    std::chrono::milliseconds running_time_max{300'000};
};

struct QueryRequest {
    std::string sql;
    std::string id = {};                                    // to cancel it by; may be empty
    std::optional<std::uint64_t> row_limit = std::nullopt;  // rows beyond it are not delivered
    std::string as_of = {};  // the moment whose rows are meant; empty: now
    // Instead of the service's.
    std::optional<std::chrono::milliseconds> running_time_max = std::nullopt;
};

// Thread-safe. Each query runs on one of running_max threads of the service with a read session of
// that thread, so a slow sink holds up its own query and takes one of the places.
class QueryService {
  public:
    using Done = std::function<void(const Result<QueryStats>&)>;

    // Opens a session on the rows of a moment.
    using OpenAsOf = std::function<Result<std::unique_ptr<ReadSession>>(const std::string& moment)>;

    // The warehouse outlives the service.
    explicit QueryService(Warehouse& warehouse, QueryLimits limits = {},
                          OpenAsOf open_as_of = nullptr);
    // Cancels what runs and waits for it; sinks that wait must give up by themselves.
    ~QueryService();
    QueryService(const QueryService&) = delete;
    QueryService& operator=(const QueryService&) = delete;

    // Returns at once. `done` is called exactly once: by a thread of the service after the sink's
    // last call or, when the line is full, by this call (kUnavailable). It must not wait.
    void Start(QueryRequest request, std::shared_ptr<ResultSink> sink, std::stop_token stop,
               Done done);
    // The same, and waits. Not from a sink or a Done.
    Result<QueryStats> Run(QueryRequest request, ResultSink& sink, std::stop_token stop = {});

    // Ends every query of that id, running or waiting, with kUser. False when there is none.
    bool Cancel(std::string_view id);

    // Whether a query runs, or has within the time.
    bool has_run_within(std::chrono::milliseconds time) const;
    std::size_t running() const;
    std::size_t waiting() const;

  private:
    struct Query;

    void Work(std::stop_token stop);
    void Watch(std::stop_token stop);
    Result<QueryStats> Execute(Query& query, std::unique_ptr<ReadSession>& session);
    void Stop(Query& query, Error why);
    void WakeAll();

    Warehouse& warehouse_;
    const QueryLimits limits_;
    const OpenAsOf open_as_of_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<std::chrono::steady_clock::time_point> last_ended_;
    bool must_watch_ = false;  // something has changed that the watcher has not seen
    std::deque<std::shared_ptr<Query>> waiting_;
    std::vector<std::shared_ptr<Query>> running_;
    std::vector<std::jthread> threads_;
};

}  // namespace biwa
