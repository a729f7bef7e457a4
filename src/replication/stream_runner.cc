#include "replication/stream_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "replication/retry.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kHistoryEvery{5};
constexpr std::size_t kHistoryPoints = 120;
// Beside a running stream a copy writes in short slices: the stream writes in between.
constexpr milliseconds kSliceBeside{250};
// How long a stream stands still at the most while tables are handed over to it.
constexpr milliseconds kHandOverMax{5'000};
constexpr std::chrono::seconds kJoinAgainAfter{30};

StreamStatus::TableState Shown(TablePhase phase) {
    switch (phase) {
        case TablePhase::kCopying:
            return StreamStatus::TableState::kCopying;
        case TablePhase::kLive:
            return StreamStatus::TableState::kLive;
        case TablePhase::kWaiting:
            return StreamStatus::TableState::kWaiting;
        case TablePhase::kPaused:
            return StreamStatus::TableState::kPaused;
        case TablePhase::kGone:
            return StreamStatus::TableState::kGone;
    }
    return StreamStatus::TableState::kWaiting;
}

}  // namespace

std::string_view ToString(StreamStatus::State state) {
    switch (state) {
        case StreamStatus::State::kStarting:
            return "starting";
        case StreamStatus::State::kSnapshot:
            return "snapshot";
        case StreamStatus::State::kCatchingUp:
            return "catching_up";
        case StreamStatus::State::kStreaming:
            return "streaming";
        case StreamStatus::State::kRetrying:
            return "retrying";
        case StreamStatus::State::kFailed:
            return "failed";
        case StreamStatus::State::kStopped:
            return "stopped";
        case StreamStatus::State::kPaused:
            return "paused";
    }
    return "unknown";
}

std::string_view ToString(StreamStatus::TableState state) {
    switch (state) {
        case StreamStatus::TableState::kWaiting:
            return "waiting";
        case StreamStatus::TableState::kCopying:
            return "copying";
        case StreamStatus::TableState::kLive:
            return "live";
        case StreamStatus::TableState::kRefused:
            return "refused";
        case StreamStatus::TableState::kPaused:
            return "paused";
        case StreamStatus::TableState::kGone:
            return "gone";
    }
    return "unknown";
}

void StreamStatus::Commits::Add(std::uint64_t batch_changes, std::uint64_t batch_bytes,
                                double took) {
    changes = batch_changes;
    bytes = batch_bytes;
    seconds = took;
    ++total;
    seconds_total += took;
    const auto* const bound = std::lower_bound(kBounds.begin(), kBounds.end(), took);
    ++within[static_cast<std::size_t>(bound - kBounds.begin())];
}

StreamRunner::StreamRunner(Warehouse& warehouse, StreamOptions options, OpenSource open_source,
                           OnChanged on_changed)
    : warehouse_(warehouse),
      options_(std::move(options)),
      open_source_(std::move(open_source)),
      on_changed_(std::move(on_changed)),
      line_(warehouse_, OptionsOf(options_.name, false), *this) {
    status_.name = options_.name;
    reconciler_ = std::make_unique<StreamReconciler>(
        warehouse_, options_.name, options_.dataset, options_.reconcile_every,
        options_.reconcile_repairs, HostOfReconciler());
    status_.queue_bytes_max = options_.queue_bytes_max;
    thread_ = std::jthread([this](std::stop_token stop) {
        Run(stop);
        running_ = false;
    });
    // It may stop the other one.
    watcher_ = std::jthread([this](std::stop_token stop) { Watch(stop); });
}

StreamRunner::~StreamRunner() {
    thread_.request_stop();
    watcher_.request_stop();
    // It has the stream's thread do things, and tells it nothing.
    reconciler_->Stop();
    thread_.join();
    watcher_.join();
}

LineOptions StreamRunner::OptionsOf(const std::string& line, bool beside) const {
    LineOptions options;
    options.name = line;
    options.dataset = options_.dataset;
    options.beside = beside;
    options.snapshot = options_.snapshot;
    options.commit_every = options_.commit_every;
    options.queue_bytes_max = options_.queue_bytes_max;
    if (beside) {
        options.snapshot.slice = std::min(options.snapshot.slice, kSliceBeside);
        // Its position has to reach the stream's soon, changes or not.
        options.idle_every = milliseconds(200);
    }
    return options;
}

