#include "instance/instance.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "instance/diff_json.h"
#include "instance/metrics.h"
#include "instance/model_json.h"
#include "instance/status_json.h"
#include "instance/stream_masks.h"
#include "plan/resources.h"
#include "replication/history_session.h"
#include "replication/target_table.h"
#include "transform/run/model_diff.h"
#include "transform/run/selection.h"

namespace biwa {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds kCountEvery{2};
// Whoever has read so lately may look again.
constexpr std::chrono::seconds kStillRead{10};

std::string NewToken() {
    std::array<unsigned char, 32> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    std::string token;
    for (const auto byte : bytes) token += fmt::format("{:02x}", byte);
    return token;
}

std::filesystem::path ServerFile(const Project& project) {
    return project.state_dir() / "server.json";
}

}  // namespace

std::optional<RunningInstance> FindRunning(const Project& project) {
    const auto holder = FileLock::Holder(project.state_dir() / "lock");
    if (holder == 0) return std::nullopt;
    const auto text = ReadFile(ServerFile(project));
    if (!text) return std::nullopt;
    const auto parsed = json::parse(*text, nullptr, false);
    if (!parsed.is_object() || parsed.value("pid", 0) != holder) return std::nullopt;
    return RunningInstance{parsed.value("address", ""), parsed.value("token", ""), holder};
}

Instance::Instance(const Engine& engine, FileLock lock)
    : engine_(engine), lock_(std::move(lock)), started_at_(clock_.Now()) {}

Result<std::unique_ptr<Instance>> Instance::Open(const Engine& engine,
                                                 std::shared_ptr<const Project> project) {
    auto graph = BIWA_TRY(CompileProject(engine, *project));
    std::error_code failed;
    std::filesystem::create_directories(project->state_dir(), failed);
    if (failed) {
        return UserError(fmt::format("cannot make the folder {}: {}", project->state_dir().string(),
                                     failed.message()));
    }
    std::filesystem::permissions(project->state_dir(), std::filesystem::perms::owner_all, failed);
    auto lock = FileLock::Acquire(project->state_dir() / "lock");
    if (!lock) {
        if (lock.error().kind != ErrorKind::kConflict) return tl::unexpected(lock.error());
        const auto running = FindRunning(*project);
        return Fail(ErrorKind::kConflict,
                    fmt::format("Biwa is running for this project already{}: {}",
                                running ? fmt::format(" at http://{}", running->address) : "",
                                lock.error().message),
                    "Use that one, or stop it first.");
    }
    auto instance = std::unique_ptr<Instance>(new Instance(engine, std::move(*lock)));
    instance->reserve_ = std::make_unique<DiskReserve>(
        project->warehouse.path.string() + ".reserve", project->warehouse.disk_reserve_bytes);
    instance->reserve_->GiveUpIfLow();
    instance->warehouse_ = BIWA_TRY(engine.open_warehouse(project->warehouse));
    instance->meta_ = BIWA_TRY(MetaStore::Open(project->state_dir() / "meta.db", instance->clock_));
    BIWA_TRY(PrepareStateTables(*instance->warehouse_));
    instance->project_ = std::move(project);
    instance->graph_ = std::move(graph);
    instance->runs_ = std::make_unique<ModelRuns>(*instance->meta_, instance->clock_);
    instance->refresher_ = std::make_shared<workflow::Refresher>(
        instance->graph_, instance->project_->models, *instance->warehouse_, instance->clock_);
    // Until it serves, which builds all of them anew.
    instance->refresher_->Restore(BIWA_TRY(instance->runs_->LastResults(*instance->graph_)));
    instance->streams_ = std::make_unique<StreamSet>(
        engine, *instance->warehouse_, *instance->reserve_,
        [made = instance.get()](const std::vector<TableName>& tables) {
            made->OnTablesChanged(tables);
        },
        [made = instance.get()] { return made->queries_->has_run_within(kStillRead); });
    instance->queries_ = std::make_unique<QueryService>(
        *instance->warehouse_, QueryLimits{},
        [warehouse = instance->warehouse_.get()](const std::string& moment) {
            return OpenSessionAsOf(*warehouse, moment);
        });
    instance->feed_ = std::make_unique<DashboardFeed>(*instance->queries_, instance->clock_);
    return instance;
}

