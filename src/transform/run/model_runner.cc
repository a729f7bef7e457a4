#include "transform/run/model_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "transform/run/builder.h"
#include "transform/run/cancellation.h"

namespace biwa::transform {

namespace {

constexpr int kAttemptsMax = 6;
constexpr std::chrono::milliseconds kFirstPause{20};

// Tries again after a conflict with another writer, later each time.
template <typename Function>
auto WithRetries(Cancellation& cancellation, const Function& function) {
    auto pause = kFirstPause;
    for (int attempt = 1;; ++attempt, pause *= 2) {
        auto result = function();
        if (result || result.error().kind != ErrorKind::kConflict || attempt == kAttemptsMax)
            return result;
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        if (never.wait_for(lock, cancellation.token(), pause,
                           [&] { return cancellation.requested(); }))
            return result;
    }
}

class Run {
  public:
    Run(BuildContext context, const CompiledGraph& graph, const std::set<TableName>& selection,
        RunObserver* observer, std::stop_token stop)
        : context_(std::move(context)), observer_(observer), cancellation_(std::move(stop)) {
        // The way from one selected action to another may lead through some that are not.
        std::map<TableName, std::set<std::size_t>> reached;
        for (const auto& action : graph.actions) {
            std::set<std::size_t> before;
            for (const auto& dependency : action.dependencies) {
                const auto found = reached.find(dependency);
                if (found != reached.end())
                    before.insert(found->second.begin(), found->second.end());
            }
            if (!selection.contains(action.target)) {
                reached[action.target] = std::move(before);
                continue;
            }
            reached[action.target] = {steps_.size()};
            auto& step = steps_.emplace_back();
            step.action = &action;
            step.result.target = action.target;
            step.result.type = action.type;
            step.waits_for = std::move(before);
        }
    }

    RunResult Execute(const CompiledGraph& graph, int threads) {
        const auto prepared =
            WithRetries(cancellation_, [&] { return PrepareDatasets(context_.warehouse, graph); });
        if (!prepared) {
            for (auto& step : steps_) {
                step.result.state = RunState::kFailed;
                step.result.error = prepared.error();
                Tell(&RunObserver::OnFinished, *step.action, step.result);
            }
        } else {
            std::vector<std::jthread> workers;
            const auto useful = std::min<std::size_t>(std::max(threads, 1), steps_.size());
            for (std::size_t i = 1; i < useful; ++i) workers.emplace_back([this] { Work(); });
            Work();
        }
        RunResult result;
        for (auto& step : steps_) result.actions.push_back(std::move(step.result));
        return result;
    }

  private:
    struct Step {
        const Action* action = nullptr;
        std::set<std::size_t> waits_for;
        ActionResult result;
        bool begun = false;
        bool done = false;
    };

    template <typename Method, typename... Args>
    void Tell(Method method, const Args&... args) {
        if (observer_ == nullptr) return;
        std::lock_guard lock(observer_mutex_);
        (observer_->*method)(args...);
    }

    void Work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            Step* const step = Next(lock);
            if (step == nullptr) return;
            step->begun = true;
            const auto* const failed = FailedBefore(*step);
            lock.unlock();
            if (failed != nullptr) {
                Skip(*step, *failed);
            } else if (cancellation_.requested()) {
                step->result.state = RunState::kCancelled;
            } else {
                Tell(&RunObserver::OnStarted, *step->action);
                Perform(*step);
            }
            Tell(&RunObserver::OnFinished, *step->action, step->result);
            lock.lock();
            step->done = true;
            changed_.notify_all();
        }
    }

    // The first step that can be begun; waits for one. nullptr when all are begun.
    Step* Next(std::unique_lock<std::mutex>& lock) {
        for (;;) {
            bool all_begun = true;
            for (auto& step : steps_) {
                if (step.begun) continue;
                all_begun = false;
                if (std::all_of(step.waits_for.begin(), step.waits_for.end(),
                                [&](std::size_t before) { return steps_[before].done; }))
                    return &step;
            }
            if (all_begun) return nullptr;
            changed_.wait(lock);
        }
    }

    const Step* FailedBefore(const Step& step) const {
        for (const auto before : step.waits_for) {
            const auto state = steps_[before].result.state;
            if (state == RunState::kFailed || state == RunState::kSkipped) return &steps_[before];
        }
        return nullptr;
    }

    static void Skip(Step& step, const Step& failed) {
        step.result.state = RunState::kSkipped;
        step.result.error =
            Error{ErrorKind::kUser,
                  fmt::format("skipped: {} {}", failed.result.target.ToString(),
                              failed.result.state == RunState::kFailed ? "failed" : "was skipped"),
                  ""};
    }

    void Perform(Step& step) {
        auto& result = step.result;
        const auto began = std::chrono::steady_clock::now();
        result.started_at = context_.clock.Now();
        std::optional<Error> error;
        if (step.action->type == ActionType::kAssertion) {
            auto failing = Check(context_.warehouse, *step.action, cancellation_);
            if (!failing) {
                error = std::move(failing).error();
            } else {
                result.failing = std::move(*failing);
                if (result.failing.count > 0) error = AssertionError(*step.action, result.failing);
            }
        } else {
            auto rows = WithRetries(cancellation_,
                                    [&] { return Build(context_, *step.action, cancellation_); });
            if (rows) {
                result.rows = *rows;
            } else {
                error = std::move(rows).error();
            }
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        result.seconds = took.count();
        if (!error) return;
        // What fails while a stop is under way fails because of it.
        result.state = cancellation_.requested() ? RunState::kCancelled : RunState::kFailed;
        if (result.state == RunState::kFailed) result.error = std::move(error);
    }

    static Error AssertionError(const Action& action, const FailingRows& failing) {
        return {ErrorKind::kUser,
                fmt::format("{}: {} row{} should not be there", action.location.ToString(),
                            failing.count, failing.count == 1 ? "" : "s"),
                ""};
    }

    const BuildContext context_;
    RunObserver* const observer_;
    Cancellation cancellation_;
    std::mutex observer_mutex_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Step> steps_;
};

std::string NewRunId(Micros now) {
    static std::atomic<unsigned> counter{0};
    return fmt::format("{}-{}", ToIso8601(now), counter++);
}

}  // namespace

ModelRunner::ModelRunner(Warehouse& warehouse, const Clock& clock)
    : warehouse_(warehouse), clock_(clock) {}

RunResult ModelRunner::Run(const CompiledGraph& graph, const std::set<TableName>& selection,
                           const RunOptions& options, RunObserver* observer, std::stop_token stop) {
    BuildContext context{warehouse_, clock_, NewRunId(clock_.Now()), options.full_refresh};
    return transform::Run(std::move(context), graph, selection, observer, std::move(stop))
        .Execute(graph, options.threads);
}

}  // namespace biwa::transform
