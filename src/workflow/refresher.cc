#include "workflow/refresher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "transform/run/applied.h"

namespace biwa::workflow {

using transform::Action;
using transform::ActionResult;
using transform::RunObserver;
using transform::RunState;

namespace {

// How often the warehouse is asked for tables that no stream announces.
constexpr std::chrono::seconds kLookForTables{2};
constexpr std::chrono::minutes kLongestWait{1};

// Hands on to two observers.
class Both final : public RunObserver {
  public:
    Both(RunObserver& first, RunObserver* second) : first_(first), second_(second) {}
    void OnStarted(const Action& action) override {
        first_.OnStarted(action);
        if (second_ != nullptr) second_->OnStarted(action);
    }
    void OnFinished(const Action& action, const ActionResult& result) override {
        first_.OnFinished(action, result);
        if (second_ != nullptr) second_->OnFinished(action, result);
    }

  private:
    RunObserver& first_;
    RunObserver* const second_;
};

ModelStatus::State StateOf(RunState state) {
    switch (state) {
        case RunState::kOk:
            return ModelStatus::State::kOk;
        case RunState::kWarned:
            return ModelStatus::State::kWarned;
        case RunState::kFailed:
            return ModelStatus::State::kFailed;
        case RunState::kSkipped:
            return ModelStatus::State::kSkipped;
        case RunState::kPlanned:
        case RunState::kCancelled:
            break;
    }
    return ModelStatus::State::kNever;
}

AssertionStatus::State AssertionStateOf(RunState state) {
    switch (state) {
        case RunState::kOk:
            return AssertionStatus::State::kOk;
        case RunState::kWarned:
            return AssertionStatus::State::kWarned;
        case RunState::kFailed:
            return AssertionStatus::State::kFailed;
        case RunState::kPlanned:
        case RunState::kSkipped:
        case RunState::kCancelled:
            break;
    }
    return AssertionStatus::State::kNever;
}

}  // namespace

std::string_view ToString(AssertionStatus::State state) {
    switch (state) {
        case AssertionStatus::State::kNever:
            return "never";
        case AssertionStatus::State::kOk:
            return "ok";
        case AssertionStatus::State::kWarned:
            return "warned";
        case AssertionStatus::State::kFailed:
            return "failed";
    }
    return "";
}

std::string_view ToString(ModelStatus::State state) {
    switch (state) {
        case ModelStatus::State::kNever:
            return "never";
        case ModelStatus::State::kRunning:
            return "running";
        case ModelStatus::State::kOk:
            return "ok";
        case ModelStatus::State::kWarned:
            return "warned";
        case ModelStatus::State::kFailed:
            return "failed";
        case ModelStatus::State::kSkipped:
            return "skipped";
    }
    return "";
}

// Says of a run that it is under way, for those that wait.
class Refresher::RunTurn {
  public:
    RunTurn(Refresher& owner, const Underway& run) : owner_(owner) {
        std::lock_guard lock(owner_.mutex_);
        owner_.underway_ = run;
    }
    ~RunTurn() {
        std::lock_guard lock(owner_.mutex_);
        owner_.underway_.reset();
    }
    RunTurn(const RunTurn&) = delete;
    RunTurn& operator=(const RunTurn&) = delete;

