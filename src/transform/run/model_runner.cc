#include "transform/run/model_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "transform/run/applied.h"
#include "transform/run/build_times.h"
#include "transform/run/builder.h"
#include "transform/run/cancellation.h"
#include "transform/run/engine_error.h"

namespace biwa::transform {

namespace {

constexpr int kAttemptsMax = 6;
constexpr std::chrono::milliseconds kFirstPause{20};
constexpr Micros kPruneEvery = Micros{3600} * 1'000'000;

// Models that are built in one transaction: what is committed with others is seen a little later,
// and built twice when one of them fails.
constexpr std::size_t kTogetherMax = 16;
constexpr double kTogetherSecondsMax = 0.05;                // by what they took the last time
constexpr std::chrono::milliseconds kTogetherTimeMax{250};  // then each is built by itself

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
        BuildTimes& times, RunObserver* observer, std::stop_token stop)
        : context_(std::move(context)),
          observer_(observer),
          times_(times),
          cancellation_(std::move(stop)) {
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
            const auto place = steps_.size();
            reached[action.target] = {place};
            auto& step = steps_.emplace_back();
            step.action = &action;
            step.result = Blank(action);
            step.waits_for = before.size();
            for (const auto earlier : before) steps_[earlier].dependents.push_back(place);
            if (before.empty()) ready_.insert(place);
        }
    }

    RunResult Execute(const CompiledGraph& graph, int threads, bool resume) {
        const auto prepared = WithRetries(cancellation_, [&]() -> Status {
            BIWA_TRY(PrepareDatasets(context_.warehouse, graph));
            if (resume) done_before_ = BIWA_TRY(BuildsOfRun(context_.warehouse, context_.run_id));
            return {};
        });
        if (!prepared) {
            for (auto& step : steps_) {
                step.result.state = RunState::kFailed;
                step.result.error = prepared.error();
                Tell(&RunObserver::OnFinished, *step.action, step.result);
            }
        } else if (!steps_.empty()) {
            if (steps_.size() > 1) times_.Load(context_.warehouse);
            std::vector<std::jthread> workers;
            workers_ = std::min<std::size_t>(std::max(threads, 1), steps_.size());
            for (std::size_t i = 1; i < workers_; ++i) workers.emplace_back([this] { Work(); });
            Work();
        }
        RunResult result;
        result.run_id = context_.run_id;
        for (auto& step : steps_) result.actions.push_back(std::move(step.result));
        return result;
    }

  private:
    struct Step {
        const Action* action = nullptr;
        std::size_t waits_for = 0;  // steps that are not done yet
        std::vector<std::size_t> dependents;
        std::optional<std::size_t> failed_before;  // a step that it waited for
        bool is_begun = false;
        bool is_alone = false;         // was one of several that came to nothing
        std::size_t begun_before = 0;  // begun_ when it was; 0: others were under way
        bool was_built = false;
        bool has_new_input = false;  // something that it reads was built
        ActionResult result;
    };

    static ActionResult Blank(const Action& action) {
        ActionResult result;
        result.target = action.target;
        result.type = action.type;
        result.severity = action.severity;
        return result;
    }

    template <typename Method, typename... Args>
    void Tell(Method method, const Args&... args) {
        if (observer_ == nullptr) return;
        std::lock_guard lock(observer_mutex_);
        (observer_->*method)(args...);
    }

    void Work() {
        // Its connection stays open from one build to the next.
        auto bench = context_.warehouse.OpenWorkbench();
        std::unique_lock lock(mutex_);
        for (auto places = Next(lock); !places.empty(); places = Next(lock)) {
            lock.unlock();
            std::vector<Step*> steps;
            for (const auto place : places) {
                auto& step = steps_[place];
                if (IsSettled(step)) continue;
                if (!step.is_begun) Tell(&RunObserver::OnStarted, *step.action);
                step.is_begun = true;
                step.was_built = step.action->MakesTable();
                steps.push_back(&step);
            }
            if (steps.size() == 1) {
                Perform(*steps[0], bench);
            } else if (!steps.empty() && !(bench && PerformTogether(steps, **bench))) {
                // Whoever is free takes them: one may have become slow.
                lock.lock();
                for (auto* step : steps) step->is_alone = true;
                ready_.insert(places.begin(), places.end());
                Leave();
                continue;
            }
            if (steps.size() == 1 && LackedMemory(*steps[0])) {
                lock.lock();
                // Of two at once each may fail that has room enough by itself.
                const bool had_company = busy_ > 1 || steps[0]->begun_before != begun_;
                if (had_company && !is_exclusive_) {
                    steps[0]->result = Blank(*steps[0]->action);
                    last_.insert(places.begin(), places.end());
                    Leave();
                    continue;
                }
                lock.unlock();
            }
            for (const auto place : places)
                Tell(&RunObserver::OnFinished, *steps_[place].action, steps_[place].result);
            lock.lock();
            for (const auto place : places) MarkDone(place);
            Leave();
        }
    }

    // With the lock: a worker has nothing in hand any more.
    void Leave() {
        --busy_;
        is_exclusive_ = false;
        changed_.notify_all();
    }

    static bool LackedMemory(const Step& step) {
        return step.result.error && step.result.state == RunState::kFailed &&
               IsOutOfMemory(*step.result.error);
    }

    // A step that can be begun, and small ones beside it when it is one; waits for one. None when
    // all are done.
    std::vector<std::size_t> Next(std::unique_lock<std::mutex>& lock) {
        changed_.wait(lock, [&] {
            const bool can_begin =
                !is_exclusive_ && (!ready_.empty() || (!last_.empty() && busy_ == 0));
            return can_begin || done_ == steps_.size();
        });
        std::vector<std::size_t> places;
        if (done_ == steps_.size()) return places;
        ++busy_;
        ++begun_;
        if (ready_.empty()) {
            is_exclusive_ = true;
            places.push_back(*last_.begin());
            last_.erase(last_.begin());
            return places;
        }
        // The other workers have a right to as many.
        const auto places_max = std::min(kTogetherMax, ready_.size() / workers_);
        auto seconds = SecondsIfSmall(*ready_.begin());
        places.push_back(*ready_.begin());
        auto next = ready_.erase(ready_.begin());
        while (seconds && next != ready_.end() && places.size() < places_max) {
            const auto took = SecondsIfSmall(*next);
            if (!took || *seconds + *took > kTogetherSecondsMax) break;
            seconds = *seconds + *took;
            places.push_back(*next);
            next = ready_.erase(next);
        }
        // The one that was there before has company, too: begun_ is another by now.
        if (places.size() == 1) steps_[places[0]].begun_before = busy_ > 1 ? 0 : begun_;
        return places;
    }

    std::optional<double> SecondsIfSmall(std::size_t place) const {
        const auto& step = steps_[place];
        if (step.is_alone || !CanBeBuiltTogether(*step.action)) return std::nullopt;
        return times_.SecondsOf(*step.action);
    }

    // What is not to be built; its result says why.
    bool IsSettled(Step& step) {
        if (step.failed_before) {
            Skip(step, steps_[*step.failed_before]);
        } else if (cancellation_.requested()) {
            step.result.state = RunState::kCancelled;
        } else if (IsDoneBefore(step) && !(step.has_new_input && MayBeBuiltAgain(step))) {
            const auto& before = done_before_.at(step.action->target.ToString());
            step.result.rows = before.rows;
            step.result.bytes = before.bytes;
            step.result.notes = {
                step.has_new_input
                    ? "committed before this run was interrupted, from what it read then: not "
                      "built again, as it would add its rows twice"
                    : "committed before this run was interrupted: not built again"};
        } else {
            return false;
        }
        return true;
    }

    void MarkDone(std::size_t place) {
        const auto& done = steps_[place];
        const bool is_bad =
            done.result.state == RunState::kFailed || done.result.state == RunState::kSkipped;
        for (const auto dependent : done.dependents) {
            auto& step = steps_[dependent];
            if (is_bad && !step.failed_before) step.failed_before = place;
            step.has_new_input = step.has_new_input || done.was_built || done.has_new_input;
            if (--step.waits_for > 0) continue;
            ready_.insert(dependent);
        }
        ++done_;
    }

    bool IsDoneBefore(const Step& step) const {
        const auto found = done_before_.find(step.action->target.ToString());
        return found != done_before_.end() &&
               found->second.content_hash == ContentHash(*step.action);
    }

    // Building it twice is as good as once.
    static bool MayBeBuiltAgain(const Step& step) {
        const auto& action = *step.action;
        if (action.type != ActionType::kIncremental) return action.type != ActionType::kOperations;
        return !action.unique_key.empty() || action.intervals ||
               action.incremental_options.strategy == IncrementalStrategy::kInsertOverwrite;
    }

    static void Skip(Step& step, const Step& failed) {
        step.result.state = RunState::kSkipped;
        step.result.error =
            Error{ErrorKind::kUser,
                  fmt::format("skipped: {} {}", failed.result.target.ToString(),
                              failed.result.state == RunState::kFailed ? "failed" : "was skipped"),
                  ""};
    }

    // False: nothing was done.
    bool PerformTogether(const std::vector<Step*>& steps, Workbench& bench) {
        std::vector<const Action*> actions;
        for (const auto* step : steps) actions.push_back(step->action);
        const auto started_at = context_.clock.Now();
        auto outcomes = BuildTogether(context_, bench, actions, kTogetherTimeMax, cancellation_);
        if (!outcomes) return false;
        for (std::size_t i = 0; i < steps.size(); ++i) {
            auto& result = steps[i]->result;
            result.started_at = started_at;
            result.seconds = (*outcomes)[i].seconds;
            TakeOver((*outcomes)[i], result);
            times_.Note(*actions[i], result.seconds);
        }
        return true;
    }

    static void TakeOver(BuildOutcome& outcome, ActionResult& result) {
        result.rows = outcome.rows;
        result.bytes = outcome.bytes;
        result.notes = std::move(outcome.notes);
        result.due_again = outcome.due_again;
    }

    void Perform(Step& step, Result<std::unique_ptr<Workbench>>& bench) {
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
        } else if (!bench) {
            error = bench.error();
        } else {
            auto outcome = WithRetries(cancellation_, [&] {
                return Build(context_, **bench, *step.action, cancellation_);
            });
            if (outcome) {
                TakeOver(*outcome, result);
            } else {
                error = std::move(outcome).error();
            }
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        result.seconds = took.count();
        if (!error) {
            times_.Note(*step.action, result.seconds);
            return;
        }
        // What fails while a stop is under way fails because of it.
        if (cancellation_.requested()) {
            result.state = RunState::kCancelled;
            return;
        }
        // An assertion whose query cannot run has found nothing out, whatever its severity.
        const bool is_warning = result.failing.count > 0 && result.severity == Severity::kWarn;
        result.state = is_warning ? RunState::kWarned : RunState::kFailed;
        result.error = std::move(error);
    }

    static Error AssertionError(const Action& action, const FailingRows& failing) {
        return {ErrorKind::kUser,
                fmt::format("{}: {} row{} should not be there", action.location.ToString(),
                            failing.count, failing.count == 1 ? "" : "s"),
                ""};
    }

    const BuildContext context_;
    RunObserver* const observer_;
    BuildTimes& times_;
    Cancellation cancellation_;
    std::map<std::string, AppliedBuild> done_before_;  // by this run, before it was resumed
    std::mutex observer_mutex_;
    std::mutex mutex_;  // guards what follows; a step's result is its worker's until it is done
    std::condition_variable changed_;
    std::vector<Step> steps_;
    std::set<std::size_t> ready_;
    std::set<std::size_t> last_;  // those for which there was not enough memory beside others
    std::size_t done_ = 0;
    std::size_t begun_ = 0;      // by workers, each as often as it was
    std::size_t busy_ = 0;       // workers that have something in hand
    bool is_exclusive_ = false;  // nothing else is begun meanwhile
    std::size_t workers_ = 1;
};

}  // namespace

