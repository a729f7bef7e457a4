#include "replication/stream_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "replication/stream_tables.h"
#include "replication/target_table.h"
#include "replication/text_storage.h"

namespace biwa {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kBatchChangesMax = 1'000'000;
// With so many waiting, throughput counts and not the rhythm of commits.
constexpr std::uint64_t kManyChanges = 50'000;
constexpr std::size_t kTablesPerCommit = 100;
constexpr milliseconds kPollTimeout{200};
// What comes together, or so much of it as comes in a tenth of a second, before it is looked at
// while nobody waits for it.
constexpr std::size_t kFilledBytes = 256 << 10;
// Who waits for a position asks for it again and again.
constexpr milliseconds kStillAwaited{1'000};
// How often the source says how far it is while nothing changes; the books are told less often.
constexpr milliseconds kPassedEvery{200};

// The warehouse refuses a commit when something else wrote the same: nothing is done, and doing it
// again is all there is to do.
template <typename T>
Result<T> TryAgain(Result<T> result) {
    if (!result && result.error().kind == ErrorKind::kConflict) {
        result.error().kind = ErrorKind::kUnavailable;
    }
    return result;
}

const SourceTable* FindTable(const std::vector<SourceTable>& tables, const std::string& name) {
    const auto found = std::find_if(tables.begin(), tables.end(),
                                    [&](const SourceTable& one) { return one.ToString() == name; });
    return found == tables.end() ? nullptr : &*found;
}

// Nothing of it has to be looked at in the warehouse again.
bool AreAlike(const std::vector<Column>& before, const std::vector<Column>& now) {
    return std::equal(before.begin(), before.end(), now.begin(), now.end(),
                      [](const Column& a, const Column& b) {
                          return a == b && a.number == b.number && a.mask == b.mask;
                      });
}

}  // namespace

StreamLine::StreamLine(Warehouse& warehouse, LineOptions options, LineObserver& observer)
    : warehouse_(warehouse),
      options_(std::move(options)),
      observer_(observer),
      pace_(options_.commit_every) {}

TableName StreamLine::TargetOf(const std::string& schema, const std::string& name) const {
    const auto target = TargetTable(options_.dataset, schema, name);
    return options_.beside ? BesideTable(target) : target;
}

double StreamLine::lag_seconds(const StreamStatus& status) const {
    using State = StreamStatus::State;
    const bool stands_still = status.state == State::kFailed || status.state == State::kPaused ||
                              status.state == State::kRetrying;
    std::lock_guard lock(mutex_);
    auto since = waiting_.empty() ? 0 : waiting_.front().commit_time;
    if (since == 0 && stands_still) since = std::max(all_seen_at_, status.commit_time);
    if (since == 0) return 0;
    return std::max(0.0, static_cast<double>(SystemClock().Now() - since) / 1e6);
}

bool StreamLine::HasApplied(const Position& position) const {
    awaited_at_ = steady_clock::now();
    if (durable_order_ >= position.order) return true;
    // In this order: what had been received when that was passed is what has to be durable.
    return passed_order_ >= position.order && received_order_ <= durable_order_;
}

Status StreamLine::Read() {
    state_ = BIWA_TRY(ReadStreamState(warehouse_, options_.name));
    snapshot_.reset();
    is_exact_ = false;
    durable_order_ = state_.position.order;
    received_order_ = state_.position.order;
    passed_order_ = 0;
    std::lock_guard lock(mutex_);
    waiting_.clear();
    return {};
}

Status StreamLine::SetPhase(StreamState::Table& table, TablePhase phase, std::string reason,
                            std::int64_t rows_copied) {
    table.Enter(phase);
    table.reason = std::move(reason);
    if (phase != TablePhase::kCopying) table.ranges_left.clear();
    auto transaction = BIWA_TRY(warehouse_.Begin());
    BIWA_TRY(SaveTable(*transaction, options_.name, table));
    BIWA_TRY(transaction->Commit());
    observer_.OnTable(table.ToString(), phase, table.reason, rows_copied);
    return {};
}

std::map<std::string, HistoryKey> StreamLine::WantedHistories(
    const std::vector<SourceTable>& tables) const {
    std::map<std::string, HistoryKey> wanted;
    for (const auto& table : tables) {
        const auto name = table.ToString();
        if (!table.refusal.empty() ||
            !MatchesAny(options_.history, name, options_.dataset.usual_schema)) {
            continue;
        }
        if (const auto clash = HistoryClash(table.columns); !clash.empty()) {
            LogWarn("stream {}: table {} {}", options_.name, name, clash);
            continue;
        }
        wanted[name] = HistoryKey::Of(table.columns);
    }
    return wanted;
}

Status StreamLine::Begin(StreamSource& source, const std::vector<SourceTable>& tables) {
    const bool replace = state_.phase == StreamPhase::kStarting;
    // Before it is written down that we are about to make a slot: one that is there now is not
    // ours.
    if (!replace) BIWA_TRY(source.CheckStart());
    {
        // Written down first: should we die between the slot's making and the next commit, the slot
        // that is found then is known to be ours.
        auto transaction = BIWA_TRY(warehouse_.Begin());
        // What a beginning before this one had got to.
        BIWA_TRY(ForgetStream(*transaction, options_.name));
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
    prepared_.clear();
    state_.position = start->position;
    // What is copied is of that moment.
    state_.commit_time = start->time;
    state_.tables.clear();
    const auto texts = ChooseTexts(options_.texts, tables, warehouse_.free_bytes());
    // All that the source is asked for comes before: others wait for the warehouse's writer.
    std::vector<std::vector<SnapshotRange>> ranges;
    std::vector<std::set<std::string>> seldom;
    for (const auto& table : tables) {
        ranges.push_back(BIWA_TRY(start->snapshot->Split(table)));
        seldom.push_back(BIWA_TRY(start->snapshot->TextsThatSeldomRepeat(table, ranges.back())));
    }
    auto transaction = BIWA_TRY(warehouse_.Begin());
    auto look = BIWA_TRY(DatasetLook::Read(*transaction, options_.dataset.name));
    for (const auto& table : tables) {
        StreamState::Table added{.schema = table.schema, .name = table.name, .id = table.id};
        added.key_repeats = table.columns.key_repeats;
        added.inserts_only = table.columns.key.empty();
        added.part = table.part.ToString();
        added.from = start->position.order;
        // Described before the copy's moment: what has happened in between is found out later, once
        // too often rather than never.
        added.shape = BooksOf(table.shape);
        added.ranges_left = std::move(ranges[state_.tables.size()]);
        const auto target = TargetOf(table.schema, table.name);
        BIWA_TRY(DropTarget(*transaction, target, look));
        auto columns = table.columns;
        for (auto& column : columns.columns) {
            column.seldom_repeats =
                column.seldom_repeats || seldom[state_.tables.size()].contains(column.name);
        }
        BIWA_TRY(PrepareTarget(*transaction, target, columns, texts, look));
        prepared_[table.ToString()] = table.columns.columns;
        BIWA_TRY(SaveTable(*transaction, options_.name, added));
        state_.tables.push_back(std::move(added));
        // The engine holds a part of a megabyte for each table until the commit. What is committed
        // here is begun anew as long as the phase says that the line is starting.
        if (state_.tables.size() % kTablesPerCommit == 0) {
            BIWA_TRY(transaction->Commit());
            transaction.reset();
            transaction = BIWA_TRY(warehouse_.Begin());
            // Others may have made something meanwhile.
            look = BIWA_TRY(DatasetLook::Read(*transaction, options_.dataset.name));
        }
    }
    BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kSnapshot));
    BIWA_TRY(SavePosition(*transaction, options_.name, state_.position, start->time));
    BIWA_TRY(transaction->Commit());
    state_.phase = StreamPhase::kSnapshot;
    snapshot_ = std::move(start->snapshot);
    is_exact_ = !start->is_later;
    durable_order_ = state_.position.order;
    received_order_ = state_.position.order;
    LogInfo("stream {}: copying {} tables as of {}; texts that seldom repeat are stored {}",
            options_.name, tables.size(), state_.position.text,
            texts == TextStorage::kPlain ? "plain" : "compressed");
    return {};
}