Instance::~Instance() {
    std::error_code ignored;
    if (serving_) std::filesystem::remove(ServerFile(*project_), ignored);
    {
        std::unique_lock lock(listeners_mutex_);
        server_to_tell_ = nullptr;
    }
    server_.reset();
    // Streams tell the models of changes: they go first.
    if (streams_) streams_->StopAll();
    refresher_.reset();
    feed_.reset();
    queries_.reset();
    if (serving_ && warehouse_) {
        if (const auto folded = warehouse_->Checkpoint(); !folded) {
            LogDebug("the warehouse's log was left as it is: {}", folded.error().message);
        }
    }
}

std::shared_ptr<const Project> Instance::project() const {
    std::shared_lock lock(mutex_);
    return project_;
}

std::shared_ptr<const transform::CompiledGraph> Instance::graph() const {
    std::shared_lock lock(mutex_);
    return graph_;
}

Result<Plan> Instance::PlanOf(const Project& project, const transform::CompiledGraph& graph) {
    return biwa::MakePlan(DesiredResources(project, graph), BIWA_TRY(meta_->ReadApplied()));
}

Result<Plan> Instance::MakePlan() {
    const auto loaded = BIWA_TRY(LoadProject(project()->root, engine_.connection_kinds()));
    const auto compiled = BIWA_TRY(CompileProject(engine_, *loaded));
    return PlanOf(*loaded, *compiled);
}

Status Instance::Apply(const Plan& plan, const std::string& who) {
    std::lock_guard applying(apply_mutex_);
    const auto loaded = BIWA_TRY(LoadProject(project()->root, engine_.connection_kinds()));
    const auto compiled = BIWA_TRY(CompileProject(engine_, *loaded));
    BIWA_TRY(CheckFresh(plan, BIWA_TRY(meta_->ReadApplied())));
    const auto now = BIWA_TRY(PlanOf(*loaded, *compiled));
    if (now.steps != plan.steps) {
        return Fail(ErrorKind::kConflict,
                    "the project's files have changed since the plan was made",
                    "Make the plan anew: `biwa plan`.");
    }
    BIWA_TRY(streams_->Check(plan, *loaded));

    const auto old_project = project();
    const auto applied = BIWA_TRY(meta_->ReadApplied());
    auto changed = streams_->StopChanged(plan, *old_project, applied);
    if (changed) {
        changed = DropRemasked(
            plan, *loaded, applied, *warehouse_,
            [&](const std::string& connection) {
                return OpenConnection(engine_, *loaded, connection);
            },
            [&](const StreamConfig& stream) {
                return DatasetOf(engine_, stream.dataset,
                                 loaded->connections.at(stream.connection));
            });
    }
    if (changed) changed = meta_->ApplyResources(RecordOf(plan), who, "apply");
    if (!changed) {
        // Nothing is recorded: what was stopped goes on as it was.
        if (serving_) {
            if (const auto again = streams_->StartMissing(*old_project); !again) {
                LogError("a stream could not go on: {}", again.error().ToString());
            }
        }
        return changed;
    }
    {
        std::unique_lock lock(mutex_);
        project_ = loaded;
        graph_ = compiled;
    }
    if (!serving_) return DropModels(plan);
    BIWA_TRY(streams_->StartMissing(*loaded));
    StartModels();
    // Now that nothing builds them any more.
    BIWA_TRY(DropModels(plan));
    // What has gone gives its room back with the next fold, and no commit may be near that folds.
    if (reserve_->is_given_up()) {
        if (const auto folded = warehouse_->Checkpoint(); !folded) {
            LogWarn("{}", folded.error().ToString());
        }
    }
    TellListeners();
    return {};
}

