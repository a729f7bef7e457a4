#include "replication/stream_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <random>

#include "base/log.h"
#include "base/text.h"

namespace biwa {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kBatchChangesMax = 1'000'000;
// With so many waiting, throughput counts and not the rhythm of commits.
constexpr std::uint64_t kManyChanges = 50'000;
constexpr milliseconds kPollTimeout{200};
constexpr milliseconds kRetryMax{30'000};
constexpr std::chrono::seconds kHistoryEvery{5};
constexpr std::size_t kHistoryPoints = 120;

Micros WallClock() { return SystemClock().Now(); }

bool Sleep(std::stop_token stop, milliseconds time) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

bool Matches(const std::string& pattern, const std::string& name) {
    if (pattern.ends_with('*')) {
        return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
    }
    return name == pattern || name == "public." + pattern;
}

std::string SmallLetters(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

// The warehouse does not tell names apart by capitals: two tables or columns must not become one.
void RefuseClashes(const std::string& target, std::map<std::string, std::string>& names,
                   SourceTable& table) {
    std::map<std::string, std::string> columns;
    for (const auto& column : table.columns.columns) {
        const auto [other, is_new] = columns.emplace(SmallLetters(column.name), column.name);
        if (is_new) continue;
        table.refusal = fmt::format(
            "has columns \"{}\" and \"{}\", which the warehouse cannot tell "
            "apart",
            other->second, column.name);
        table.mend_sql = "rename one of them";
        return;
    }
    const auto [other, is_new] = names.emplace(SmallLetters(target), table.ToString());
    if (is_new) return;
    table.refusal = fmt::format("would have the same name in the warehouse as {}", other->second);
    table.mend_sql = "exclude one of them, or give it a stream with another dataset";
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
      on_changed_(std::move(on_changed)) {
    status_.name = options_.name;
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
    thread_.join();
    watcher_.join();
}

StreamStatus StreamRunner::status() const {
    std::lock_guard lock(mutex_);
    auto status = status_;
    status.lag_seconds =
        waiting_.empty()
            ? 0
            : std::max(0.0, static_cast<double>(WallClock() - waiting_.front().commit_time) / 1e6);
    status.changes_total = changes_applied_;
    status.rows_total = rows_total_;
    status.queue_bytes = queue_bytes_;
    return status;
}

void StreamRunner::SetState(StreamStatus::State state) {
    std::lock_guard lock(mutex_);
    status_.state = state;
    if (state != StreamStatus::State::kRetrying && state != StreamStatus::State::kFailed) {
        status_.error.reset();
    }
}

template <typename Edit>
void StreamRunner::EditTable(const std::string& source_name, const Edit& edit) {
    std::lock_guard lock(mutex_);
    for (auto& table : status_.tables) {
        if (table.source == source_name) edit(table);
    }
}

void StreamRunner::Run(std::stop_token stop) {
    std::mt19937 random(std::random_device{}());
    auto wait = options_.retry_first;
    while (!stop.stop_requested()) {
        const auto attempt = Attempt(stop);
        if (stop.stop_requested()) break;
        const auto& error = attempt.error();
        const bool again = error.kind == ErrorKind::kUnavailable;
        {
            std::lock_guard lock(mutex_);
            waiting_.clear();
            status_.error = error;
            ++status_.errors.at(static_cast<std::size_t>(error.kind));
            status_.state = again ? StreamStatus::State::kRetrying : StreamStatus::State::kFailed;
        }
        if (!again) {
            LogError("stream {} has stopped: {}", options_.name, error.ToString());
            return;
        }
        if (progressed_.exchange(false)) wait = options_.retry_first;
        // Jitter, so that many streams of one server do not come back at the same moment.
        const auto jittered =
            wait / 2 + milliseconds(random() % static_cast<unsigned>(wait.count() / 2 + 1));
        LogWarn("stream {}: {}; trying again in {}", options_.name, error.message,
                HumanSeconds(static_cast<double>(jittered.count()) / 1000));
        if (!Sleep(stop, jittered)) break;
        wait = std::min(wait * 2, kRetryMax);
    }
    if (!given_up_) SetState(StreamStatus::State::kStopped);
}

Result<std::vector<SourceTable>> StreamRunner::ChooseTables(StreamSource& source) {
    auto found = BIWA_TRY(source.Tables(options_.tables));
    std::vector<SourceTable> chosen;
    std::vector<StreamStatus::Table> shown;
    std::map<std::string, std::string> names;  // in the warehouse, in small letters: of the source
    for (auto& table : found) {
        const auto name = table.ToString();
        if (std::any_of(options_.exclude.begin(), options_.exclude.end(),
                        [&](const std::string& pattern) { return Matches(pattern, name); })) {
            continue;
        }
        auto& show = shown.emplace_back();
        show.name = TargetTable(options_.dataset, table.schema, table.name).name;
        show.source = name;
        show.rows_estimate = table.rows_estimate;
        show.notes = table.notes;
        show.masks = table.masks;
        for (const auto& column : table.columns.columns) {
            if (!column.note.empty()) show.notes.push_back(column.name + ": " + column.note);
        }
        if (table.refusal.empty()) RefuseClashes(show.name, names, table);
        if (!table.refusal.empty()) {
            show.state = StreamStatus::TableState::kRefused;
            show.notes.insert(show.notes.begin(), table.refusal + "; mend: " + table.mend_sql);
            LogWarn("stream {}: table {} {}. {}", options_.name, name, table.refusal,
                    table.mend_sql);
            continue;
        }
        chosen.push_back(std::move(table));
    }
    {
        std::lock_guard lock(mutex_);
        status_.tables = std::move(shown);
    }
    if (chosen.empty()) {
        return UserError(fmt::format("stream {} has no table that can be followed", options_.name),
                         "`biwa doctor` says what hinders each.");
    }
    return chosen;
}

Status StreamRunner::Attempt(std::stop_token stop) {
    BIWA_TRY(PrepareStateTables(warehouse_));
    auto state = BIWA_TRY(ReadStreamState(warehouse_, options_.name));
    {
        std::lock_guard lock(mutex_);
        status_.position = state.position.text;
        status_.commit_time = state.commit_time;
        if (status_.state != StreamStatus::State::kRetrying) {
            status_.state = StreamStatus::State::kStarting;
        }
    }
    const auto source = BIWA_TRY(open_source_());
    const auto tables = BIWA_TRY(ChooseTables(*source));

    std::unique_ptr<SnapshotReader> snapshot;
    if (state.phase == StreamPhase::kNew || state.phase == StreamPhase::kStarting) {
        BIWA_TRY(Begin(*source, tables, state, snapshot));
    } else {
        BIWA_TRY(Adjust(*source, tables, state));
    }
    durable_order_ = state.position.order;
    received_order_ = state.position.order;
    {
        std::lock_guard lock(mutex_);
        status_.position = state.position.text;
    }
    BIWA_TRY(Copy(*source, tables, state, std::move(snapshot), stop));
    if (stop.stop_requested()) return {};
    return Follow(*source, tables, state, stop);
}

Status StreamRunner::Begin(StreamSource& source, const std::vector<SourceTable>& tables,
                           StreamState& state, std::unique_ptr<SnapshotReader>& snapshot) {
    const bool replace = state.phase == StreamPhase::kStarting;
    // Before it is written down that we are about to make a slot: one that is there now is not
    // ours.
    if (!replace) BIWA_TRY(source.CheckStart());
    {
        // Written down first: should we die between the slot's making and the next commit, the slot
        // that is found then is known to be ours.
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStarting));
        BIWA_TRY(transaction->Commit());
    }
    auto start = source.Start(tables, replace);
    if (!start) {
        if (start.error().kind == ErrorKind::kUser && !replace) {
            auto transaction = BIWA_TRY(warehouse_.Begin());
            BIWA_TRY(ForgetStream(*transaction, options_.name));
            BIWA_TRY(transaction->Commit());
        }
        return tl::unexpected(std::move(start).error());
    }
    state.position = start->position;
    state.tables.clear();
    auto transaction = BIWA_TRY(warehouse_.Begin());
    for (const auto& table : tables) {
        StreamState::Table added{table.schema, table.name, 0, false, {}};
        added.ranges_left = BIWA_TRY(start->snapshot->Split(table));
        const auto target = TargetTable(options_.dataset, table.schema, table.name);
        BIWA_TRY(PrepareTargetTable(*transaction, target, table.columns));
        BIWA_TRY(transaction->Execute("DELETE FROM " + target.ToSql()));
        BIWA_TRY(SaveTable(*transaction, options_.name, added));
        state.tables.push_back(std::move(added));
    }
    BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kSnapshot));
    BIWA_TRY(SavePosition(*transaction, options_.name, state.position, 0));
    BIWA_TRY(transaction->Commit());
    state.phase = StreamPhase::kSnapshot;
    snapshot = std::move(start->snapshot);
    LogInfo("stream {}: copying {} tables as of {}", options_.name, tables.size(),
            state.position.text);
    return {};
}