Status StreamLine::StartOver(StreamSource& source, const std::vector<SourceTable>& tables,
                             const std::string& reason) {
    {
        auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStarting));
        for (auto& table : state_.tables) {
            if (table.phase != TablePhase::kLive && table.phase != TablePhase::kCopying) continue;
            table.phase = TablePhase::kWaiting;
            table.reason = reason;
            table.ranges_left.clear();
            BIWA_TRY(SaveTable(*transaction, options_.name, table));
        }
        BIWA_TRY(transaction->Commit());
    }
    const auto start = BIWA_TRY(source.Start(tables, true));
    auto transaction = BIWA_TRY(warehouse_.Begin());
    BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStreaming));
    BIWA_TRY(SavePosition(*transaction, options_.name, start.position, start.time));
    // It may be another one from here on.
    BIWA_TRY(SaveHistory(*transaction, options_.name, ""));
    BIWA_TRY(transaction->Commit());
    LogInfo("stream {}: begins again at {}: {}", options_.name, start.position.text, reason);
    return Read();
}

Status StreamLine::CheckHistory(StreamSource& source) {
    auto history = source.CheckHistory(state_.history, state_.position);
    has_lost_history_ = !history && history.error().kind == ErrorKind::kConflict;
    if (!history) return tl::unexpected(std::move(history).error());
    if (*history == state_.history) return {};
    auto transaction = BIWA_TRY(warehouse_.Begin());
    std::vector<std::string> ahead;
    if (!state_.history.empty()) ahead = BIWA_TRY(PutOffCopiesAhead(*transaction));
    BIWA_TRY(SaveHistory(*transaction, options_.name, *history));
    BIWA_TRY(transaction->Commit());
    state_.history = std::move(*history);
    for (const auto& name : ahead) {
        observer_.OnTable(name, TablePhase::kWaiting, state_.Find(name)->reason, 0);
    }
    return {};
}