  private:
    Refresher& owner_;
};

Refresher::Refresher(std::shared_ptr<const transform::CompiledGraph> graph,
                     const ModelsConfig& config, Warehouse& warehouse, const Clock& clock)
    : graph_(std::move(graph)),
      warehouse_(warehouse),
      clock_(clock),
      runner_(warehouse, clock),
      schedule_(*graph_, config.refresh) {
    for (std::size_t i = 0; i < graph_->actions.size(); ++i) {
        const auto& action = graph_->actions[i];
        if (action.parent) {
            StatusOf(*action.parent)
                ->assertions.push_back({action.target.name, action.severity, {}, {}, {}});
            continue;
        }
        auto& model = models_.emplace_back();
        places_.push_back(i);
        model.name = action.target;
        model.type = action.type;
        model.file = action.location.file;
        model.description = action.description;
        model.tags = action.tags;
        model.freshness = action.freshness;
        model.disabled = action.disabled;
        model.depends_on = action.dependencies;
        const std::chrono::duration<double> refresh = schedule_.refresh(action.target);
        model.refresh_seconds = refresh.count();
    }
}

Refresher::~Refresher() = default;

ModelStatus* Refresher::StatusOf(const TableName& target) {
    const auto found = std::find_if(models_.begin(), models_.end(),
                                    [&](const auto& model) { return model.name == target; });
    return found == models_.end() ? nullptr : &*found;
}

void Refresher::Start() {
    thread_ = std::jthread([this](std::stop_token stop) { Work(std::move(stop)); });
}

void Refresher::OnTablesChanged(const std::vector<TableName>& tables) {
    std::lock_guard lock(mutex_);
    schedule_.OnChanged(tables, clock_.Now());
    woken_ = true;
    changed_.notify_all();
}

Status Refresher::LookForTables() {
    const auto session = BIWA_TRY(warehouse_.OpenSession());
    const auto stream = BIWA_TRY(session->Query(
        "SELECT table_schema::VARCHAR, table_name::VARCHAR FROM information_schema.tables WHERE "
        "table_catalog = current_database()"));
    std::vector<TableName> tables;
    // NOLINTNEXTLINE(bugprone-infinite-loop): clang-tidy does not look into BIWA_TRY
    while (const RowBlock* block = BIWA_TRY(stream->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            tables.push_back({std::string(block->columns[0].GetString(row)),
                              std::string(block->columns[1].GetString(row))});
        }
    }
    std::lock_guard lock(mutex_);
    schedule_.AddTables(tables);
    return {};
}

// Waits until something is due; empty when stopped.
std::set<TableName> Refresher::TakeDue(std::stop_token stop) {
    auto look_at = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (schedule_.WaitsForTables() && std::chrono::steady_clock::now() >= look_at) {
            lock.unlock();
            if (const auto looked = LookForTables(); !looked)
                LogWarn("looking for tables: {}", looked.error().ToString());
            look_at = std::chrono::steady_clock::now() + kLookForTables;
            lock.lock();
        }
        const auto now = clock_.Now();
        auto due = schedule_.Due(now);
        if (!due.empty()) return due;
        std::chrono::microseconds wait = kLongestWait;
        if (const auto next = schedule_.NextDue(now))
            wait = std::min(wait, std::chrono::microseconds(*next - now));
        if (schedule_.WaitsForTables())
            wait = std::min<std::chrono::microseconds>(wait, kLookForTables);
        changed_.wait_for(lock, stop, wait, [this] { return woken_; });
        woken_ = false;
    }
    return {};
}

void Refresher::Work(std::stop_token stop) {
    while (!stop.stop_requested()) {
        if (TakeDue(stop).empty()) continue;
        std::unique_lock run_lock(run_mutex_);
        // A run that was waited for may have built what was due.
        std::set<TableName> due;
        {
            std::lock_guard lock(mutex_);
            due = schedule_.Due(clock_.Now());
        }
        if (due.empty()) continue;
        const auto started = clock_.Now();
        const RunTurn turn(*this, {due.size(), true, started});
        const auto result = runner_.Run(*graph_, due, {}, this, stop);
        if (recorder_) recorder_(result, started);
    }
}

Result<std::set<TableName>> Refresher::Select(const transform::SelectionRequest& request) {
    std::map<std::string, std::string> hashes;
    if (request.NeedsHashes()) {
        for (const auto& [model, build] : BIWA_TRY(transform::LastBuilds(warehouse_)))
            hashes[model] = build.content_hash;
    }
    return transform::Select(*graph_, request, hashes);
}