// Tables that have come into the stream since it began, or have gone out of it.
Status StreamRunner::Adjust(StreamSource& source, const std::vector<SourceTable>& tables,
                            StreamState& state) {
    std::vector<const SourceTable*> added;
    for (const auto& table : tables) {
        const bool known = std::any_of(
            state.tables.begin(), state.tables.end(),
            [&](const StreamState::Table& one) { return one.ToString() == table.ToString(); });
        if (!known) added.push_back(&table);
    }
    std::vector<StreamState::Table> kept, removed;
    for (auto& one : state.tables) {
        const bool wanted = std::any_of(
            tables.begin(), tables.end(),
            [&](const SourceTable& table) { return one.ToString() == table.ToString(); });
        (wanted ? kept : removed).push_back(std::move(one));
    }
    state.tables = std::move(kept);
    if (added.empty() && removed.empty()) return {};

    // Published first, copied after: what changes in between comes twice, and is the same.
    BIWA_TRY(source.Publish(tables));
    const auto reader = BIWA_TRY(source.ResumeSnapshot());
    auto transaction = BIWA_TRY(warehouse_.Begin());
    for (const auto& table : removed) {
        LogInfo("stream {}: {} is no longer of the stream; its rows stay as they are",
                options_.name, table.ToString());
        BIWA_TRY(ForgetTable(*transaction, options_.name, table));
    }
    for (const auto* table : added) {
        StreamState::Table one{table->schema, table->name, 0, false, {}};
        one.ranges_left = BIWA_TRY(reader->Split(*table));
        const auto target = TargetTable(options_.dataset, table->schema, table->name);
        BIWA_TRY(PrepareTargetTable(*transaction, target, table->columns));
        BIWA_TRY(transaction->Execute("DELETE FROM " + target.ToSql()));
        BIWA_TRY(SaveTable(*transaction, options_.name, one));
        state.tables.push_back(std::move(one));
    }
    return transaction->Commit();
}