// Another server has taken over, which has all that the line has applied. A table whose copy is of
// a later moment than that may have rows in it that only the server before had.
Result<std::vector<std::string>> StreamLine::PutOffCopiesAhead(WriteTransaction& transaction) {
    std::vector<std::string> names;
    for (auto& table : state_.tables) {
        const bool is_ahead = table.phase == TablePhase::kLive &&
                              std::max(table.from, table.overlap_until) > state_.position.order;
        if (!is_ahead && table.phase != TablePhase::kCopying) continue;
        // It begins anew with its tables.
        if (options_.beside) {
            return Fail(ErrorKind::kConflict,
                        "another server has taken over from the one that was copied from");
        }
        table.phase = TablePhase::kWaiting;
        table.reason = "another server has taken over from the one that it was copied from";
        table.ranges_left.clear();
        BIWA_TRY(SaveTable(transaction, options_.name, table));
        names.push_back(table.ToString());
    }
    return names;
}

Status StreamLine::Copy(StreamSource& source, const std::vector<SourceTable>& tables,
                        std::stop_token stop, const std::function<bool()>& is_enough) {
    for (auto& table : state_.tables) {
        if (stop.stop_requested() || is_enough()) return {};
        if (table.phase != TablePhase::kCopying) continue;
        observer_.OnState(StreamStatus::State::kSnapshot);
        const auto* described = FindTable(tables, table.ToString());
        if (described == nullptr || !described->refusal.empty()) {
            BIWA_TRY(SetPhase(
                table, TablePhase::kGone,
                described == nullptr ? "is not at the source any more" : described->refusal));
        } else if (!is_exact_ && NeedsOneMoment(described->columns)) {
            BIWA_TRY(SetPhase(table, TablePhase::kWaiting, "its copy was cut off"));
        } else {
            const auto copied = CopyTable(source, *described, table, stop, is_enough);
            if (!copied && copied.error().kind == ErrorKind::kUser) {
                table.failure = copied.error().message;
                BIWA_TRY(
                    SetPhase(table, TablePhase::kWaiting, "cannot be copied: " + table.failure));
            } else if (!copied) {
                return copied;
            }
            // Stopped in its midst.
            if (table.phase == TablePhase::kCopying) return {};
        }
    }
    snapshot_.reset();
    if (stop.stop_requested() || state_.phase == StreamPhase::kStreaming) return {};
    auto transaction = BIWA_TRY(warehouse_.Begin());
    BIWA_TRY(SavePhase(*transaction, options_.name, StreamPhase::kStreaming));
    BIWA_TRY(transaction->Commit());
    state_.phase = StreamPhase::kStreaming;
    LogInfo("stream {}: all tables are copied, following changes from {}", options_.name,
            state_.position.text);
    return {};
}