StreamStatus StreamRunner::status() const {
    std::lock_guard lock(mutex_);
    auto status = status_;
    status.lag_seconds = line_.lag_seconds();
    status.changes_total = line_.changes_applied();
    status.reconciliation = reconciler_->status();
    status.rows_total += line_.rows_total();
    status.queue_bytes = line_.queue_bytes();
    return status;
}

template <typename Edit>
void StreamRunner::EditTable(const std::string& source_name, const Edit& edit) {
    std::lock_guard lock(mutex_);
    for (auto& table : status_.tables) {
        if (table.source == source_name) edit(table);
    }
}

void StreamRunner::ShowPhase(const std::string& source_name, TablePhase phase,
                             const std::string& reason, std::int64_t rows_copied) {
    EditTable(source_name, [&](StreamStatus::Table& show) {
        show.state = Shown(phase);
        show.reason = reason;
        if (rows_copied > 0 || phase == TablePhase::kCopying) show.rows_copied = rows_copied;
    });
}

void StreamRunner::OnState(StreamStatus::State state) {
    std::lock_guard lock(mutex_);
    status_.state = state;
    status_.error.reset();
}

void StreamRunner::OnTable(const std::string& source_name, TablePhase phase,
                           const std::string& reason, std::int64_t rows_copied) {
    if (phase == TablePhase::kWaiting) {
        LogWarn("stream {}: table {} is copied anew: {}", options_.name, source_name, reason);
        wake_ = true;
    }
    reconciler_->watch().NoteAll();
    ShowPhase(source_name, phase, reason, rows_copied);
}

void StreamRunner::OnCopied(const TableName& target) {
    if (on_changed_) on_changed_({target});
}

void StreamRunner::OnChanges(const ChangeBatch& batch) {
    for (const auto& changes : batch.tables) reconciler_->watch().Note(changes);
}

void StreamRunner::OnCommit(const Applier::Applied& applied) {
    {
        std::lock_guard lock(mutex_);
        status_.position = applied.position.text;
        if (applied.commit_time != 0) status_.commit_time = applied.commit_time;
        // One without changes only moves the position of an idle stream.
        if (applied.changes > 0) {
            status_.commits.Add(applied.changes, applied.bytes, applied.seconds);
        }
        for (const auto& target : applied.tables) {
            for (auto& table : status_.tables) {
                if (table.name == target.name) table.last_change_at = applied.commit_time;
            }
        }
    }
    if (on_changed_ && !applied.tables.empty()) on_changed_(applied.tables);
}

void StreamRunner::OnUnrepresentable(std::uint64_t count) {
    std::lock_guard lock(mutex_);
    status_.unrepresentable = count;
}

void StreamRunner::Run(std::stop_token stop) {
    Retry retry(options_.retry_first);
    while (!stop.stop_requested()) {
        const auto attempt = Attempt(stop);
        if (stop.stop_requested()) break;
        if (attempt) continue;
        const auto& error = attempt.error();
        const bool again = error.kind == ErrorKind::kUnavailable;
        {
            std::lock_guard lock(mutex_);
            status_.error = error;
            ++status_.errors.at(static_cast<std::size_t>(error.kind));
            status_.state = again ? StreamStatus::State::kRetrying : StreamStatus::State::kFailed;
        }
        if (!again) {
            LogError("stream {} has stopped: {}", options_.name, error.ToString());
            break;
        }
        if (line_.TakeProgressed()) retry.Reset();
        LogWarn("stream {}: {}; trying again in {}", options_.name, error.message,
                HumanSeconds(static_cast<double>(retry.Next().count()) / 1000));
        if (!retry.Wait(stop)) break;
    }
    {
        std::lock_guard lock(joiner_mutex_);
        joiner_.reset();
    }
    if (stop.stop_requested() && !given_up_) OnState(StreamStatus::State::kStopped);
    std::lock_guard lock(mutex_);
    is_over_ = true;
    for (auto& question : std::exchange(questions_, {})) {
        question.answer.set_value(Unavailable("the stream has stopped"));
    }
}