Status StreamRunner::Copy(StreamSource& source, const std::vector<SourceTable>& tables,
                          StreamState& state, std::unique_ptr<SnapshotReader> snapshot,
                          std::stop_token stop) {
    for (auto& table : state.tables) {
        EditTable(table.ToString(), [&](StreamStatus::Table& show) {
            show.state =
                table.copied ? StreamStatus::TableState::kLive : StreamStatus::TableState::kWaiting;
        });
    }
    const bool exact = snapshot != nullptr;
    bool any = false;
    for (auto& table : state.tables) {
        if (table.copied) continue;
        if (!any) SetState(StreamStatus::State::kSnapshot);
        any = true;
        const auto described = std::find_if(
            tables.begin(), tables.end(),
            [&](const SourceTable& one) { return one.ToString() == table.ToString(); });
        const auto target = TargetTable(options_.dataset, table.schema, table.name);
        rows_copied_ = 0;
        {
            // The table may have got columns since an earlier start made the target.
            auto transaction = BIWA_TRY(warehouse_.Begin());
            BIWA_TRY(PrepareTargetTable(*transaction, target, described->columns));
            BIWA_TRY(transaction->Commit());
        }
        EditTable(table.ToString(), [](StreamStatus::Table& show) {
            show.state = StreamStatus::TableState::kCopying;
        });
        while (!table.ranges_left.empty()) {
            if (!snapshot) {
                snapshot = BIWA_TRY(source.ResumeSnapshot());
                LogInfo("stream {}: going on with the copy of {}, {} parts left", options_.name,
                        table.ToString(), table.ranges_left.size());
            }
            const auto before = rows_copied_.load();
            BIWA_TRY(CopySlice(warehouse_, options_.name, *snapshot, *described, target, table,
                               options_.snapshot, rows_copied_, stop));
            rows_total_ += static_cast<std::uint64_t>(rows_copied_ - before);
            progressed_ = true;
            if (on_changed_) on_changed_({target});
        }
        // A later look at the source has changes in it that are still to come through the stream.
        table.overlap_until = exact ? 0 : BIWA_TRY(source.Head()).order;
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(SaveTableCopied(*transaction, options_.name, table));
        BIWA_TRY(transaction->Commit());
        table.copied = true;
        const auto rows = rows_copied_.exchange(0);
        EditTable(table.ToString(), [&](StreamStatus::Table& show) {
            show.state = StreamStatus::TableState::kLive;
            show.rows_copied = rows;
        });
        if (on_changed_) on_changed_({target});
    }
    if (state.phase != StreamPhase::kStreaming) {
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStreaming));
        BIWA_TRY(transaction->Commit());
        LogInfo("stream {}: all tables are copied, following changes from {}", options_.name,
                state.position.text);
    }
    return {};
}