Status StreamLine::CopyTable(StreamSource& source, const SourceTable& described,
                             StreamState::Table& table, std::stop_token stop,
                             const std::function<bool()>& is_enough) {
    const auto target = TargetOf(table.schema, table.name);
    if (std::exchange(copying_, table.ToString()) != table.ToString()) rows_copied_ = 0;
    const auto prepared = prepared_.find(table.ToString());
    if (prepared == prepared_.end() || !AreAlike(prepared->second, described.columns.columns)) {
        // The table may have got columns since an earlier start made the target.
        auto transaction = BIWA_TRY(warehouse_.Begin());
        const auto texts = ChooseTexts(options_.texts, {described}, warehouse_.free_bytes());
        auto recopy = BIWA_TRY(PrepareTarget(*transaction, target, described.columns, texts));
        BIWA_TRY(transaction->Commit());
        if (!recopy.empty()) return SetPhase(table, TablePhase::kWaiting, std::move(recopy));
        prepared_[table.ToString()] = described.columns.columns;
    }
    observer_.OnTable(table.ToString(), TablePhase::kCopying, "", rows_copied_);
    bool are_current = false;
    while (!table.ranges_left.empty()) {
        if (stop.stop_requested() || is_enough()) return {};
        if (!snapshot_) {
            snapshot_ = BIWA_TRY(source.ResumeSnapshot());
            LogInfo("stream {}: going on with the copy of {}, {} parts left", options_.name,
                    table.ToString(), table.ranges_left.size());
        }
        if (!are_current) {
            // What rewrites a table (ALTER … TYPE, VACUUM FULL) moves its rows from part to part,
            // and hides them from snapshots that are older.
            are_current = BIWA_TRY(snapshot_->AreCurrent(described, table.ranges_left));
            if (!are_current) {
                return SetPhase(table, TablePhase::kWaiting, "was rewritten while it was copied");
            }
        }
        BIWA_TRY(options_.may_write());
        const auto before = rows_copied_.load();
        const auto lost_before = snapshot_->unrepresentable();
        BIWA_TRY(TryAgain(CopySlice(warehouse_, options_.name, *snapshot_, described, target, table,
                                    options_.snapshot, rows_copied_, stop)));
        rows_total_ += static_cast<std::uint64_t>(rows_copied_ - before);
        copied_unrepresentable_ += snapshot_->unrepresentable() - lost_before;
        observer_.OnUnrepresentable(copied_unrepresentable_);
        progressed_ = true;
        observer_.OnCopied(target);
    }
    // A later look at the source has changes in it that are still to come through the stream.
    copying_.clear();
    prepared_.erase(table.ToString());
    table.overlap_until = is_exact_ ? 0 : BIWA_TRY(source.Head()).order;
    BIWA_TRY(SetPhase(table, TablePhase::kLive, "", rows_copied_.exchange(0)));
    observer_.OnCopied(target);
    return {};
}

