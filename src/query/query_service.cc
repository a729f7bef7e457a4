#include "query/query_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace biwa {

namespace {

using SteadyClock = std::chrono::steady_clock;

// An interrupt that arrives before the engine has begun the statement is lost, so it is repeated
// until the query has ended.
constexpr std::chrono::milliseconds kInterruptAgain{20};

double SecondsSince(SteadyClock::time_point start) {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

Error Cancelled() { return {ErrorKind::kUser, "the query was cancelled", ""}; }

// Reads the whole stream into the sink, up to the limit.
Result<QueryStats> Pump(ReadSession& session, const QueryRequest& request, ResultSink& sink) {
    const auto start = SteadyClock::now();
    const auto stream = BIWA_TRY(session.Query(request.sql));
    BIWA_TRY(sink.Begin(stream->columns()));
    QueryStats stats;
    while (const RowBlock* const block = BIWA_TRY(stream->Next())) {
        if (!request.row_limit || stats.rows + block->rows <= *request.row_limit) {
            BIWA_TRY(sink.Block(*block));
            stats.rows += block->rows;
            continue;
        }
        stats.truncated = true;
        RowBlock head = *block;
        head.rows = *request.row_limit - stats.rows;
        stats.rows += head.rows;
        if (head.rows > 0) BIWA_TRY(sink.Block(head));
        break;
    }
    stats.seconds = SecondsSince(start);
    BIWA_TRY(sink.End(stats));
    return stats;
}

}  // namespace

struct QueryService::Query {
    QueryRequest request;
    std::shared_ptr<ResultSink> sink;
    Done done;
    SteadyClock::time_point deadline;  // of waiting, then of running
    ReadSession* session = nullptr;    // while it runs
    std::optional<Error> stopped;      // why it has to end
    std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

QueryService::QueryService(Warehouse& warehouse, QueryLimits limits, OpenAsOf open_as_of)
    : warehouse_(warehouse), limits_(limits), open_as_of_(std::move(open_as_of)) {
    BIWA_CHECK(limits_.running_max > 0);
    for (std::size_t i = 0; i < limits_.running_max; ++i) {
        threads_.emplace_back([this](std::stop_token stop) { Work(std::move(stop)); });
    }
    threads_.emplace_back([this](std::stop_token stop) { Watch(std::move(stop)); });
}

QueryService::~QueryService() {
    {
        std::lock_guard lock(mutex_);
        const Error why{ErrorKind::kUnavailable, "the query was cancelled: Biwa is stopping", ""};
        for (const auto& query : waiting_) Stop(*query, why);
        for (const auto& query : running_) Stop(*query, why);
    }
    // The watcher goes last: until then it interrupts what still runs and ends what waits.
    auto watcher = std::move(threads_.back());
    threads_.pop_back();
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
    watcher.request_stop();
    watcher.join();
}

void QueryService::Start(QueryRequest request, std::shared_ptr<ResultSink> sink,
                         std::stop_token stop, Done done) {
    const auto query = std::make_shared<Query>();
    query->request = std::move(request);
    query->sink = std::move(sink);
    query->done = std::move(done);
    query->deadline = SteadyClock::now() + limits_.waiting_time_max;
    query->on_stop.emplace(std::move(stop), [this, raw = query.get()] {
        std::lock_guard lock(mutex_);
        Stop(*raw, Cancelled());
    });
    {
        std::lock_guard lock(mutex_);
        if (waiting_.size() < limits_.waiting_max) {
            waiting_.push_back(query);
            WakeAll();
            return;
        }
    }
    query->done(Unavailable(fmt::format("too many queries are running ({}, and {} are waiting)",
                                        limits_.running_max, limits_.waiting_max),
                            "Try again in a moment."));
}

Result<QueryStats> QueryService::Run(QueryRequest request, ResultSink& sink, std::stop_token stop) {
    std::promise<Result<QueryStats>> promise;
    auto result = promise.get_future();
    Start(std::move(request), std::shared_ptr<ResultSink>(std::shared_ptr<void>(), &sink),
          std::move(stop), [&](const Result<QueryStats>& stats) { promise.set_value(stats); });
    return result.get();
}

bool QueryService::Cancel(std::string_view id) {
    if (id.empty()) return false;
    std::lock_guard lock(mutex_);
    bool found = false;
    const auto stop_if_meant = [&](const std::shared_ptr<Query>& query) {
        if (query->request.id != id) return;
        Stop(*query, Cancelled());
        found = true;
    };
    std::for_each(waiting_.begin(), waiting_.end(), stop_if_meant);
    std::for_each(running_.begin(), running_.end(), stop_if_meant);
    return found;
}

bool QueryService::has_run_within(std::chrono::milliseconds time) const {
    std::lock_guard lock(mutex_);
    return !running_.empty() || !waiting_.empty() ||
           (last_ended_ && SteadyClock::now() - *last_ended_ <= time);
}

std::size_t QueryService::running() const {
    std::lock_guard lock(mutex_);
    return running_.size();
}

std::size_t QueryService::waiting() const {
    std::lock_guard lock(mutex_);
    return waiting_.size();
}

// With the mutex held, both.
void QueryService::WakeAll() {
    must_watch_ = true;
    changed_.notify_all();
}

void QueryService::Stop(Query& query, Error why) {
    if (query.stopped) return;
    query.stopped = std::move(why);
    if (query.session != nullptr) query.session->Interrupt();
    WakeAll();
}

void QueryService::Work(std::stop_token stop) {
    std::unique_ptr<ReadSession> session;
    while (true) {
        std::shared_ptr<Query> query;
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [&] { return !waiting_.empty(); })) return;
            query = std::move(waiting_.front());
            waiting_.pop_front();
            query->deadline = SteadyClock::now() +
                              query->request.running_time_max.value_or(limits_.running_time_max);
            running_.push_back(query);
            WakeAll();
        }
        auto result = Execute(*query, session);
        bool was_stopped = false;
        {
            std::lock_guard lock(mutex_);
            query->session = nullptr;
            std::erase(running_, query);
            last_ended_ = SteadyClock::now();
            was_stopped = query->stopped.has_value();
            if (!result && was_stopped) result = tl::unexpected(*query->stopped);
            WakeAll();
        }
        // An interrupt may have hit the end of the query's transaction instead of the query.
        if (was_stopped || !query->request.as_of.empty()) session.reset();
        query->on_stop.reset();
        query->sink.reset();
        query->done(result);
    }
}