Status StreamRunner::Follow(StreamSource& source, const std::vector<SourceTable>& tables,
                            const StreamState& state, std::stop_token stop) {
    auto changes = BIWA_TRY(source.Follow(tables, state.position));
    SetState(StreamStatus::State::kCatchingUp);
    BoundedQueue<ChangeBatch> queue(options_.queue_bytes_max);
    Status read_result;
    {
        std::jthread reader([&](std::stop_token reader_stop) {
            const auto durable = [&] { return Position{durable_order_, ""}; };
            while (!reader_stop.stop_requested()) {
                auto batch = changes->Poll(durable(), kPollTimeout);
                if (!batch) {
                    read_result = tl::unexpected(std::move(batch).error());
                    break;
                }
                if (!*batch) continue;
                auto& full = **batch;
                const auto bytes = full.bytes;
                if (full.commit) {
                    received_order_ = full.commit->order;
                    std::lock_guard lock(mutex_);
                    status_.unrepresentable = changes->unrepresentable();
                    if (full.commit_time != 0) {
                        waiting_.push_back({full.commit->order, full.commit_time});
                    }
                }
                // While the warehouse is slow the server still has to hear of us.
                std::optional<ChangeBatch> waiting(std::move(full));
                while (waiting && !reader_stop.stop_requested()) {
                    if (queue.TryPush(*waiting, bytes, kPollTimeout, reader_stop)) {
                        waiting.reset();
                        queue_bytes_ = queue.bytes();
                    } else if (auto said = changes->Acknowledge(durable()); !said) {
                        // The batch is lost, so nothing after it may come through: what was
                        // received before the connection broke could still be read.
                        read_result = said;
                        queue.Close();
                        return;
                    }
                }
            }
            queue.Close();
        });
        std::stop_callback stop_reader(stop, [&] { reader.request_stop(); });
        auto applied = ApplyQueue(source, state, queue, stop);
        reader.request_stop();
        queue.Close();
        reader.join();
        queue_bytes_ = 0;
        if (!applied) return applied;
    }
    if (stop.stop_requested()) return {};
    return read_result ? Status(Unavailable("the stream of changes ended")) : read_result;
}

Status StreamRunner::ApplyQueue(StreamSource& source, const StreamState& state,
                                BoundedQueue<ChangeBatch>& queue, std::stop_token stop) {
    Applier applier(warehouse_, options_.name, options_.dataset, state, source);
    auto next_commit = steady_clock::now();
    while (!stop.stop_requested()) {
        auto batch = queue.Pop(stop, kPollTimeout);
        if (!batch) {
            if (queue.closed() && queue.empty()) break;
            if (received_order_ <= durable_order_) SetState(StreamStatus::State::kStreaming);
            continue;
        }
        for (;;) {
            while (batch) {
                BIWA_TRY(applier.Add(std::move(*batch)));
                if (applier.can_commit() && (applier.changes() >= kBatchChangesMax ||
                                             applier.bytes() >= Applier::kBytesMax)) {
                    break;
                }
                batch = queue.TryPop();
            }
            if (stop.stop_requested()) return {};
            const auto now = steady_clock::now();
            if (applier.can_commit() && (now >= next_commit || applier.changes() >= kManyChanges)) {
                break;
            }
            const auto left =
                applier.can_commit()
                    ? std::chrono::duration_cast<milliseconds>(next_commit - now) + milliseconds(1)
                    : kPollTimeout;
            batch = queue.Pop(stop, left);
            if (!batch && queue.closed() && queue.empty()) {
                if (!applier.can_commit()) return {};
                break;
            }
        }
        const auto batch_bytes = applier.bytes();
        const auto begin = steady_clock::now();
        const auto applied = BIWA_TRY(applier.Commit());
        const auto end = steady_clock::now();
        queue_bytes_ = queue.bytes();
        // A slow warehouse is given twice the time of a commit between two: the rest is for
        // queries.
        next_commit = std::max(begin + options_.commit_every, end + (end - begin));
        durable_order_ = applied.position.order;
        changes_applied_ += applied.changes;
        progressed_ = true;
        {
            std::lock_guard lock(mutex_);
            while (!waiting_.empty() && waiting_.front().order <= applied.position.order) {
                waiting_.pop_front();
            }
            // One without changes only moves the position of an idle stream.
            if (applied.changes > 0) {
                status_.commits.Add(applied.changes, batch_bytes,
                                    std::chrono::duration<double>(end - begin).count());
            }
            status_.position = applied.position.text;
            if (applied.commit_time != 0) status_.commit_time = applied.commit_time;
            for (const auto& target : applied.tables) {
                for (auto& table : status_.tables) {
                    if (table.name == target.name) table.last_change_at = applied.commit_time;
                }
            }
        }
        if (received_order_ <= durable_order_) SetState(StreamStatus::State::kStreaming);
        if (on_changed_ && !applied.tables.empty()) on_changed_(applied.tables);
    }
    return {};
}