Status StreamRunner::Attempt(std::stop_token stop) {
    BIWA_TRY(PrepareStateTables(warehouse_));
    BIWA_TRY(line_.Read());
    {
        std::lock_guard lock(mutex_);
        status_.position = line_.state().position.text;
        status_.commit_time = line_.state().commit_time;
        if (status_.state != StreamStatus::State::kRetrying) {
            status_.state = StreamStatus::State::kStarting;
        }
    }
    Answer();
    while (line_.state().is_paused) {
        if (!StandStill(stop)) return {};
        wake_ = false;
        Answer();
    }
    const auto source = BIWA_TRY(open_source_(options_.name));
    const auto phase = line_.state().phase;
    if (phase == StreamPhase::kStarting && !line_.state().tables.empty()) {
        // It was beginning again: what readers see stays until it is copied anew.
        found_ = BIWA_TRY(FindTables(*source, options_.dataset, options_.tables, options_.exclude,
                                     IfMissing::kPassOver));
        BIWA_TRY(StartOver(*source, Error{ErrorKind::kUnavailable, "it was cut off", ""}));
    } else if (phase == StreamPhase::kNew || phase == StreamPhase::kStarting) {
        BIWA_TRY(Begin(*source));
    }
    while (!stop.stop_requested()) {
        wake_ = false;
        Answer();
        // Without a connection to the source, from the top.
        if (line_.state().is_paused) return {};
        BIWA_TRY(Adjust(*source));
        BIWA_TRY(line_.Copy(*source, found_, stop));
        if (stop.stop_requested()) break;
        // Those that were taken over are compared with the source as it is by now.
        if (BIWA_TRY(Join())) continue;
        const auto followed = line_.Follow(*source, found_, stop, [this] { return wake_.load(); });
        if (followed) continue;
        if (!line_.has_lost_history() || !options_.recopy_when_lost) return followed;
        BIWA_TRY(StartOver(*source, followed.error()));
    }
    return {};
}

Status StreamRunner::Begin(StreamSource& source) {
    const auto found = BIWA_TRY(FindTables(source, options_.dataset, options_.tables,
                                           options_.exclude, IfMissing::kRefuse));
    Show(found);
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
    std::lock_guard lock(mutex_);
    status_.position = line_.state().position.text;
    return {};
}

Status StreamRunner::StartOver(StreamSource& source, const Error& lost) {
    LogWarn("stream {}: {}; all tables are copied anew", options_.name, lost.message);
    {
        std::lock_guard lock(joiner_mutex_);
        joiner_.reset();
    }
    std::vector<SourceTable> followable;
    for (const auto& table : found_) {
        if (table.refusal.empty()) followable.push_back(table);
    }
    reconciler_->watch().NoteAll();
    return line_.StartOver(source, followable, "changes were lost: " + lost.message);
}

Status StreamRunner::Ask(StreamRequest request, const std::vector<std::string>& tables,
                         milliseconds timeout) {
    std::future<Status> answer;
    {
        std::lock_guard lock(mutex_);
        if (status_.state == StreamStatus::State::kFailed) {
            return Fail(ErrorKind::kConflict, fmt::format("stream {} has stopped", options_.name),
                        "Mend what `biwa status` shows, and start again.");
        }
        auto& question = questions_.emplace_back();
        question.request = request;
        question.tables = tables;
        answer = question.answer.get_future();
    }
    wake_ = true;
    if (answer.wait_for(timeout) == std::future_status::ready) return answer.get();
    return Unavailable(
        fmt::format("stream {} is busy: it will be done when it can be", options_.name));
}

Status StreamRunner::OnThread(const std::function<Status(StreamLine&)>& work) {
    std::future<Status> answer;
    {
        std::lock_guard lock(mutex_);
        if (is_over_) return Unavailable("the stream has stopped");
        auto& question = questions_.emplace_back();
        question.work = work;
        answer = question.answer.get_future();
    }
    wake_ = true;
    return answer.get();
}