transform::RunResult Refresher::RunNow(const std::set<TableName>& selection,
                                       const transform::RunOptions& options,
                                       transform::RunObserver* observer, std::stop_token stop,
                                       const std::function<void(const std::string&)>& on_wait) {
    constexpr std::chrono::milliseconds kLookForStop{50};
    std::unique_lock run_lock(run_mutex_, std::try_to_lock);
    if (!run_lock) {
        std::optional<Underway> other;
        {
            std::lock_guard lock(mutex_);
            other = underway_;
        }
        if (on_wait && other) {
            on_wait(fmt::format("the run that {} began {} s ago, of {} model{}",
                                other->is_scheduled ? "the schedule" : "another command",
                                (clock_.Now() - other->began) / 1'000'000, other->models,
                                other->models == 1 ? "" : "s and assertions"));
        }
        while (!run_lock.try_lock_for(kLookForStop)) {
            if (stop.stop_requested()) return transform::NothingDone(*graph_, selection, options);
        }
    }
    const RunTurn turn(*this, {selection.size(), false, clock_.Now()});
    Both observers(*this, observer);
    return runner_.Run(*graph_, selection, options, &observers, std::move(stop));
}

void Refresher::Restore(const std::vector<transform::ActionResult>& last) {
    std::lock_guard lock(mutex_);
    for (const auto& result : last) {
        if (const auto* action = graph_->Find(result.target)) TakeIn(*action, result);
    }
}

void Refresher::OnStarted(const Action& action) {
    {
        std::lock_guard lock(mutex_);
        schedule_.OnStarted(action.target, clock_.Now());
        if (auto* model = StatusOf(action.target)) model->state = ModelStatus::State::kRunning;
    }
    if (listener_) listener_();
}

void Refresher::OnFinished(const Action& action, const ActionResult& result) {
    // A command that runs models without serving says it by itself.
    if (thread_.joinable() &&
        (result.state == RunState::kFailed || result.state == RunState::kWarned)) {
        LogWarn("{} {}: {}", action.target.ToString(), ToString(result.state),
                result.error->ToString());
    }
    {
        std::lock_guard lock(mutex_);
        schedule_.OnFinished(result, clock_.Now());
        TakeIn(action, result);
        woken_ = true;
        changed_.notify_all();
    }
    if (listener_) listener_();
}

// Into the status that is shown.
void Refresher::TakeIn(const Action& action, const ActionResult& result) {
    if (auto* model = StatusOf(action.target)) {
        // A cancelled build leaves everything as it was.
        const bool is_done = result.state != RunState::kCancelled;
        if (is_done) {
            model->error = result.error;
            model->notes = result.notes;
            model->failing = result.failing;
        }
        if (is_done && result.started_at != 0) {
            model->last_run_at = result.started_at;
            model->seconds = result.seconds;
        }
        model->state = is_done              ? StateOf(result.state)
                       : model->error       ? ModelStatus::State::kFailed
                       : model->last_run_at ? ModelStatus::State::kOk
                                            : ModelStatus::State::kNever;
        if (result.state == RunState::kOk) {
            model->rows = result.rows;
            model->bytes = result.bytes;
        }
    } else if (auto* parent = action.parent ? StatusOf(*action.parent) : nullptr) {
        for (auto& assertion : parent->assertions) {
            if (assertion.name != action.target.name) continue;
            assertion.state = AssertionStateOf(result.state);
            assertion.failing = result.failing;
            assertion.error = result.error;
        }
    }
}

std::vector<ModelStatus> Refresher::Snapshot() const {
    std::lock_guard lock(mutex_);
    const auto fresh = schedule_.FreshAsOf(clock_.Now());
    auto models = models_;
    for (std::size_t i = 0; i < models.size(); ++i) models[i].fresh_as_of = fresh[places_[i]];
    return models;
}

}  // namespace biwa::workflow