Status StreamLine::Follow(StreamSource& source, const std::vector<SourceTable>& tables,
                          std::stop_token stop, const std::function<bool()>& is_enough) {
    // Tables may leave the line by it.
    BIWA_TRY(CheckHistory(source));
    std::vector<FollowedTable> followed;
    for (const auto& table : state_.tables) {
        const auto* described = FindTable(tables, table.ToString());
        // Of one that is gone, what came before may still be read; of one that waits, what its
        // columns are called may make known which of them are masked.
        const bool is_heard = described != nullptr && described->is_masked_by_name;
        auto& one = followed.emplace_back();
        one.names_only = !table.is_followed() && is_heard;
        if (described != nullptr) one.table = *described;
        one.table.schema = table.schema;
        one.table.name = table.name;
        one.table.id = table.id;
        one.from = table.is_followed() || one.names_only ? table.from : FollowedTable::kNotYet;
        if (table.phase == TablePhase::kGone) one.until = table.until;
    }
    auto opened = source.Follow(followed, state_.position, kPassedEvery);
    has_lost_history_ = !opened && opened.error().kind == ErrorKind::kConflict;
    const auto changes = BIWA_TRY(std::move(opened));
    observer_.OnState(StreamStatus::State::kCatchingUp);
    BoundedQueue<ChangeBatch> queue(options_.queue_bytes_max);
    passed_order_ = 0;
    Status read;
    {
        std::jthread reader([&](std::stop_token reader_stop) {
            read = ReadChanges(*changes, queue, reader_stop);
            queue.Close();
        });
        std::stop_callback stop_reader(stop, [&] { reader.request_stop(); });
        auto applied = ApplyQueue(source, WantedHistories(tables), queue, stop, is_enough);
        reader.request_stop();
        queue.Close();
        reader.join();
        {
            // What was received and not applied is received again.
            std::lock_guard lock(mutex_);
            waiting_.clear();
        }
        passed_order_ = 0;
        received_order_ = durable_order_.load();
        queue_bytes_ = 0;
        if (!applied) return tl::unexpected(std::move(applied).error());
        if (*applied == Applying::kReadAgain) return {};
    }
    if (stop.stop_requested() || is_enough()) return {};
    if (read) return Unavailable("the stream of changes ended");
    // The changes may be there, but not such as can be followed.
    has_lost_history_ = read.error().kind == ErrorKind::kConflict;
    return read;
}

void StreamLine::NoteAllSeen() {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) all_seen_at_ = SystemClock().Now();
}

Status StreamLine::ReadChanges(ChangeSource& changes, BoundedQueue<ChangeBatch>& queue,
                               std::stop_token stop) {
    const auto durable = [&] { return Position{durable_order_, ""}; };
    auto last_pushed = steady_clock::now();
    bool at_commit = true;
    while (!stop.stop_requested()) {
        auto batch = BIWA_TRY(changes.Poll(durable(), kPollTimeout));
        if (!batch) {
            if (at_commit) NoteAllSeen();
            continue;
        }
        const auto bytes = batch->bytes;
        const auto passed = batch->commit ? batch->commit->order : 0;
        const auto now = steady_clock::now();
        const bool is_idle = batch->changes == 0 && batch->commits == 0 && at_commit;
        if (is_idle) NoteAllSeen();
        if (is_idle && !batch->is_awaited && now - last_pushed < options_.idle_every) {
            passed_order_ = passed;
            continue;
        }
        last_pushed = now;
        at_commit = batch->commit.has_value();
        if (batch->commit) {
            received_order_ = batch->commit->order;
            observer_.OnUnrepresentable(copied_unrepresentable_ + changes.unrepresentable());
            if (batch->commit_time != 0) {
                std::lock_guard lock(mutex_);
                waiting_.push_back({batch->commit->order, batch->commit_time});
            }
        }
        // While the warehouse is slow the server still has to hear of us. Should it not, the batch
        // is lost, and nothing after it may come through: what was received before the connection
        // broke could still be read.
        while (!queue.TryPush(*batch, bytes, kPollTimeout, stop)) {
            if (stop.stop_requested() || queue.closed()) return {};
            BIWA_TRY(changes.Acknowledge(durable()));
        }
        queue_bytes_ = queue.bytes();
        if (passed != 0) passed_order_ = passed;
    }
    return {};
}

bool StreamLine::IsAwaited(steady_clock::time_point now) const {
    return now - awaited_at_.load() <= kStillAwaited || options_.is_read();
}

Result<bool> StreamLine::Gather(Applier& applier, BoundedQueue<ChangeBatch>& queue,
                                ChangeBatch first, std::stop_token stop) {
    std::optional<ChangeBatch> batch(std::move(first));
    for (;;) {
        while (batch) {
            observer_.OnChanges(*batch);
            BIWA_TRY(applier.Add(std::move(*batch)));
            if (applier.can_commit() &&
                (applier.changes() >= kBatchChangesMax || applier.bytes() >= Applier::kBytesMax)) {
                break;
            }
            batch = queue.TryPop();
        }
        if (stop.stop_requested()) return false;
        const auto now = steady_clock::now();
        const bool is_awaited = IsAwaited(now);
        const auto next = pace_.next_commit(is_awaited);
        if (applier.can_commit() && (now >= next || applier.changes() >= kManyChanges)) {
            return true;
        }
        auto left = kPollTimeout;
        if (applier.can_commit()) {
            // Somebody may begin to read meanwhile.
            left = std::min(std::chrono::duration_cast<milliseconds>(next - now) + milliseconds(1),
                            options_.commit_every);
        }
        if (applier.can_commit() && !is_awaited) {
            // Each waking takes a processor from somebody.
            queue.WaitUntilFilled(kFilledBytes, stop, left);
            batch = queue.TryPop();
        } else {
            batch = queue.Pop(stop, left);
        }
        if (!batch && queue.closed() && queue.empty()) return applier.can_commit();
    }
}