Status Instance::DropModels(const Plan& plan) {
    auto transaction = BIWA_TRY(warehouse_->Begin());
    for (const auto& step : plan.steps) {
        if (step.kind != "model" || step.action != StepAction::kDelete) continue;
        std::string type;
        for (const auto& change : step.changes) {
            if (change.field == "type") type = change.before;
        }
        if (type == "assertion" || type == "operations") continue;
        const auto dot = step.name.find('.');
        const TableName target{step.name.substr(0, dot), step.name.substr(dot + 1)};
        // One that only changed its capitals is the same to the warehouse.
        const auto& actions = graph()->actions;
        const bool is_made =
            std::any_of(actions.begin(), actions.end(), [&](const transform::Action& action) {
                return action.MakesTable() &&
                       SmallLetters(action.target.ToString()) == SmallLetters(step.name);
            });
        if (is_made) continue;
        // Its type may have changed since it was built last.
        std::string drop;
        {
            const auto found = BIWA_TRY(transaction->Query(fmt::format(
                "SELECT table_type FROM information_schema.tables WHERE table_catalog = "
                "current_database() AND lower(table_schema) = lower({}) AND lower(table_name) = "
                "lower({})",
                QuoteLiteral(target.dataset), QuoteLiteral(target.name))));
            if (const auto* block = BIWA_TRY(found->Next()))
                drop = block->columns[0].GetString(0) == "VIEW" ? "VIEW" : "TABLE";
        }
        if (drop.empty()) continue;
        BIWA_TRY(transaction->Execute(fmt::format("DROP {} {}", drop, target.ToSql())));
    }
    return transaction->Commit();
}

void Instance::StartModels() {
    const auto made =
        std::make_shared<workflow::Refresher>(graph(), project()->models, *warehouse_, clock_);
    made->SetListener([this] { TellListeners(); });
    made->SetRecorder([this](const transform::RunResult& result, Micros started) {
        runs_->Note(result, started);
    });
    std::shared_ptr<workflow::Refresher> old;
    {
        std::unique_lock lock(mutex_);
        old = std::exchange(refresher_, made);
    }
    old.reset();
    made->Start();
}

void Instance::OnTablesChanged(const std::vector<TableName>& tables) {
    std::shared_ptr<workflow::Refresher> refresher;
    {
        std::shared_lock lock(mutex_);
        refresher = refresher_;
    }
    if (refresher) refresher->OnTablesChanged(tables);
    TellListeners();
}

void Instance::TellListeners() {
    feed_->OnDataChanged();
    std::shared_lock lock(listeners_mutex_);
    if (server_to_tell_ != nullptr) server_to_tell_->OnStatusChanged();
}

Status Instance::Serve(const std::string& listen) {
    // The server answers before the streams run: an apply that comes at once has to wait for them.
    std::lock_guard applying(apply_mutex_);
    const auto current = project();
    http::HttpServerOptions options;
    options.listen = listen.empty() ? current->server.listen : listen;
    options.version = engine_.version;
    options.token = NewToken();
    options.files = engine_.web_files;
    server_ = BIWA_TRY(http::HttpServer::Start(*this, options));
    {
        std::unique_lock lock(listeners_mutex_);
        server_to_tell_ = server_.get();
    }
    const json file = {
        {"address", server_->address()}, {"token", options.token}, {"pid", ::getpid()}};
    BIWA_TRY(WriteFileAtomically(ServerFile(*current), file.dump() + "\n", 0600));
    serving_ = true;
    BIWA_TRY(streams_->StartMissing(*current));
    StartModels();
    return {};
}

// DuckDB refuses all further work after an error inside a commit or a checkpoint, a full disk for
// one. What was committed is safe; it takes a new start.
std::optional<Error> Instance::Broken() const {
    constexpr std::string_view kInvalidated = "database has been invalidated";
    for (const auto& stream : StreamStatuses()) {
        if (!stream.error || stream.error->message.find(kInvalidated) == std::string::npos)
            continue;
        return Error{ErrorKind::kUnavailable,
                     "the warehouse cannot go on after an error: " + stream.error->message,
                     "Nothing that was committed is lost. Mend what it names (is the disk full, or "
                     "warehouse.memory_limit too small for large values?) and start again: it goes "
                     "on where it was."};
    }
    return std::nullopt;
}

std::vector<workflow::ModelStatus> Instance::ModelStatuses() const {
    std::shared_ptr<workflow::Refresher> refresher;
    {
        std::shared_lock lock(mutex_);
        refresher = refresher_;
    }
    return refresher->Snapshot();
}

