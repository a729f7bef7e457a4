#include "instance/stream_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "instance/stream_masks.h"
#include "plan/resources.h"
#include "project/secrets.h"
#include "replication/stream_state.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

// What stands against copying these tables in part.
Status CheckParts(const StreamConfig& stream, const std::vector<SourceTable>& found) {
    for (const auto& [name, location] : stream.only_locations) {
        const auto table = std::find_if(found.begin(), found.end(), [&, wanted = name](auto& one) {
            return one.ToString() == wanted;
        });
        const auto place = fmt::format("{}: only", location.ToString());
        if (table == found.end()) {
            return UserError(fmt::format("{}: there is no table {}", place, name));
        }
        if (table->refusal.empty()) continue;
        return UserError(fmt::format("{}: {} {}", place, name, table->refusal), table->mend_sql);
    }
    return {};
}

}  // namespace

StreamSet::StreamSet(const Engine& engine, Warehouse& warehouse, const DiskReserve& reserve,
                     OnTablesChanged on_changed, std::function<bool()> is_read)
    : engine_(engine),
      warehouse_(warehouse),
      reserve_(reserve),
      on_changed_(std::move(on_changed)),
      is_read_(std::move(is_read)) {}

namespace {

// One error that says all of them; `errors` is not empty.
Error AllOf(std::vector<Error> errors) {
    auto all = std::move(errors.front());
    for (std::size_t i = 1; i < errors.size(); ++i) {
        all.message += "\n" + errors[i].message;
        if (all.hint.find(errors[i].hint) != std::string::npos) continue;
        all.hint += (all.hint.empty() ? "" : "\n") + errors[i].hint;
    }
    return all;
}

}  // namespace

Status StreamSet::Check(const Plan& plan, const Project& project) {
    for (const auto& step : plan.steps) {
        if (step.kind != "stream" ||
            (step.action != StepAction::kCreate && step.action != StepAction::kUpdate)) {
            continue;
        }
        const auto& stream = project.streams.at(step.name);
        const auto& connection = project.connections.at(stream.connection);
        auto source = OpenConnection(engine_, project, stream.connection);
        if (!source) return tl::unexpected(source.error());
        auto opened = (*source)->OpenStream(stream.name, stream.only);
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
        BIWA_TRY(CheckParts(stream, found));
        if (auto wrong = CheckMasks(stream, policy, found); !wrong.empty()) {
            return tl::unexpected(AllOf(std::move(wrong)));
        }
        // A new stream's slot is not made yet: what would hinder that is said now, not by a stream
        // that has failed later.
        if (BIWA_TRY(ReadStreamState(warehouse_, stream.name)).phase == StreamPhase::kNew) {
            const auto can_start = (*opened)->CheckStart();
            if (!can_start) return Within(connection.location.ToString(), can_start.error());
        }
    }
    return {};
}

Status StreamSet::StopChanged(const Plan& plan, const Project& before,
                              const std::vector<AppliedResource>& applied) {
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
    // Before anything is taken away, as that cannot be taken back.
    std::map<std::string, bool> is_left;  // at its source
    for (const auto& [name, forget] : affected) {
        if (!forget) continue;
        const auto reached = CheckReach(before, name, FormerOf(name, applied));
        is_left[name] = !reached;
        if (reached) continue;
        auto error = reached.error();
        if (!plan.leave_at_source) {
            error.hint += std::string(error.hint.empty() ? "" : " ") +
                          "Should its source not come back, `biwa apply --leave-at-source` removes "
                          "the stream here alone.";
            return Within(fmt::format("removing stream {}", name), std::move(error));
        }
        LogWarn(
            "stream {}: it is removed here alone, as its source cannot be reached ({}). A slot and "
            "publications that it has there stay, and the slot keeps the server's log until it is "
            "dropped",
            name, error.message);
    }
    for (const auto& [name, forget] : affected) {
        Stop(name);
        if (forget)
            BIWA_TRY(
                Remove(before, name, FormerOf(name, applied), is_left[name], plan.leave_at_source));
    }
    return {};
}

Status StreamSet::StartMissing(const Project& wanted) {
    for (const auto& [name, config] : wanted.streams) {
        bool is_running = false;
        {
            std::shared_lock lock(mutex_);
            is_running = streams_.contains(name);
        }
        if (!is_running) BIWA_TRY(Start(wanted, config));
    }
    return {};
}