void StreamRunner::Guard(StreamSource& source, std::uint64_t retained) {
    const auto& guard = options_.log_guard;
    if (guard.stops(retained) && !given_up_.exchange(true)) thread_.request_stop();
    // What it was doing has to end first: a slot that is in use cannot be dropped.
    if (given_up_ && !running_) GiveUp(source, retained);
    const auto warning =
        guard.warns(retained) && !given_up_ ? guard.Warning(retained) : std::string();
    bool is_new = false;
    {
        std::lock_guard lock(mutex_);
        is_new = status_.warning.empty() && !warning.empty();
        status_.warning = warning;
    }
    if (is_new) LogWarn("stream {}: {}", options_.name, warning);
}

// The stream's state goes before the slot does: should we die in between, the next start knows the
// slot that it finds for its own, and begins anew.
void StreamRunner::GiveUp(StreamSource& source, std::uint64_t retained) {
    const auto forgotten = [&]() -> Status {
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(ForgetStream(*transaction, options_.name));
        BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStarting));
        return transaction->Commit();
    };
    auto done = forgotten();
    if (done) done = source.Remove();
    auto error = options_.log_guard.Stopped(retained);
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
    waiting_.clear();
}

// Measures rates once a second and asks the source how far it is, on a connection of its own.
void StreamRunner::Watch(std::stop_token stop) {
    std::unique_ptr<StreamSource> source;
    auto last = steady_clock::now();
    auto last_point = last;
    std::uint64_t last_changes = 0;
    std::int64_t last_rows = 0;
    while (Sleep(stop, milliseconds(1000))) {
        const auto now = steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - last).count();
        last = now;
        const auto changes = changes_applied_.load();
        const auto rows = rows_copied_.load();
        bool ask = false;
        {
            std::lock_guard lock(mutex_);
            status_.changes_per_s = static_cast<double>(changes - last_changes) / seconds;
            status_.rows_per_s =
                rows >= last_rows ? static_cast<double>(rows - last_rows) / seconds : 0;
            for (auto& table : status_.tables) {
                if (table.state == StreamStatus::TableState::kCopying) table.rows_copied = rows;
            }
            // A stream that has failed has its log kept all the same.
            ask = status_.state != StreamStatus::State::kStarting;
        }
        last_changes = changes;
        last_rows = rows;
        if (ask) {
            if (!source) {
                if (auto opened = open_source_()) source = std::move(*opened);
            }
            std::optional<std::uint64_t> retained;
            if (source) {
                if (const auto progress = source->Progress()) {
                    std::lock_guard lock(mutex_);
                    status_.lag_bytes = progress->lag_bytes;
                    status_.retained_bytes = progress->retained_bytes;
                    retained = progress->retained_bytes;
                }
            }
            if (retained) Guard(*source, *retained);
        }
        if (now - last_point < kHistoryEvery) continue;
        last_point = now;
        const auto lag = status().lag_seconds;
        std::lock_guard lock(mutex_);
        status_.history.push_back({WallClock(), status_.changes_per_s, lag});
        if (status_.history.size() > kHistoryPoints) status_.history.pop_front();
    }
}

}  // namespace biwa