// Counting takes a look at every table, so it is done at most every kCountEvery for all who ask.
void Instance::CountRows(std::map<TableName, std::int64_t>& rows) {
    std::lock_guard lock(count_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - counted_at_ >= kCountEvery) {
        counted_at_ = now;
        if (auto counted = CountTables(*warehouse_)) row_counts_ = std::move(*counted);
    }
    rows = row_counts_;
}

InstanceFacts Instance::Facts(const Project& current) {
    InstanceFacts facts;
    facts.version = engine_.version;
    facts.project = &current;
    facts.started_at = started_at_;
    facts.warehouse_bytes = warehouse_->size_bytes();
    facts.streams = StreamStatuses();
    facts.models = ModelStatuses();
    std::map<std::string, std::string> datasets;
    for (const auto& [name, stream] : current.streams) datasets[name] = stream.dataset;
    facts.freshness = JudgeFreshness(*graph(), facts.models, facts.streams, datasets, clock_.Now());
    facts.queries_running = queries_->running();
    facts.queries_waiting = queries_->waiting();
    MeasureProcess(facts);
    return facts;
}

std::string Instance::StatusJson() {
    const auto current = project();
    auto facts = Facts(*current);
    CountRows(facts.rows);
    return biwa::StatusJson(facts);
}

std::string Instance::MetricsText() {
    const auto current = project();
    return biwa::MetricsText(Facts(*current));
}

Result<std::string> Instance::CatalogJson() {
    std::map<TableName, std::int64_t> rows;
    CountRows(rows);
    return biwa::CatalogJson(*warehouse_, rows, *graph());
}

Result<std::string> Instance::ModelJson(const std::string& name) {
    const auto dot = name.find('.');
    const auto table = dot == std::string::npos
                           ? TableName{project()->models.default_dataset, name}
                           : TableName{name.substr(0, dot), name.substr(dot + 1)};
    const auto compiled = graph();
    const auto* action = compiled->FindNamed(table);
    const auto lineage = BIWA_TRY(transform::ReadLineage(*compiled, *warehouse_));
    return ModelPageJson(action == nullptr ? table : action->target, *project(), *compiled, lineage,
                         *warehouse_);
}

std::vector<DashboardConfig> Instance::Dashboards() {
    std::vector<DashboardConfig> dashboards;
    for (const auto& [name, dashboard] : project()->dashboards) dashboards.push_back(dashboard);
    return dashboards;
}

Result<std::string> Instance::Run(const http::RunRequest& request, const http::RunEvents& events,
                                  std::stop_token stop) {
    std::shared_ptr<workflow::Refresher> refresher;
    {
        std::shared_lock lock(mutex_);
        refresher = refresher_;
    }
    return RunJson(BIWA_TRY(runs_->Run(*refresher, request, events, std::move(stop))));
}

Result<std::string> Instance::Diff(const http::DiffRequest& request, std::stop_token stop) {
    const auto current = graph();
    const auto selected = BIWA_TRY(transform::Select(*current, {{request.model}}));
    transform::Cancellation cancellation(std::move(stop));
    for (const auto& target : selected) {
        const auto* action = current->Find(target);
        if (action->parent) continue;
        return DiffJson(BIWA_TRY(
            transform::DiffModel(*warehouse_, clock_, *action, request.key, cancellation)));
    }
    return UserError(fmt::format("{} is disabled", request.model));
}

std::vector<StreamStatus> Instance::StreamStatuses() const { return streams_->statuses(); }

Status Instance::AskStream(const http::StreamCommand& command) {
    // What runs stays while it is asked.
    std::lock_guard applying(apply_mutex_);
    return streams_->Ask(command, *project());
}

Result<std::string> Instance::PlanJson() { return PlanToJson(BIWA_TRY(MakePlan())); }

Result<std::string> Instance::ApplyJson(const std::string& plan_json, std::stop_token) {
    const auto plan = plan_json.empty() || plan_json == "{}" ? BIWA_TRY(MakePlan())
                                                             : BIWA_TRY(PlanFromJson(plan_json));
    BIWA_TRY(Apply(plan, "api"));
    return PlanToJson(plan);
}

}  // namespace biwa
