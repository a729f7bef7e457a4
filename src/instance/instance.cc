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
#include "instance/status_json.h"
#include "instance/stream_masks.h"
#include "plan/resources.h"
#include "replication/target_table.h"
#include "transform/compile/compile.h"
#include "transform/compile/graph_json.h"
#include "transform/compile/prepare.h"
#include "transform/run/model_diff.h"
#include "transform/run/selection.h"

namespace biwa {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds kCountEvery{2};

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

// A stream's dataset, and which of the source's schemas is the usual one.
TargetDataset DatasetOf(const Engine& engine, const std::string& dataset,
                        const ConnectionConfig& connection) {
    const auto* kind = engine.sources.Find(connection.kind);
    return {dataset, kind != nullptr && kind->usual_schema ? kind->usual_schema(connection.settings)
                                                           : "public"};
}

// Tables that a stream's patterns name outright: what can be known without asking the source.
std::set<TableName> NamedTables(const Engine& engine, const Project& project) {
    std::set<TableName> tables;
    for (const auto& [name, stream] : project.streams) {
        const auto dataset =
            DatasetOf(engine, stream.dataset, project.connections.at(stream.connection));
        for (const auto& pattern : stream.tables) {
            if (pattern.ends_with('*')) continue;
            const auto dot = pattern.find('.');
            const auto schema =
                dot == std::string::npos ? dataset.usual_schema : pattern.substr(0, dot);
            const auto table = dot == std::string::npos ? pattern : pattern.substr(dot + 1);
            tables.insert(TargetTable(dataset, schema, table));
        }
    }
    return tables;
}

}  // namespace

ConnectionKinds Engine::connection_kinds() const {
    ConnectionKinds kinds;
    for (const auto& [name, kind] : sources.kinds()) kinds[name] = kind.settings;
    return kinds;
}

Result<std::shared_ptr<const transform::CompiledGraph>> CompileProject(const Engine& engine,
                                                                       const Project& project) {
    transform::CompileInput input;
    input.files = project.definitions;
    input.settings = project.models;
    input.tables = NamedTables(engine, project);
    for (const auto& [name, stream] : project.streams) {
        input.stream_datasets.insert(stream.dataset);
    }
    return std::make_shared<const transform::CompiledGraph>(
        transform::PrepareForEngine(BIWA_TRY(transform::Compile(input))));
}

std::vector<Resource> DesiredResources(const Project& project,
                                       const transform::CompiledGraph& graph) {
    auto resources = ProjectResources(project);
    std::set<TableName> models;
    for (const auto& action : graph.actions) models.insert(action.target);
    for (const auto& action : graph.actions) {
        Resource resource;
        resource.kind = "model";
        resource.name = action.target.ToString();
        resource.fields["type"] = transform::ToString(action.type);
        resource.fields["sql"] =
            action.type == transform::ActionType::kOperations ? "" : action.full.query.sql;
        for (const auto& operation : action.operations) {
            resource.fields["sql"] += operation.sql + "\n";
        }
        if (action.type == transform::ActionType::kIncremental) {
            resource.fields["incremental_sql"] = action.incremental.query.sql;
        }
        if (action.disabled) resource.fields["disabled"] = "true";
        for (const auto& needed : action.dependencies) {
            if (models.contains(needed)) {
                resource.depends_on.push_back("model " + needed.ToString());
            }
        }
        resources.push_back(std::move(resource));
    }
    return resources;
}

Result<std::shared_ptr<Source>> OpenConnection(const Engine& engine, const Project& project,
                                               const std::string& connection) {
    const auto& config = project.connections.at(connection);
    const auto settings = ResolveSecrets(project, config);
    if (!settings) return tl::unexpected(settings.error());
    const auto* kind = engine.sources.Find(config.kind);
    auto source = kind->open(*settings);
    if (!source) return Within(config.location.ToString(), source.error());
    return std::shared_ptr<Source>(std::move(*source));
}

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
    instance->queries_ = std::make_unique<QueryService>(*instance->warehouse_);
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
    streams_.clear();
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

