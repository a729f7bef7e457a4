#include "instance/model_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "instance/status_json.h"

namespace biwa {

using nlohmann::json;
using transform::ActionResult;
using transform::RunResult;
using transform::RunState;

namespace {

// Of runs that nobody looks at any more.
constexpr int kRunsKept = 1000;

struct Request {
    std::set<TableName> models;
    bool full_refresh = false;
    bool forget_history = false;

    std::string ToJson() const {
        json names = json::array();
        for (const auto& model : models) names.push_back({model.dataset, model.name});
        return json{{"models", std::move(names)},
                    {"full_refresh", full_refresh},
                    {"forget_history", forget_history}}
            .dump(-1, ' ', false, json::error_handler_t::replace);
    }
    static Result<Request> FromJson(const std::string& text) {
        const auto parsed = json::parse(text, nullptr, false);
        if (!parsed.is_object() || !parsed.contains("models")) {
            return UserError("what the last run was to do is not known",
                             "It was one of an older version: `biwa run` begins a new one.");
        }
        Request request;
        for (const auto& name : parsed["models"]) request.models.insert({name.at(0), name.at(1)});
        request.full_refresh = parsed.value("full_refresh", false);
        request.forget_history = parsed.value("forget_history", false);
        return request;
    }
};

std::vector<ModelRun> ModelRunsOf(const RunResult& result) {
    std::vector<ModelRun> models;
    for (const auto& action : result.actions) {
        ModelRun model;
        model.model = action.target.ToString();
        model.state = ToString(action.state);
        model.seconds = action.seconds;
        if (action.rows) model.rows = static_cast<std::int64_t>(*action.rows);
        if (action.bytes) model.bytes = static_cast<std::int64_t>(*action.bytes);
        if (action.error) model.error = action.error->message;
        model.failing_rows = static_cast<std::int64_t>(action.failing.count);
        if (action.failing.count > 0) model.sample = FailingRowsJson(action.failing);
        models.push_back(std::move(model));
    }
    return models;
}

std::string StateOf(const RunResult& result) {
    if (result.ok()) return "ok";
    const bool is_cancelled =
        std::any_of(result.actions.begin(), result.actions.end(),
                    [](const auto& action) { return action.state == RunState::kCancelled; });
    return is_cancelled ? "cancelled" : "failed";
}

transform::FailingRows FailingRowsOf(const ModelRun& run) {
    transform::FailingRows failing;
    failing.count = static_cast<std::uint64_t>(run.failing_rows);
    const auto sample = json::parse(run.sample, nullptr, false);
    if (!sample.is_object()) return failing;
    failing.columns = sample.value("columns", std::vector<std::string>());
    for (const auto& row : sample.value("rows", json::array())) {
        auto& values = failing.sample.emplace_back();
        for (const auto& value : row) {
            values.push_back(value.is_string() ? std::optional(value.get<std::string>())
                                               : std::nullopt);
        }
    }
    return failing;
}

// What happens to models, as events of a run.
class EventTeller final : public transform::RunObserver {
  public:
    explicit EventTeller(const http::RunEvents& events) : events_(events) {}

    void OnStarted(const transform::Action& action) override {
        events_("{\"started\":" + json(action.target.ToString()).dump() + "}");
    }
    void OnFinished(const transform::Action&, const ActionResult& result) override {
        events_("{\"finished\":" + ModelRunJson(result) + "}");
    }