Result<QueryStats> QueryService::Execute(Query& query, std::unique_ptr<ReadSession>& session) {
    const auto& as_of = query.request.as_of;
    if (!as_of.empty()) {
        if (!open_as_of_) return UserError("there is no history to look back to");
        session = BIWA_TRY(open_as_of_(as_of));
    }
    if (!session) session = BIWA_TRY(warehouse_.OpenSession());
    {
        std::lock_guard lock(mutex_);
        if (query.stopped) return tl::unexpected(*query.stopped);
        query.session = session.get();
    }
    return Pump(*session, query.request, *query.sink);
}

void QueryService::Watch(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    // A query can be put in line until the service goes, so what waits is looked at once more then.
    while (!stop.stop_requested() || !waiting_.empty()) {
        must_watch_ = false;
        const auto now = SteadyClock::now();
        auto next = now + std::chrono::hours(1);
        for (const auto& query : running_) {
            if (!query->stopped && now >= query->deadline) {
                const auto limit =
                    query->request.running_time_max.value_or(limits_.running_time_max);
                const auto seconds = std::chrono::duration<double>(limit).count();
                query->stopped = Error{ErrorKind::kUser,
                                       fmt::format("the query ran longer than {} and was stopped",
                                                   HumanSeconds(seconds)),
                                       "Read less data, or make a model of it and query that."};
            }
            if (query->stopped && query->session != nullptr) query->session->Interrupt();
            next = std::min(next, query->stopped ? now + kInterruptAgain : query->deadline);
        }
        std::vector<std::pair<std::shared_ptr<Query>, Error>> ended;
        std::erase_if(waiting_, [&](const std::shared_ptr<Query>& query) {
            if (!query->stopped && now < query->deadline) {
                next = std::min(next, query->deadline);
                return false;
            }
            ended.emplace_back(
                query,
                query->stopped.value_or(
                    Error{ErrorKind::kUnavailable,
                          fmt::format(
                              "too many queries are running: this one waited {} in vain",
                              HumanSeconds(
                                  std::chrono::duration<double>(limits_.waiting_time_max).count())),
                          "Try again in a moment."}));
            return true;
        });
        if (!ended.empty()) {
            lock.unlock();
            for (const auto& entry : ended) {
                entry.first->on_stop.reset();
                entry.first->sink.reset();
                entry.first->done(tl::unexpected(entry.second));
            }
            lock.lock();
            continue;
        }
        changed_.wait_until(lock, stop, next, [&] { return must_watch_; });
    }
}

}  // namespace biwa