void StreamSet::Stop(const std::string& name) {
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

// The files may say nothing of it any more.
StreamSet::Former StreamSet::FormerOf(const std::string& name,
                                      const std::vector<AppliedResource>& applied) const {
    const auto stream = AppliedFields(applied, "stream", name);
    const auto field = [](const std::map<std::string, std::string>& fields, const char* key) {
        const auto found = fields.find(key);
        return found == fields.end() ? std::string() : found->second;
    };
    Former former;
    former.connection.name = field(stream, "connection");
    former.connection.settings = AppliedFields(applied, "connection", former.connection.name);
    former.connection.kind = field(former.connection.settings, "kind");
    former.connection.settings.erase("kind");
    former.dataset = DatasetOf(engine_, field(stream, "dataset"), former.connection);
    return former;
}

Status StreamSet::CheckReach(const Project& project, const std::string& name,
                             const Former& former) {
    // The books may be of a Biwa before this one.
    BIWA_TRY(PrepareStateTables(warehouse_));
    const bool has_begun =
        BIWA_TRY(ReadStreamState(warehouse_, name)).phase != StreamPhase::kNew ||
        BIWA_TRY(ReadStreamState(warehouse_, JoinName(name))).phase != StreamPhase::kNew;
    if (!has_begun) return {};
    const auto source = BIWA_TRY(OpenConnection(engine_, project, former.connection));
    return BIWA_TRY(source->OpenStream(name, {}))->CheckReach();
}

// Takes away what the stream made at its source, and its tables here.
Status StreamSet::Remove(const Project& project, const std::string& name, const Former& former,
                         bool is_left, bool leave_at_source) {
    const auto removed = StreamRunner::Remove(
        warehouse_, name, former.dataset, [&](const std::string& line) -> Status {
            if (is_left) return {};
            const auto source = BIWA_TRY(OpenConnection(engine_, project, former.connection));
            auto gone = BIWA_TRY(source->OpenStream(line, {}))->Remove();
            // What passes is tried again; a right that was taken away stays away.
            const bool may_stay = leave_at_source && !gone && gone.error().kind == ErrorKind::kUser;
            if (!may_stay) return gone;
            LogWarn("stream {}: what it has at its source stays there: {}", name,
                    gone.error().message);
            return {};
        });
    if (removed) return {};
    return Within(fmt::format("removing stream {}", name), removed.error());
}

Status StreamSet::Start(const Project& project, const StreamConfig& config) {
    const auto source = BIWA_TRY(OpenConnection(engine_, project, config.connection));
    const auto policy = BIWA_TRY(ResolveMaskPolicy(project, config));
    StreamOptions options;
    options.name = config.name;
    options.dataset = DatasetOf(engine_, config.dataset, project.connections.at(config.connection));
    options.tables = config.tables;
    options.exclude = config.exclude;
    options.history = config.history;
    options.log_guard = {config.wal_warn_bytes, config.wal_stop_bytes};
    options.discover_every = config.discover_every;
    options.recopy_when_lost = config.recopy_when_lost;
    options.texts = config.texts;
    options.reconcile_every = config.reconcile_every;
    options.reconcile_repairs = config.reconcile_repairs;
    options.may_write = [this] { return reserve_.Check(); };
    options.is_read = is_read_;
    // For tests: a copy that ends before its first slice does has nothing to be resumed.
    if (const char* slice = std::getenv("BIWA_SNAPSHOT_SLICE_MS")) {
        options.snapshot.slice = std::chrono::milliseconds(std::atoi(slice));
    }
    auto open = [this, source, policy, only = config.only, stream = config.name,
                 dataset = options.dataset](const std::string& line) {
        return OpenMasked(*source, stream, line, only, dataset, policy, warehouse_);
    };
    auto runner = std::make_unique<StreamRunner>(warehouse_, std::move(options), std::move(open),
                                                 on_changed_);
    std::unique_lock lock(mutex_);
    BIWA_CHECK(!streams_.contains(config.name));
    streams_[config.name] = std::move(runner);
    return {};
}

void StreamSet::StopAll() {
    std::map<std::string, std::unique_ptr<StreamRunner>> stopped;
    {
        std::unique_lock lock(mutex_);
        stopped.swap(streams_);
    }
    stopped.clear();
}

std::vector<StreamStatus> StreamSet::statuses() const {
    std::vector<StreamStatus> statuses;
    std::shared_lock lock(mutex_);
    for (const auto& [name, stream] : streams_) statuses.push_back(stream->status());
    return statuses;
}

Status StreamSet::Ask(const http::StreamCommand& command, const Project& project) {
    const std::map<std::string, StreamRequest> requests = {
        {"recopy", StreamRequest::kRecopy},
        {"drop-columns", StreamRequest::kDropColumns},
        {"drop-tables", StreamRequest::kDropTables},
        {"pause", StreamRequest::kPause},
        {"resume", StreamRequest::kResume}};
    const auto request = requests.find(command.action);
    const bool is_reconcile = command.action == "reconcile" || command.action == "repair";
    const bool is_backfill = command.action == "backfill";
    if (request == requests.end() && !is_reconcile && !is_backfill) {
        return UserError(
            fmt::format("a stream cannot \"{}\"", command.action),
            "It can recopy, backfill, drop-columns, drop-tables, pause, resume, reconcile and "
            "repair.");
    }
    if (!is_backfill && !(command.from.empty() && command.to.empty())) {
        return UserError("only a backfill takes \"from\" and \"to\"");
    }
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
    if (is_backfill) {
        if (command.tables.size() != 1) return UserError("a backfill is of one table");
        return runner->Backfill(command.tables.front(), {command.from, command.to});
    }
    if (request->second == StreamRequest::kResume && command.tables.empty() &&
        runner->status().state == StreamStatus::State::kFailed) {
        const auto& config = project.streams.at(command.stream);
        // All that can go wrong with Start: the one that has failed shows why until then.
        BIWA_TRY(OpenConnection(engine_, project, config.connection));
        BIWA_TRY(ResolveMaskPolicy(project, config));
        Stop(command.stream);
        return Start(project, config);
    }
    return runner->Ask(request->second, command.tables);
}

}  // namespace biwa