Result<std::vector<std::string>> StreamRunner::SourceNames(
    const std::vector<std::string>& tables) const {
    std::vector<std::string> found;
    std::lock_guard lock(mutex_);
    for (const auto& name : tables) {
        std::vector<std::string> names;
        const auto before = found.size();
        for (const auto& table : status_.tables) {
            names.push_back(table.name);
            if (name == table.name || name == options_.dataset.name + "." + table.name ||
                name == table.source) {
                found.push_back(table.source);
            }
        }
        if (found.size() > before) continue;
        const auto meant = DidYouMean(name, names);
        return UserError(fmt::format("stream {} has no table \"{}\"", options_.name, name),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    return found;
}

Status StreamRunner::Reconcile(const std::vector<std::string>& tables, bool repair) {
    return reconciler_->Begin(BIWA_TRY(SourceNames(tables)), repair);
}

ReconcileHost StreamRunner::HostOfReconciler() {
    ReconcileHost host;
    host.open_source = [this] { return open_source_(options_.name); };
    host.find_tables = [this](StreamSource& source) {
        return FindTables(source, options_.dataset, options_.tables, options_.exclude,
                          IfMissing::kPassOver);
    };
    host.is_live = [this](const std::string& source_name) {
        std::lock_guard lock(mutex_);
        return std::any_of(status_.tables.begin(), status_.tables.end(), [&](const auto& table) {
            return table.source == source_name && table.state == StreamStatus::TableState::kLive;
        });
    };
    host.is_streaming = [this] {
        std::lock_guard lock(mutex_);
        return status_.state == StreamStatus::State::kStreaming;
    };
    host.has_applied = [this](const Position& position) { return line_.HasApplied(position); };
    host.on_stream_thread = [this](const std::function<Status(StreamLine&)>& work) {
        return OnThread(work);
    };
    host.on_changed = [this](const TableName& target) {
        if (on_changed_) on_changed_({target});
    };
    return host;
}

void StreamRunner::Answer() {
    std::vector<Question> questions;
    {
        std::lock_guard lock(mutex_);
        questions = std::exchange(questions_, {});
    }
    for (auto& question : questions) {
        question.answer.set_value(question.work ? question.work(line_)
                                                : Fulfil(question.request, question.tables));
    }
}

Status StreamRunner::Fulfil(StreamRequest request, const std::vector<std::string>& tables) {
    auto& state = line_.state();
    if (tables.empty() && request != StreamRequest::kRecopy) {
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

bool StreamRunner::StandStill(std::stop_token stop) {
    OnState(StreamStatus::State::kPaused);
    {
        std::lock_guard lock(joiner_mutex_);
        joiner_.reset();
    }
    while (!wake_) {
        if (!SleepFor(stop, milliseconds(50))) return false;
    }
    return true;
}

// What is shown of each table, those of the stream that are not at the source any more too.
void StreamRunner::Show(const std::vector<SourceTable>& found) {
    std::vector<StreamStatus::Table> shown;
    const auto add = [&](const std::string& schema, const std::string& name) -> auto& {
        auto& show = shown.emplace_back();
        show.name = TargetTable(options_.dataset, schema, name).name;
        show.source = schema + "." + name;
        return show;
    };
    for (const auto& table : found) {
        auto& show = add(table.schema, table.name);
        show.rows_estimate = table.rows_estimate;
        show.notes = table.notes;
        show.masks = table.masks;
        for (const auto& column : table.columns.columns) {
            if (!column.note.empty()) show.notes.push_back(column.name + ": " + column.note);
        }
        if (table.refusal.empty()) continue;
        show.state = StreamStatus::TableState::kRefused;
        show.notes.insert(show.notes.begin(), table.refusal + "; mend: " + table.mend_sql);
    }
    for (const auto& table : line_.state().tables) {
        auto show = std::find_if(shown.begin(), shown.end(), [&](const StreamStatus::Table& one) {
            return one.source == table.ToString();
        });
        if (show == shown.end()) {
            add(table.schema, table.name);
            show = std::prev(shown.end());
        }
        // Its turn to be copied has yet to come.
        show->state = table.phase == TablePhase::kCopying ? StreamStatus::TableState::kWaiting
                                                          : Shown(table.phase);
        show->reason = table.reason;
    }
    std::lock_guard lock(mutex_);
    for (auto& show : shown) {
        for (const auto& before : status_.tables) {
            if (before.source != show.source) continue;
            show.rows_copied = before.rows_copied;
            show.last_change_at = before.last_change_at;
            // One that is being copied is still so.
            if (before.state == StreamStatus::TableState::kCopying &&
                show.state == StreamStatus::TableState::kWaiting) {
                show.state = before.state;
            }
        }
    }
    status_.tables = std::move(shown);
}

Status StreamRunner::Adjust(StreamSource& source) {
    std::set<std::string> known;
    for (const auto& table : line_.state().tables) {
        if (table.phase != TablePhase::kGone) known.insert(table.ToString());
    }
    found_ = BIWA_TRY(FindTables(source, options_.dataset, options_.tables, options_.exclude,
                                 IfMissing::kPassOver, known));
    {
        // As it was found: what cannot be published is tried again when something has changed, and
        // not each time that somebody looks.
        std::lock_guard lock(mutex_);
        signature_ = Signature(found_);
    }
    auto steps = CompareTables(line_.state().tables, found_);
    // The publication follows a table whatever its name; all else is published by name.
    const auto others = std::stable_partition(
        steps.begin(), steps.end(),
        [](const TableStep& step) { return step.kind == TableStep::Kind::kRename; });
    std::vector<TableStep> to_publish(others, steps.end());
    steps.erase(others, steps.end());
    for (const auto& step : steps) BIWA_TRY(Carry(step));
    const bool copies_are_published_otherwise =
        std::any_of(to_publish.begin(), to_publish.end(),
                    [](const TableStep& step) { return step.kind == TableStep::Kind::kPublish; });
    if (copies_are_published_otherwise) {
        // The second line has a publication of its own, by which the application's updates fail.
        {
            std::lock_guard lock(joiner_mutex_);
            joiner_.reset();
        }
        BIWA_TRY(ForgetJoined(false));
    }
    if (!to_publish.empty()) BIWA_TRY(Publish(source, to_publish));
    for (const auto& step : to_publish) BIWA_TRY(Carry(step));
    for (const auto& step : BIWA_TRY(CompareColumns())) BIWA_TRY(Carry(step));
    Show(found_);
    return {};
}

// What alters a table's rows is not in the stream of changes, only that its columns are others: a
// table that nobody changes afterwards would not be heard of.
Result<std::vector<TableStep>> StreamRunner::CompareColumns() {
    std::vector<TableStep> steps;
    std::unique_ptr<WriteTransaction> transaction;
    for (const auto& table : found_) {
        const auto name = table.ToString();
        const auto* known = line_.state().Find(name);
        if (known == nullptr || known->phase != TablePhase::kLive) continue;
        auto signature = Signature(table);
        if (compared_[name] == signature) continue;
        if (!transaction) transaction = BIWA_TRY(warehouse_.Begin());
        const auto fit = BIWA_TRY(FitTarget(
            *transaction, TargetTable(options_.dataset, table.schema, table.name), table.columns));
        compared_[name] = std::move(signature);
        if (!fit.recopy.empty()) {
            steps.push_back({TableStep::Kind::kRecopy, name, &table, fit.recopy});
        }
    }
    return steps;
}

// What is to be copied has to be published first: what changes in between comes twice.
Status StreamRunner::Publish(StreamSource& source, std::vector<TableStep>& steps) {
    const auto publish = [&](bool with_new) {
        std::vector<SourceTable> tables;
        for (const auto& table : found_) {
            const auto* known = line_.state().Find(table.ToString());
            const bool is_new = std::any_of(steps.begin(), steps.end(), [&](const TableStep& step) {
                return step.kind == TableStep::Kind::kAdd && step.table == table.ToString();
            });
            if (table.refusal.empty() && (is_new ? with_new : known != nullptr)) {
                tables.push_back(table);
            }
        }
        return source.Publish(tables);
    };
    const auto published = publish(true);
    if (published || published.error().kind != ErrorKind::kUser) return published;
    // A new table that is not ours to publish must not end the stream of the others.
    std::vector<TableStep> kept;
    for (auto& step : steps) {
        if (step.kind != TableStep::Kind::kAdd) {
            kept.push_back(step);
            continue;
        }
        for (auto& table : found_) {
            if (table.ToString() != step.table) continue;
            table.refusal = "cannot be published: " + published.error().message;
            table.mend_sql = published.error().hint;
        }
    }
    if (kept.size() == steps.size()) return published;
    steps = std::move(kept);
    return publish(false);
}

Status StreamRunner::Carry(const TableStep& step) {
    using Kind = TableStep::Kind;
    auto& state = line_.state();
    auto transaction = BIWA_TRY(warehouse_.Begin());
    LogInfo("stream {}: {} {}", options_.name, step.table, step.reason);
    if (step.kind == Kind::kAdd) {
        StreamState::Table table{
            .schema = step.found->schema, .name = step.found->name, .id = step.found->id};
        table.phase = TablePhase::kWaiting;
        table.reason = step.reason;
        table.inserts_only = step.found->columns.key.empty();
        table.part = step.found->part.ToString();
        BIWA_TRY(SaveTable(*transaction, options_.name, table));
        BIWA_TRY(transaction->Commit());
        state.tables.push_back(std::move(table));
        return {};
    }
    auto& table = *state.Find(step.table);
    if (step.kind == Kind::kRename) {
        const auto from = TargetTable(options_.dataset, table.schema, table.name);
        BIWA_TRY(ForgetTable(*transaction, options_.name, table));
        table.schema = step.found->schema;
        table.name = step.found->name;
        const auto to = TargetTable(options_.dataset, table.schema, table.name);
        BIWA_TRY(RenameTarget(*transaction, from, to));
    } else if (step.found != nullptr) {
        table.inserts_only = step.found->columns.key.empty();
        table.part = step.found->part.ToString();
    }
    if (step.kind != Kind::kRename && step.kind != Kind::kPublish) {
        table.phase = step.kind == Kind::kGone ? TablePhase::kGone : TablePhase::kWaiting;
        table.reason = step.reason;
        table.ranges_left.clear();
    }
    BIWA_TRY(SaveTable(*transaction, options_.name, table));
    return transaction->Commit();
}

Result<bool> StreamRunner::Join() {
    auto& state = line_.state();
    bool took_over = false;
    if (joiner_) {
        const auto failed = joiner_->failed();
        if (!failed && joiner_->is_ready()) {
            const auto joined = joiner_->FinishAt(state.position, kHandOverMax);
            if (!joined) return false;
            BIWA_TRY(TakeOver(*joined));
            took_over = true;
        } else if (!failed) {
            return false;
        }
        if (failed) {
            {
                std::lock_guard lock(joiner_mutex_);
                join_not_before_ = steady_clock::now() + kJoinAgainAfter;
            }
            for (const auto& table : state.tables) {
                if (table.phase != TablePhase::kWaiting) continue;
                ShowPhase(table.ToString(), table.phase, table.reason + "; " + failed->message, 0);
            }
        }
        std::lock_guard lock(joiner_mutex_);
        const auto rows = joiner_->rows_total();
        joiner_.reset();
        std::lock_guard status_lock(mutex_);
        status_.rows_total += rows;
    }
    std::vector<std::string> waiting;
    for (const auto& table : state.tables) {
        if (table.phase == TablePhase::kWaiting) waiting.push_back(table.ToString());
    }
    BIWA_TRY(ForgetJoined(!waiting.empty()));
    if (waiting.empty() || steady_clock::now() < join_not_before_) return took_over;
    const auto line = JoinName(options_.name);
    std::lock_guard lock(joiner_mutex_);
    joiner_ = std::make_unique<TableJoiner>(
        warehouse_, OptionsOf(line, true), [this, line] { return open_source_(line); },
        std::move(waiting), options_.retry_first,
        [this](const std::string& table, TablePhase phase, std::int64_t rows) {
            // Live over there is not yet live here.
            if (phase == TablePhase::kLive) phase = TablePhase::kCopying;
            EditTable(table, [&](StreamStatus::Table& show) {
                show.state = Shown(phase);
                show.rows_copied = rows;
            });
        },
        [this] { wake_ = true; });
    return took_over;
}

// All tables that were copied beside the stream take the places of those that readers have seen,
// and are the stream's from the joined line's position on; all in one transaction.
Status StreamRunner::TakeOver(const StreamState& joined) {
    auto& state = line_.state();
    std::vector<TableName> changed;
    std::vector<StreamState::Table> taken;
    auto transaction = BIWA_TRY(warehouse_.Begin());
    for (const auto& table : joined.tables) {
        const auto target = TargetTable(options_.dataset, table.schema, table.name);
        const auto* mine = state.Find(table.ToString());
        if (table.phase != TablePhase::kLive || mine == nullptr ||
            mine->phase != TablePhase::kWaiting) {
            BIWA_TRY(DropTarget(*transaction, BesideTable(target)));
            continue;
        }
        std::vector<std::string> key;
        bool has_listed_columns = false;
        for (const auto& found : found_) {
            if (found.ToString() != table.ToString()) continue;
            has_listed_columns = !found.part.columns.empty();
            if (found.columns.key_repeats) continue;
            for (const auto column : found.columns.key) {
                key.push_back(found.columns.columns[column].name);
            }
        }
        // Where columns are listed there are no others, not even such as were there before.
        if (has_listed_columns) BIWA_TRY(DropTarget(*transaction, target));
        BIWA_TRY(SwapIn(*transaction, BesideTable(target), target, key));
        taken.push_back(table);
        taken.back().from = joined.position.order;
        BIWA_TRY(SaveTable(*transaction, options_.name, taken.back()));
        changed.push_back(target);
    }
    BIWA_TRY(SavePhase(*transaction, JoinName(options_.name), StreamPhase::kLeaving));
    BIWA_TRY(transaction->Commit());
    reconciler_->watch().NoteAll();
    for (auto& table : taken) {
        LogInfo("stream {}: {} was copied and is followed from {}", options_.name, table.ToString(),
                joined.position.text);
        ShowPhase(table.ToString(), TablePhase::kLive, "", 0);
        // What the one before fitted says nothing of this one.
        compared_.erase(table.ToString());
        *state.Find(table.ToString()) = std::move(table);
    }
    if (on_changed_ && !changed.empty()) on_changed_(changed);
    return {};
}

// Takes away what a line of joined tables has left: after it was taken over, or when nothing waits
// for it any more.
Status StreamRunner::ForgetJoined(bool only_if_leaving) {
    const auto name = JoinName(options_.name);
    const auto state = BIWA_TRY(ReadStreamState(warehouse_, name));
    if (state.phase == StreamPhase::kNew) return {};
    if (only_if_leaving && state.phase != StreamPhase::kLeaving) return {};
    StreamLine line(warehouse_, OptionsOf(name, true), *this);
    const auto source = BIWA_TRY(open_source_(name));
    BIWA_TRY(line.Remove(*source));
    if (state.phase == StreamPhase::kLeaving) return {};
    auto transaction = BIWA_TRY(warehouse_.Begin());
    for (const auto& table : state.tables) {
        BIWA_TRY(DropTarget(*transaction,
                            BesideTable(TargetTable(options_.dataset, table.schema, table.name))));
    }
    return transaction->Commit();
}

Status StreamRunner::Remove(Warehouse& warehouse, const std::string& stream,
                            const TargetDataset& dataset, const OpenSource& open_source) {
    for (const auto& line : {JoinName(stream), stream}) {
        const auto state = BIWA_TRY(ReadStreamState(warehouse, line));
        // What it has not made is not its to take away.
        if (state.phase != StreamPhase::kNew) {
            const auto source = BIWA_TRY(open_source(line));
            BIWA_TRY(source->Remove());
        }
        auto transaction = BIWA_TRY(warehouse.Begin());
        for (const auto& table : state.tables) {
            const auto target = TargetTable(dataset, table.schema, table.name);
            BIWA_TRY(DropTarget(*transaction, line == stream ? target : BesideTable(target)));
        }
        BIWA_TRY(ForgetStream(*transaction, line));
        BIWA_TRY(transaction->Commit());
    }
    return {};
}

// Measures rates once a second and asks the source how far it is, on a connection of its own; now
// and then, what tables it has.
void StreamRunner::Watch(std::stop_token stop) {
    std::unique_ptr<StreamSource> source;
    auto last = steady_clock::now();
    auto last_point = last, last_look = last;
    std::uint64_t last_changes = 0;
    std::int64_t last_rows = 0;
    const auto every = std::min(milliseconds(1000), options_.discover_every);
    while (SleepFor(stop, every)) {
        const auto now = steady_clock::now();
        bool follows = false;
        if (now - last >= milliseconds(1000)) {
            const double seconds = std::chrono::duration<double>(now - last).count();
            last = now;
            const auto changes = line_.changes_applied();
            auto rows = line_.rows_copied();
            {
                std::lock_guard lock(joiner_mutex_);
                if (joiner_) rows += joiner_->rows_copied();
                if (join_not_before_ != steady_clock::time_point{} && now >= join_not_before_) {
                    join_not_before_ = {};
                    wake_ = true;
                }
            }
            std::lock_guard lock(mutex_);
            status_.changes_per_s = static_cast<double>(changes - last_changes) / seconds;
            status_.rows_per_s =
                rows >= last_rows ? static_cast<double>(rows - last_rows) / seconds : 0;
            for (auto& table : status_.tables) {
                if (table.state == StreamStatus::TableState::kCopying) table.rows_copied = rows;
            }
            last_changes = changes;
            last_rows = rows;
        }
        {
            std::lock_guard lock(mutex_);
            follows = status_.state != StreamStatus::State::kStarting &&
                      status_.state != StreamStatus::State::kFailed;
        }
        // A stream that has failed has its log kept all the same.
        bool is_kept_for = false;
        {
            std::lock_guard lock(mutex_);
            is_kept_for = status_.state != StreamStatus::State::kStarting;
        }
        if (is_kept_for && !source) {
            if (auto opened = open_source_(options_.name)) source = std::move(*opened);
        }
        if (is_kept_for && source && last == now) {
            if (const auto progress = source->Progress()) {
                {
                    std::lock_guard lock(mutex_);
                    status_.lag_bytes = progress->lag_bytes;
                    status_.retained_bytes = progress->retained_bytes;
                }
                Guard(*source, progress->retained_bytes);
            }
        }
        if (follows && source && now - last_look >= options_.discover_every) {
            Look(*source);
            last_look = steady_clock::now();
        }
        if (now - last_point < kHistoryEvery) continue;
        last_point = now;
        const auto lag = status().lag_seconds;
        std::lock_guard lock(mutex_);
        status_.history.push_back({SystemClock().Now(), status_.changes_per_s, lag});
        if (status_.history.size() > kHistoryPoints) status_.history.pop_front();
    }
}

void StreamRunner::Guard(StreamSource& source, std::uint64_t retained) {
    const auto& guard = options_.log_guard;
    if (guard.stops(retained) && !given_up_.exchange(true)) thread_.request_stop();
    const auto warning =
        guard.warns(retained) && !given_up_ ? guard.Warning(retained) : std::string();
    bool is_new = false;
    {
        std::lock_guard lock(mutex_);
        is_new = status_.warning.empty() && !warning.empty();
        status_.warning = warning;
    }
    if (is_new) LogWarn("stream {}: {}", options_.name, warning);
    // What it was doing has to end first: a slot that is in use cannot be dropped.
    if (!given_up_ || running_) return;
    const auto done = GiveUp(source);
    auto error = guard.Stopped(retained);
    if (!done) {
        error = Within("giving up the stream by wal_guard.stop, which is tried again", done.error())
                    .value();
    }
    LogError("stream {} has stopped: {}", options_.name, error.ToString());
    std::lock_guard lock(mutex_);
    status_.state = StreamStatus::State::kFailed;
    status_.error = std::move(error);
    if (!done) return;
    ++status_.errors.at(static_cast<std::size_t>(status_.error->kind));
    status_.lag_bytes = status_.retained_bytes = 0;
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
    return ForgetJoined(false);
}

// Wakes the stream's thread when the source's tables are not those that it has seen.
void StreamRunner::Look(StreamSource& source) {
    std::set<std::string> known;
    {
        std::lock_guard lock(mutex_);
        for (const auto& table : status_.tables) {
            if (table.state == StreamStatus::TableState::kGone ||
                table.state == StreamStatus::TableState::kRefused) {
                continue;
            }
            known.insert(table.source);
        }
    }
    const auto found = FindTables(source, options_.dataset, options_.tables, options_.exclude,
                                  IfMissing::kPassOver, known);
    if (!found) return;
    const auto signature = Signature(*found);
    std::lock_guard lock(mutex_);
    if (status_.state == StreamStatus::State::kStreaming && signature != signature_) wake_ = true;
}

}  // namespace biwa