Result<StreamLine::Applying> StreamLine::ApplyQueue(
    StreamSource& source, const std::map<std::string, HistoryKey>& histories,
    BoundedQueue<ChangeBatch>& queue, std::stop_token stop,
    const std::function<bool()>& is_enough) {
    Applier applier(
        warehouse_, options_.name, state_,
        [this](const StreamState::Table& table) { return TargetOf(table.schema, table.name); },
        source);
    BIWA_TRY(TryAgain(applier.KeepHistory(histories)));
    const auto nobody_waits = [this, stop] {
        return !stop.stop_requested() && !IsAwaited(steady_clock::now());
    };
    pace_.Begin(steady_clock::now());
    while (!stop.stop_requested() && !is_enough()) {
        auto batch = queue.Pop(stop, kPollTimeout);
        if (!batch) {
            if (queue.closed() && queue.empty()) break;
            ShowPace();
            continue;
        }
        BIWA_TRY(options_.may_write());
        auto gathered = Gather(applier, queue, std::move(*batch), stop);
        if (!gathered && applier.has_altered_alone()) {
            // Each ALTER is met once: what is read again gets further.
            progressed_ = true;
            LogInfo("stream {}: {}", options_.name, gathered.error().message);
            return Applying::kReadAgain;
        }
        if (!BIWA_TRY(std::move(gathered))) return Applying::kEnded;
        const auto bytes = applier.bytes();
        const auto begin = steady_clock::now();
        const bool is_easy = applier.changes() < kManyChanges;
        const bool is_awaited = IsAwaited(begin);
        auto applied =
            BIWA_TRY(TryAgain(is_easy ? applier.CommitAtEase(nobody_waits) : applier.Commit()));
        const auto end = steady_clock::now();
        applied.bytes = bytes;
        applied.seconds = std::chrono::duration<double>(end - begin).count();
        queue_bytes_ = queue.bytes();
        if (is_easy) {
            pace_.Committed(begin, end, is_awaited ? Applier::kEasy : Applier::kEasiest);
        } else {
            pace_.CommittedMany(begin);
        }
        state_.position = applied.position;
        state_.commit_time = applied.commit_time;
        durable_order_ = applied.position.order;
        changes_applied_ += applied.changes;
        progressed_ = true;
        {
            std::lock_guard lock(mutex_);
            while (!waiting_.empty() && waiting_.front().order <= applied.position.order) {
                waiting_.pop_front();
            }
        }
        for (const auto& [name, until] : applied.overlaps) {
            state_.Find(name)->overlap_until = until;
        }
        for (const auto& waiting : applied.waiting) {
            auto* table = state_.Find(waiting.ToString());
            table->phase = waiting.phase;
            table->reason = waiting.reason;
            observer_.OnTable(waiting.ToString(), waiting.phase, waiting.reason, 0);
        }
        observer_.OnCommit(applied);
        ShowPace();
    }
    return Applying::kEnded;
}

void StreamLine::ShowPace() {
    const std::chrono::microseconds lag(SystemClock().Now() - state_.commit_time);
    observer_.OnState(pace_.KeepsUp(is_caught_up(), lag) ? StreamStatus::State::kStreaming
                                                         : StreamStatus::State::kCatchingUp);
}

Status StreamLine::Remove(StreamSource& source) {
    BIWA_TRY(source.Remove());
    auto transaction = BIWA_TRY(warehouse_.Begin());
    BIWA_TRY(ForgetStream(*transaction, options_.name));
    BIWA_TRY(transaction->Commit());
    return {};
}

}  // namespace biwa