// Every stream that the plan makes or changes: its connection answers and its tables are there.
Status Instance::CheckStreams(const Plan& plan, const Project& project) {
    for (const auto& step : plan.steps) {
        if (step.kind != "stream" ||
            (step.action != StepAction::kCreate && step.action != StepAction::kUpdate)) {
            continue;
        }
        const auto& stream = project.streams.at(step.name);
        const auto& connection = project.connections.at(stream.connection);
        auto source = OpenConnection(engine_, project, stream.connection);
        if (!source) return tl::unexpected(source.error());
        auto opened = (*source)->OpenStream(stream.name);
        if (!opened) return Within(connection.location.ToString(), opened.error());
        const auto policy = BIWA_TRY(ResolveMaskPolicy(project, stream));
        std::vector<SourceTable> found;
        for (const auto& pattern : stream.tables) {
            auto tables = (*opened)->Tables({pattern}, IfMissing::kRefuse);
            if (tables) {
                std::move(tables->begin(), tables->end(), std::back_inserter(found));
                continue;
            }
            // A table that is missing stands in the stream's file, all else in the connection's.
            const auto place = stream.table_locations.find(pattern);
            const bool is_missing = tables.error().message.starts_with("table ");
            return Within(
                (is_missing && place != stream.table_locations.end() ? place->second
                                                                     : connection.location)
                    .ToString(),
                tables.error());
        }
        for (auto& wrong : CheckMasks(stream, policy, found)) {
            return tl::unexpected(std::move(wrong));
        }
        // A new stream's slot is not made yet: what would hinder that is said now, not by a stream
        // that has failed later.
        if (BIWA_TRY(ReadStreamState(*warehouse_, stream.name)).phase == StreamPhase::kNew) {
            const auto can_start = (*opened)->CheckStart();
            if (!can_start) return Within(connection.location.ToString(), can_start.error());
        }
    }
    return {};
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
    BIWA_TRY(CheckStreams(plan, *loaded));

    const auto old_project = project();
    auto changed = StopChanged(plan, *old_project);
    if (changed) {
        changed = DropRemasked(
            plan, *loaded, BIWA_TRY(meta_->ReadApplied()), *warehouse_,
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
            if (const auto again = StartMissing(*old_project); !again) {
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
    BIWA_TRY(StartMissing(*loaded));
    StartModels();
    // Now that nothing builds them any more.
    BIWA_TRY(DropModels(plan));
    TellListeners();
    return {};
}

// Stops the streams that the plan changes, and those of a connection that it changes. One that
// goes, or goes elsewhere, is taken away at its source and forgotten.
Status Instance::StopChanged(const Plan& plan, const Project& before) {
    std::map<std::string, bool> affected;  // by name; whether to be forgotten
    for (const auto& step : plan.steps) {
        if (step.action == StepAction::kNothing || step.action == StepAction::kCreate) continue;
        if (step.kind == "connection") {
            for (const auto& [name, stream] : before.streams) {
                if (stream.connection == step.name) affected.try_emplace(name, false);
            }
        }
        if (step.kind == "stream") affected[step.name] = ForgetsStream(step);
    }
    const auto applied = BIWA_TRY(meta_->ReadApplied());
    for (const auto& [name, forget] : affected) {
        StopStream(name);
        if (forget) BIWA_TRY(RemoveStream(name, applied));
    }
    return {};
}

Status Instance::StartMissing(const Project& wanted) {
    for (const auto& [name, config] : wanted.streams) {
        bool is_running = false;
        {
            std::shared_lock lock(mutex_);
            is_running = streams_.contains(name);
        }
        if (!is_running) BIWA_TRY(StartStream(config));
    }
    return {};
}

void Instance::StopStream(const std::string& name) {
    std::unique_ptr<StreamRunner> stopped;
    std::unique_lock lock(mutex_);
    const auto found = streams_.find(name);
    if (found == streams_.end()) return;
    stopped = std::move(found->second);
    streams_.erase(found);
    // Its thread may be telling us of changes, for which it needs the lock.
    lock.unlock();
    stopped.reset();
}

// Takes away what the stream made at its source and its tables here, by what was applied: the files
// may say nothing of it any more.
Status Instance::RemoveStream(const std::string& name,
                              const std::vector<AppliedResource>& applied) {
    const auto stream = AppliedFields(applied, "stream", name);
    const auto field = [](const std::map<std::string, std::string>& fields, const char* key) {
        const auto found = fields.find(key);
        return found == fields.end() ? std::string() : found->second;
    };
    ConnectionConfig connection;
    connection.name = field(stream, "connection");
    connection.settings = AppliedFields(applied, "connection", connection.name);
    connection.kind = field(connection.settings, "kind");
    connection.settings.erase("kind");
    const auto* kind = engine_.sources.Find(connection.kind);
    if (kind == nullptr) {
        return Corrupt(fmt::format("stream {} was applied with a connection of unknown kind \"{}\"",
                                   name, connection.kind));
    }
    const auto current = project();
    const auto source = BIWA_TRY(kind->open(BIWA_TRY(ResolveSecrets(*current, connection))));
    const auto removed = StreamRunner::Remove(
        *warehouse_, name, DatasetOf(engine_, field(stream, "dataset"), connection),
        [&](const std::string& line) { return source->OpenStream(line); });
    if (removed) return {};
    return Within(fmt::format("removing stream {}", name), removed.error());
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
        BIWA_TRY(transaction->Execute(fmt::format(
            "DROP {} IF EXISTS {}", type == "view" ? "VIEW" : "TABLE", target.ToSql())));
    }
    return transaction->Commit();
}

Status Instance::StartStream(const StreamConfig& config) {
    const auto current = project();
    const auto source = BIWA_TRY(OpenConnection(engine_, *current, config.connection));
    const auto policy = BIWA_TRY(ResolveMaskPolicy(*current, config));
    StreamOptions options;
    options.name = config.name;
    options.dataset =
        DatasetOf(engine_, config.dataset, current->connections.at(config.connection));
    options.tables = config.tables;
    options.exclude = config.exclude;
    options.log_guard = {config.wal_warn_bytes, config.wal_stop_bytes};
    options.discover_every = config.discover_every;
    options.recopy_when_lost = config.recopy_when_lost;
    options.reconcile_every = config.reconcile_every;
    options.reconcile_repairs = config.reconcile_repairs;
    // For tests: a copy that ends before its first slice does has nothing to be resumed.
    if (const char* slice = std::getenv("BIWA_SNAPSHOT_SLICE_MS")) {
        options.snapshot.slice = std::chrono::milliseconds(std::atoi(slice));
    }
    auto open = [this, source, policy, dataset = options.dataset](const std::string& line) {
        return OpenMasked(*source, line, dataset, policy, *warehouse_);
    };
    auto runner = std::make_unique<StreamRunner>(
        *warehouse_, std::move(options), std::move(open),
        [this](const std::vector<TableName>& tables) { OnTablesChanged(tables); });
    std::unique_lock lock(mutex_);
    BIWA_CHECK(!streams_.contains(config.name));
    streams_[config.name] = std::move(runner);
    return {};
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
    for (const auto& [name, config] : current->streams) BIWA_TRY(StartStream(config));
    StartModels();
    return {};
}

Result<transform::RunResult> Instance::RunModels(const http::RunRequest& request,
                                                 transform::RunObserver* observer,
                                                 std::stop_token stop) {
    std::shared_ptr<workflow::Refresher> refresher;
    {
        std::shared_lock lock(mutex_);
        refresher = refresher_;
    }
    return runs_->Run(*refresher, request, observer, std::move(stop));
}

std::vector<StreamStatus> Instance::StreamStatuses() const {
    std::vector<StreamStatus> statuses;
    std::shared_lock lock(mutex_);
    for (const auto& [name, stream] : streams_) statuses.push_back(stream->status());
    return statuses;
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
                     "Nothing that was committed is lost. Mend what it names (is the disk full?) "
                     "and start again: it goes on where it was."};
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

std::vector<DashboardConfig> Instance::Dashboards() {
    std::vector<DashboardConfig> dashboards;
    for (const auto& [name, dashboard] : project()->dashboards) dashboards.push_back(dashboard);
    return dashboards;
}

Result<std::string> Instance::Run(const http::RunRequest& request, std::stop_token stop) {
    return RunJson(BIWA_TRY(RunModels(request, nullptr, std::move(stop))));
}

Result<std::string> Instance::Diff(const http::DiffRequest& request, std::stop_token stop) {
    const auto current = graph();
    const auto selected = BIWA_TRY(transform::Select(*current, {{request.model}}));
    transform::Cancellation cancellation(std::move(stop));
    for (const auto& target : selected) {
        const auto* action = current->Find(target);
        if (action->parent) continue;
        return DiffJson(
            BIWA_TRY(transform::DiffModel(*warehouse_, *action, request.key, cancellation)));
    }
    return UserError(fmt::format("{} is disabled", request.model));
}

Status Instance::AskStream(const http::StreamCommand& command) {
    const std::map<std::string, StreamRequest> requests = {{"recopy", StreamRequest::kRecopy},
                                                           {"pause", StreamRequest::kPause},
                                                           {"resume", StreamRequest::kResume}};
    const auto request = requests.find(command.action);
    const bool is_reconcile = command.action == "reconcile" || command.action == "repair";
    if (request == requests.end() && !is_reconcile) {
        return UserError(fmt::format("a stream cannot \"{}\"", command.action),
                         "It can recopy, pause, resume, reconcile and repair.");
    }
    // What runs stays while it is asked.
    std::lock_guard applying(apply_mutex_);
    StreamRunner* runner = nullptr;
    std::vector<std::string> names;
    {
        std::shared_lock lock(mutex_);
        for (const auto& [name, one] : streams_) {
            names.push_back(name);
            if (name == command.stream) runner = one.get();
        }
    }
    if (runner == nullptr) {
        const auto meant = DidYouMean(command.stream, names);
        return UserError(fmt::format("there is no stream \"{}\"", command.stream),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    if (is_reconcile) return runner->Reconcile(command.tables, command.action == "repair");
    return runner->Ask(request->second, command.tables);
}

Result<std::string> Instance::PlanJson() { return PlanToJson(BIWA_TRY(MakePlan())); }

Result<std::string> Instance::ApplyJson(const std::string& plan_json, std::stop_token) {
    const auto plan = plan_json.empty() || plan_json == "{}" ? BIWA_TRY(MakePlan())
                                                             : BIWA_TRY(PlanFromJson(plan_json));
    BIWA_TRY(Apply(plan, "api"));
    return PlanToJson(plan);
}

}  // namespace biwa