  private:
    const http::RunEvents& events_;
};

RunResult Planned(const transform::CompiledGraph& graph, const std::set<TableName>& models) {
    auto result = transform::NothingDone(graph, models, {});
    for (auto& planned : result.actions) planned.state = RunState::kPlanned;
    return result;
}

}  // namespace

Result<RunResult> ModelRuns::Run(workflow::Refresher& refresher, const http::RunRequest& request,
                                 const http::RunEvents& events, std::stop_token stop) {
    Request wanted;
    transform::RunOptions options;
    if (request.forget_history &&
        (!request.full_refresh || request.select.empty() || request.resume)) {
        return UserError("--forget-history throws away what cannot be brought back",
                         "Say --full-refresh and name the models: biwa run --full-refresh "
                         "--forget-history --select mart.students");
    }
    if (request.resume) {
        if (!request.select.empty() || request.full_refresh) {
            return UserError("--resume goes on with what the last run was to do",
                             "Leave out what else was asked for, or begin a new run.");
        }
        // While an instance serves, its schedule runs models in between.
        const auto last = BIWA_TRY(meta_.LastRun("command"));
        if (!last || last->state == "ok") {
            return UserError(!last ? "nothing was ever run"
                                   : "the last run came to its end and all of it is good");
        }
        wanted = BIWA_TRY(Request::FromJson(last->request));
        options.run_id = last->run_id;
        options.resume = true;
    } else {
        wanted.models = BIWA_TRY(refresher.Select(
            {request.select, request.include_dependencies, request.include_dependents}));
        wanted.full_refresh = request.full_refresh;
        wanted.forget_history = request.forget_history;
        options.run_id = transform::NewRunId(clock_.Now());
    }
    options.full_refresh = wanted.full_refresh;
    options.forget_history = wanted.forget_history;
    const auto planned = Planned(refresher.graph(), wanted.models);
    if (request.dry_run) return planned;
    EventTeller teller(events);
    if (events) events(json{{"planned", planned.actions.size()}}.dump());

    biwa::Run run;
    run.started = clock_.Now();
    run.trigger = "command";
    run.run_id = options.run_id;
    run.request = wanted.ToJson();
    run.id = BIWA_TRY(meta_.BeginRun(run));
    const auto on_wait = [&](const std::string& what) {
        if (events) events(json{{"waiting", what}}.dump());
    };
    const auto result = refresher.RunNow(wanted.models, options, events ? &teller : nullptr,
                                         std::move(stop), on_wait);
    run.finished = clock_.Now();
    run.state = StateOf(result);
    run.models = ModelRunsOf(result);
    BIWA_TRY(meta_.RecordRun(run));
    BIWA_TRY(meta_.PruneRuns(kRunsKept));
    return result;
}

void ModelRuns::Note(const RunResult& result, Micros started) {
    bool is_news = false;
    {
        std::lock_guard lock(mutex_);
        for (const auto& action : result.actions) {
            if (action.state == RunState::kCancelled) continue;
            auto outcome = fmt::format("{} {} {}", ToString(action.state), action.failing.count,
                                       action.error ? action.error->message : "");
            auto& before = noted_[action.target];
            if (before == outcome) continue;
            before = std::move(outcome);
            is_news = true;
        }
    }
    if (!is_news) return;
    biwa::Run run;
    run.started = started;
    run.finished = clock_.Now();
    run.state = StateOf(result);
    run.trigger = "refresh";
    run.run_id = result.run_id;
    run.models = ModelRunsOf(result);
    auto recorded = meta_.RecordRun(run);
    const auto pruned = recorded ? meta_.PruneRuns(kRunsKept) : Status();
    if (!recorded || !pruned) LogWarn("a run could not be recorded in meta.db");
}

Result<std::vector<ActionResult>> ModelRuns::LastResults(
    const transform::CompiledGraph& graph) const {
    const auto last = BIWA_TRY(meta_.LastModelRuns());
    std::vector<ActionResult> results;
    for (const auto& action : graph.actions) {
        const auto found = last.find(action.target.ToString());
        if (found == last.end()) continue;
        const auto& run = found->second.run;
        ActionResult result;
        result.target = action.target;
        result.type = action.type;
        result.severity = action.severity;
        bool is_known = false;
        for (const auto state :
             {RunState::kOk, RunState::kWarned, RunState::kFailed, RunState::kSkipped}) {
            if (run.state != ToString(state)) continue;
            result.state = state;
            is_known = true;
        }
        if (!is_known) continue;
        result.seconds = run.seconds;
        result.started_at = found->second.finished - static_cast<Micros>(run.seconds * 1e6);
        if (run.rows) result.rows = static_cast<std::uint64_t>(*run.rows);
        if (run.bytes) result.bytes = static_cast<std::uint64_t>(*run.bytes);
        if (!run.error.empty()) result.error = Error{ErrorKind::kUser, run.error, ""};
        result.failing = FailingRowsOf(run);
        results.push_back(std::move(result));
    }
    return results;
}

}  // namespace biwa