std::string NewRunId(Micros now) {
    static std::atomic<unsigned> counter{0};
    return fmt::format("{}-{}", ToIso8601(now), counter++);
}

RunResult NothingDone(const CompiledGraph& graph, const std::set<TableName>& selection,
                      const RunOptions& options) {
    RunResult result;
    result.run_id = options.run_id;
    for (const auto& action : graph.actions) {
        if (!selection.contains(action.target)) continue;
        auto& one = result.actions.emplace_back();
        one.target = action.target;
        one.type = action.type;
        one.severity = action.severity;
        one.state = RunState::kCancelled;
    }
    return result;
}

ModelRunner::ModelRunner(Warehouse& warehouse, const Clock& clock)
    : warehouse_(warehouse), clock_(clock) {}

RunResult ModelRunner::Run(const CompiledGraph& graph, const std::set<TableName>& selection,
                           const RunOptions& options, RunObserver* observer, std::stop_token stop) {
    const auto now = clock_.Now();
    BuildContext context{warehouse_, clock_,
                         options.run_id.empty() ? NewRunId(now) : options.run_id,
                         options.full_refresh, options.forget_history};
    auto result =
        transform::Run(std::move(context), graph, selection, times_, observer, std::move(stop))
            .Execute(graph, options.threads, options.resume);
    Prune(now);
    // What a build that failed on a full disk has written is given back now, not only when the log
    // has grown: the rest needs room as well.
    const bool lacked =
        std::any_of(result.actions.begin(), result.actions.end(), [](const auto& action) {
            return action.error && action.error->kind == ErrorKind::kUnavailable;
        });
    if (lacked) {
        if (const auto folded = warehouse_.Checkpoint(); !folded)
            LogDebug("after a failure the log was not folded: {}", folded.error().ToString());
    }
    return result;
}

void ModelRunner::Prune(Micros now) {
    Micros due = prune_at_.load();
    if (now < due || !prune_at_.compare_exchange_strong(due, now + kPruneEvery)) return;
    const auto pruned = [&]() -> Status {
        const auto transaction = BIWA_TRY(warehouse_.BeginBeside());
        BIWA_TRY(PruneApplied(*transaction, now));
        return transaction->Commit();
    }();
    // The next run tries again.
    if (!pruned) {
        prune_at_ = 0;
        LogDebug("_biwa.applied was not pruned: {}", pruned.error().ToString());
    }
}

}  // namespace biwa::transform
