#include "replication/stream_runner.h"

#include <fmt/format.h>

#include <utility>

#include "base/give_way.h"
#include "base/log.h"
#include "base/text.h"
#include "replication/retry.h"
#include "replication/stream_tables.h"
#include "replication/target_table.h"

namespace biwa {

using std::chrono::milliseconds;

namespace {
// What cannot be understood is read so often before a person has to look.
constexpr int kReadingsMax = 3;
}  // namespace

StreamRunner::StreamRunner(Warehouse& warehouse, StreamOptions options,
                           OpenStreamSource open_source, OnTablesChanged on_changed)
    : warehouse_(warehouse),
      options_(std::move(options)),
      open_source_(std::move(open_source)),
      on_changed_(std::move(on_changed)),
      board_(options_.name, options_.dataset, options_.queue_bytes_max),
      line_(warehouse_, OwnLine(options_), *this),
      intake_(warehouse_, options_, open_source_, on_changed_, line_, *this, board_,
              [this] { wake_ = true; }),
      keeper_(warehouse_, options_, line_, board_, intake_),
      reconciler_(warehouse_, options_.name, options_.dataset, options_.reconcile_every,
                  options_.reconcile_repairs, HostOfReconciler()),
      watch_(options_, open_source_, line_, board_, keeper_, intake_, HostOfWatch()) {
    thread_ = std::jthread([this](std::stop_token stop) {
        const GivesWay to_the_source;
        Run(stop);
        has_ended_ = true;
    });
    // It may stop the other one.
    watch_.Start();
}

StreamRunner::~StreamRunner() {
    thread_.request_stop();
    // It has the stream's thread do things, and tells it nothing.
    reconciler_.Stop();
    thread_.join();
    watch_.Stop();
}

StreamStatus StreamRunner::status() const {
    auto status = board_.status();
    status.lag_seconds = line_.lag_seconds(status);
    status.changes_total = line_.changes_applied();
    status.reconciliation = reconciler_.status();
    status.rows_total += line_.rows_total();
    status.queue_bytes = line_.queue_bytes();
    using TableState = StreamStatus::TableState;
    for (auto& table : status.tables) {
        const bool is_to_come = table.state == TableState::kWaiting ||
                                table.state == TableState::kCopying ||
                                table.state == TableState::kPaused;
        if (!is_to_come ||
            !MatchesAny(options_.history, table.source, options_.dataset.usual_schema)) {
            continue;
        }
        table.notes.emplace_back(
            "its history goes on when a copy has taken its place: what changes until then is not "
            "in it");
    }
    return status;
}

void StreamRunner::OnState(StreamStatus::State state) { board_.ShowState(state); }

void StreamRunner::OnTable(const std::string& source_name, TablePhase phase,
                           const std::string& reason, std::int64_t rows_copied) {
    if (phase == TablePhase::kWaiting) {
        LogWarn("stream {}: table {} is to be copied: {}", options_.name, source_name, reason);
        wake_ = true;
    }
    reconciler_.watch().NoteAll();
    board_.ShowPhase(source_name, phase, reason, rows_copied);
}

void StreamRunner::OnCopied(const TableName& target) {
    if (on_changed_) on_changed_({target});
}

void StreamRunner::OnChanges(const ChangeBatch& batch) {
    for (const auto& changes : batch.tables) reconciler_.watch().Note(changes);
}

void StreamRunner::OnCommit(const Applier::Applied& applied) {
    board_.ShowCommit(applied);
    if (on_changed_ && !applied.tables.empty()) on_changed_(applied.tables);
}

void StreamRunner::OnUnrepresentable(std::uint64_t count) {
    board_.Change([&](StreamStatus& status) { status.unrepresentable = count; });
}

void StreamRunner::Run(std::stop_token stop) {
    Retry retry(options_.retry_first);
    int unreadable = 0;
    while (!stop.stop_requested()) {
        const auto attempt = Attempt(stop);
        if (stop.stop_requested()) break;
        if (attempt) continue;
        const auto& error = attempt.error();
        if (line_.TakeProgressed()) {
            retry.Reset();
            unreadable = 0;
        }
        // A bit that went wrong on the way is right when it is read again.
        const bool again = error.kind == ErrorKind::kUnavailable ||
                           (error.kind == ErrorKind::kCorrupt && ++unreadable < kReadingsMax);
        board_.ShowError(again ? StreamStatus::State::kRetrying : StreamStatus::State::kFailed,
                         error);
        if (!again) {
            LogError("stream {} has stopped: {}", options_.name, error.ToString());
            break;
        }
        LogWarn("stream {}: {}; trying again in {}", options_.name, error.message,
                HumanSeconds(static_cast<double>(retry.Next().count()) / 1000));
        if (!retry.Wait(stop)) break;
    }
    intake_.Pause();
    if (stop.stop_requested() && !watch_.has_given_up()) {
        board_.ShowState(StreamStatus::State::kStopped);
    }
    errands_.Close();
}

Status StreamRunner::Attempt(std::stop_token stop) {
    BIWA_TRY(PrepareStateTables(warehouse_));
    BIWA_TRY(line_.Read());
    board_.Change([this](StreamStatus& status) {
        status.position = line_.state().position.text;
        status.commit_time = line_.state().commit_time;
        if (status.state != StreamStatus::State::kRetrying) {
            status.state = StreamStatus::State::kStarting;
        }
    });
    // Until the source has been looked at, which one that is paused or away does not bring.
    if (board_.status().tables.empty()) board_.ShowTables({}, line_.state().tables);
    errands_.Do();
    while (line_.state().is_paused) {
        if (!StandStill(stop)) return {};
        wake_ = false;
        errands_.Do();
    }
    const auto source = BIWA_TRY(open_source_(options_.name));
    const auto phase = line_.state().phase;
    if (phase == StreamPhase::kStarting && !line_.state().tables.empty()) {
        // It was beginning again: what readers see stays until it is copied anew.
        BIWA_TRY(StartOver(*source, Error{ErrorKind::kUnavailable, "it was cut off", ""}));
    } else if (phase == StreamPhase::kNew || phase == StreamPhase::kStarting) {
        BIWA_TRY(Begin(*source));
    }
    while (!stop.stop_requested()) {
        wake_ = false;
        errands_.Do();
        // Without a connection to the source, from the top.
        if (line_.state().is_paused) return {};
        // First of all: what follows would do things to another server than it was meant for.
        if (const auto checked = line_.CheckHistory(*source); !checked) {
            if (!line_.has_lost_history() || !options_.recopy_when_lost) return checked;
            BIWA_TRY(StartOver(*source, checked.error()));
        }
        BIWA_TRY(keeper_.Adjust(*source));
        const auto is_woken = [this] { return wake_.load(); };
        BIWA_TRY(line_.Copy(*source, keeper_.found(), stop, is_woken));
        if (stop.stop_requested()) break;
        if (line_.state().phase == StreamPhase::kSnapshot) continue;
        if (const auto copies = intake_.ready()) {
            keeper_.HearCopies(copies->tables, copies->order, copies->attempt);
        }
        const auto taken_over =
            BIWA_TRY(intake_.Join(*source, keeper_.found(), keeper_.NotHeard(), stop));
        for (const auto& table : taken_over) keeper_.Replaced(table);
        // Those are compared with the source as it is by now.
        if (!taken_over.empty()) continue;
        const auto followed = line_.Follow(*source, keeper_.found(), stop, is_woken);
        if (followed) continue;
        if (!line_.has_lost_history() || !options_.recopy_when_lost) return followed;
        BIWA_TRY(StartOver(*source, followed.error()));
    }
    return {};
}

Status StreamRunner::Begin(StreamSource& source) {
    const auto found = BIWA_TRY(keeper_.Find(source, IfMissing::kRefuse));
    board_.ShowTables(found, line_.state().tables);
    std::vector<SourceTable> chosen;
    for (const auto& table : found) {
        if (table.refusal.empty()) {
            chosen.push_back(table);
            continue;
        }
        LogWarn("stream {}: table {} {}. {}", options_.name, table.ToString(), table.refusal,
                table.mend_sql);
    }
    if (chosen.empty()) {
        return UserError(fmt::format("stream {} has no table that can be followed", options_.name),
                         "`biwa doctor` says what hinders each.");
    }
    BIWA_TRY(line_.Begin(source, chosen));
    board_.ShowPosition(line_.state().position);
    return {};
}

Status StreamRunner::StartOver(StreamSource& source, const Error& lost) {
    LogWarn("stream {}: {}; all tables are copied anew", options_.name, lost.message);
    intake_.Pause();
    // Tables are judged by whether they can be published, and not by whether they are.
    BIWA_TRY(source.Remove());
    BIWA_TRY(keeper_.Look(source));
    std::vector<SourceTable> followable;
    for (const auto& table : keeper_.found()) {
        if (table.refusal.empty()) followable.push_back(table);
    }
    reconciler_.watch().NoteAll();
    return line_.StartOver(source, followable, "changes were lost: " + lost.message);
}

bool StreamRunner::StandStill(std::stop_token stop) {
    board_.ShowState(StreamStatus::State::kPaused);
    intake_.Pause();
    while (!wake_) {
        if (!SleepFor(stop, milliseconds(50))) return false;
    }
    return true;
}

Status StreamRunner::CheckRuns() const {
    if (board_.state() != StreamStatus::State::kFailed) return {};
    return Fail(
        ErrorKind::kConflict, fmt::format("stream {} has stopped", options_.name),
        fmt::format("Mend what `biwa status` shows, and `biwa stream resume {}`.", options_.name));
}

Status StreamRunner::Ask(StreamRequest request, const std::vector<std::string>& tables,
                         milliseconds timeout) {
    BIWA_TRY(CheckRuns());
    auto answer = errands_.Leave([this, request, tables] { return Fulfil(request, tables); });
    wake_ = true;
    if (answer.wait_for(timeout) == std::future_status::ready) return answer.get();
    return Unavailable(
        fmt::format("stream {} is busy: it will be done when it can be", options_.name));
}

Status StreamRunner::Fulfil(StreamRequest request, const std::vector<std::string>& tables) {
    auto& state = line_.state();
    const bool is_of_stream = request == StreamRequest::kPause || request == StreamRequest::kResume;
    if (tables.empty() && is_of_stream) {
        state.is_paused = request == StreamRequest::kPause;
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(SavePaused(*transaction, options_.name, state.is_paused));
        return transaction->Commit();
    }
    std::vector<StreamState::Table*> chosen;
    for (auto& table : state.tables) {
        if (tables.empty()) chosen.push_back(&table);
    }
    for (const auto& name : tables) {
        std::vector<std::string> names;
        const auto before = chosen.size();
        for (auto& table : state.tables) {
            const auto target = TargetTable(options_.dataset, table.schema, table.name);
            names.push_back(target.name);
            if (name == target.name || name == target.ToString() || name == table.ToString()) {
                chosen.push_back(&table);
            }
        }
        if (chosen.size() > before) continue;
        const auto meant = DidYouMean(name, names);
        return UserError(fmt::format("stream {} has no table \"{}\"", options_.name, name),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    if (request == StreamRequest::kDropColumns) return DropGone(chosen);
    if (request == StreamRequest::kDropTables) {
        if (!tables.empty()) return DropTables(chosen);
        return UserError("drop-tables takes the names of the tables that are to go");
    }
    if (request != StreamRequest::kPause) intake_.TryAgain();
    for (auto* table : chosen) {
        const bool is_at_source = table->phase != TablePhase::kGone;
        if (request == StreamRequest::kPause && is_at_source) {
            BIWA_TRY(line_.SetPhase(*table, TablePhase::kPaused, "paused by hand"));
        } else if (request == StreamRequest::kResume && table->phase == TablePhase::kPaused) {
            BIWA_TRY(line_.SetPhase(*table, TablePhase::kWaiting, "was paused"));
        } else if (request == StreamRequest::kRecopy && is_at_source) {
            BIWA_TRY(line_.SetPhase(*table, TablePhase::kWaiting, "asked for by hand"));
        }
    }
    return {};
}

Status StreamRunner::DropGone(const std::vector<StreamState::Table*>& tables) {
    for (const auto* table : tables) {
        const auto target = TargetTable(options_.dataset, table->schema, table->name);
        auto transaction = BIWA_TRY(warehouse_.Begin());
        const auto dropped = BIWA_TRY(DropGoneColumns(*transaction, target));
        if (dropped.empty()) continue;
        BIWA_TRY(transaction->Commit());
        LogInfo("stream {}: dropped of {} as asked: {}", options_.name, target.ToString(),
                fmt::join(dropped, ", "));
        OnCopied(target);
    }
    return {};
}

// What the source has no more, or the stream, stays until somebody says so.
Status StreamRunner::DropTables(const std::vector<StreamState::Table*>& tables) {
    for (const auto* table : tables) {
        if (table->phase == TablePhase::kGone) continue;
        return UserError(
            fmt::format("{} is of stream {}", table->ToString(), options_.name),
            "Exclude it in the stream's file first, or drop it at the source: what is followed "
            "would come again.");
    }
    auto& state = line_.state();
    std::set<std::string> dropped, taken;
    for (const auto& table : state.tables) {
        const bool is_chosen = std::find(tables.begin(), tables.end(), &table) != tables.end();
        if (is_chosen) continue;
        taken.insert(SmallLetters(TargetTable(options_.dataset, table.schema, table.name).name));
    }
    auto transaction = BIWA_TRY(warehouse_.Begin());
    for (const auto* table : tables) {
        const auto target = TargetTable(options_.dataset, table->schema, table->name);
        // Another one may have taken its name, which its rows have made way for.
        if (!taken.contains(SmallLetters(target.name)) && BIWA_TRY(IsTable(*transaction, target))) {
            BIWA_TRY(
                DropHistory(*transaction, {options_.name, table->schema, table->name, target}));
            BIWA_TRY(DropTarget(*transaction, target));
            BIWA_TRY(DropOldNames(*transaction, target));
        }
        BIWA_TRY(ForgetTable(*transaction, options_.name, *table));
        BIWA_TRY(ForgetHeard(*transaction, options_.name, *table));
        BIWA_TRY(reconciler_.Forget(*transaction, table->schema, table->name));
        dropped.insert(table->ToString());
    }
    BIWA_TRY(transaction->Commit());
    std::erase_if(state.tables, [&](const StreamState::Table& table) {
        return dropped.contains(table.ToString());
    });
    board_.ShowTables(keeper_.found(), state.tables);
    LogInfo("stream {}: dropped as asked: {}", options_.name, fmt::join(dropped, ", "));
    return {};
}

Status StreamRunner::Reconcile(const std::vector<std::string>& tables, bool repair) {
    BIWA_TRY(CheckRuns());
    return reconciler_.Begin(BIWA_TRY(board_.SourceNames(tables)), repair);
}

Status StreamRunner::Backfill(const std::string& table, const KeyRange& range) {
    BIWA_TRY(CheckRuns());
    return reconciler_.BeginBackfill(BIWA_TRY(board_.SourceNames({table})).front(), range);
}

ReconcileHost StreamRunner::HostOfReconciler() {
    ReconcileHost host;
    host.open_source = [this] { return open_source_(options_.name); };
    host.find_tables = [this](StreamSource& source) {
        return keeper_.Find(source, IfMissing::kPassOver, board_.Kept());
    };
    host.is_live = [this](const std::string& source_name) { return board_.IsLive(source_name); };
    host.is_streaming = [this] { return board_.state() == StreamStatus::State::kStreaming; };
    host.has_applied = [this](const Position& position) -> Result<bool> {
        BIWA_TRY(CheckRuns());
        return line_.HasApplied(position);
    };
    host.on_stream_thread = [this](const std::function<Status(StreamLine&)>& work) {
        auto done = errands_.Leave([this, work] { return work(line_); });
        wake_ = true;
        return done.get();
    };
    host.on_changed = [this](const TableName& target) {
        if (on_changed_) on_changed_({target});
    };
    return host;
}

WatchHost StreamRunner::HostOfWatch() {
    WatchHost host;
    host.wake = [this] { wake_ = true; };
    host.stop = [this] { thread_.request_stop(); };
    host.has_ended = [this] { return has_ended_.load(); };
    host.give_up = [this](StreamSource& source) { return GiveUp(source); };
    return host;
}

// The stream's state goes before the slot does: should we die in between, the next start knows the
// slot that it finds for its own, and begins anew.
Status StreamRunner::GiveUp(StreamSource& source) {
    {
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(ForgetStream(*transaction, options_.name));
        BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStarting));
        BIWA_TRY(transaction->Commit());
    }
    BIWA_TRY(source.Remove());
    return intake_.Forget();
}

Status StreamRunner::Remove(
    Warehouse& warehouse, const std::string& stream, const TargetDataset& dataset,
    const std::function<Status(const std::string& line)>& remove_at_source) {
    // The books may be of a Biwa before this one.
    BIWA_TRY(PrepareStateTables(warehouse));
    for (const auto& line : {JoinName(stream), stream}) {
        const auto state = BIWA_TRY(ReadStreamState(warehouse, line));
        // What it has not made is not its to take away.
        if (state.phase != StreamPhase::kNew) BIWA_TRY(remove_at_source(line));
        auto transaction = BIWA_TRY(warehouse.Begin());
        for (const auto& table : state.tables) {
            const auto target = TargetTable(dataset, table.schema, table.name);
            BIWA_TRY(DropTarget(*transaction, line == stream ? target : BesideTable(target)));
            if (line == stream) BIWA_TRY(DropOldNames(*transaction, target));
        }
        BIWA_TRY(DropHistories(*transaction, line));
        BIWA_TRY(ForgetStream(*transaction, line));
        BIWA_TRY(transaction->Commit());
    }
    return {};
}

}  // namespace biwa
