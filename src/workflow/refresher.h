// Keeps a project's models up to date while the instance serves: builds those whose inputs have
// changed, each at most every its interval.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "project/project.h"
#include "transform/compile/graph.h"
#include "transform/run/model_runner.h"
#include "transform/run/selection.h"
#include "warehouse/warehouse.h"
#include "workflow/refresh_schedule.h"

namespace biwa::workflow {

struct AssertionStatus {
    enum class State { kNever, kOk, kWarned, kFailed };
    std::string name;
    transform::Severity severity = transform::Severity::kError;
    State state = State::kNever;
    transform::FailingRows failing;
    std::optional<Error> error;
};
std::string_view ToString(AssertionStatus::State state);

struct ModelStatus {
    enum class State { kNever, kRunning, kOk, kWarned, kFailed, kSkipped };
    TableName name;
    transform::ActionType type = transform::ActionType::kTable;
    std::string file;
    std::string description;
    std::vector<std::string> tags;
    bool disabled = false;
    State state = State::kNever;
    std::optional<Micros> last_run_at;
    double seconds = 0;  // of the last run
    std::optional<std::uint64_t> rows;
    std::optional<std::uint64_t> bytes;  // of its values, before they are compressed
    std::optional<Error> error;
    std::vector<std::string> notes;  // of the last run
    transform::FailingRows failing;  // of an assertion of its own
    transform::Freshness freshness;  // what its definition promises
    double refresh_seconds = 0;
    // Everything that was in the warehouse's source tables at that instant shows here.
    std::optional<Micros> fresh_as_of;
    std::vector<TableName> depends_on;
    std::vector<AssertionStatus> assertions;  // of the model's own config
};
std::string_view ToString(ModelStatus::State state);

class Refresher final : public transform::RunObserver {
  public:
    // The warehouse and the clock must outlive it. Nothing runs by itself before Start.
    Refresher(std::shared_ptr<const transform::CompiledGraph> graph, const ModelsConfig& config,
              Warehouse& warehouse, const Clock& clock);
    // Ends a running build and waits for that.
    ~Refresher() override;

    // Builds everything once, as soon as what it reads is there, and from then on what changes.
    void Start();

    // After each commit that changed rows of these tables. From any thread; takes note and returns.
    void OnTablesChanged(const std::vector<TableName>& tables);

    // What a request selects of the graph.
    Result<std::set<TableName>> Select(const transform::SelectionRequest& request);
    const transform::CompiledGraph& graph() const { return *graph_; }

    // Builds these, whatever the schedule says. Waits for a run that is under way, as there is one
    // at a time; `on_wait` is told what that is, before the wait.
    transform::RunResult RunNow(const std::set<TableName>& selection,
                                const transform::RunOptions& options,
                                transform::RunObserver* observer, std::stop_token stop,
                                const std::function<void(const std::string&)>& on_wait = {});

    // What came of models the last time, in an earlier process. Before Start.
    void Restore(const std::vector<transform::ActionResult>& last);

    // Of every model, in topological order. From any thread.
    std::vector<ModelStatus> Snapshot() const;
    // Called after every change of a status, by the thread that made it. Set it before Start.
    void SetListener(std::function<void()> listener) { listener_ = std::move(listener); }
    // Called after every run that the schedule began, with when it began. Set it before Start.
    using Recorder = std::function<void(const transform::RunResult&, Micros started)>;
    void SetRecorder(Recorder recorder) { recorder_ = std::move(recorder); }

  private:
    void OnStarted(const transform::Action& action) override;
    void OnFinished(const transform::Action& action,
                    const transform::ActionResult& result) override;

    void TakeIn(const transform::Action& action, const transform::ActionResult& result);
    void Work(std::stop_token stop);
    std::set<TableName> TakeDue(std::stop_token stop);
    // Asks the warehouse which tables there are.
    Status LookForTables();
    ModelStatus* StatusOf(const TableName& target);

    const std::shared_ptr<const transform::CompiledGraph> graph_;
    Warehouse& warehouse_;
    const Clock& clock_;
    transform::ModelRunner runner_;
    std::function<void()> listener_;
    Recorder recorder_;

    // Of the run that is under way.
    struct Underway {
        std::size_t models = 0;
        bool is_scheduled = false;
        Micros began = 0;
    };
    class RunTurn;

    std::timed_mutex run_mutex_;  // held for a run; taken before mutex_
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    bool woken_ = false;
    std::optional<Underway> underway_;
    RefreshSchedule schedule_;
    std::vector<ModelStatus> models_;  // without fresh_as_of
    std::vector<std::size_t> places_;  // of each of them in the graph
    std::jthread thread_;
};

}  // namespace biwa::workflow
