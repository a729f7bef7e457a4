#include "replication/table_intake.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/history.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

using std::chrono::steady_clock;

// How long a stream stands still at the most while tables are handed over to it.
constexpr std::chrono::milliseconds kHandOverMax{5'000};
constexpr std::chrono::seconds kJoinAgainAfter{30};

}  // namespace

TableIntake::TableIntake(Warehouse& warehouse, const StreamOptions& options,
                         const OpenStreamSource& open_source, const OnTablesChanged& on_changed,
                         StreamLine& line, LineObserver& observer, StreamBoard& board,
                         std::function<void()> wake)
    : warehouse_(warehouse),
      options_(options),
      open_source_(open_source),
      on_changed_(on_changed),
      line_(line),
      observer_(observer),
      board_(board),
      wake_(std::move(wake)) {}

Result<std::vector<std::string>> TableIntake::Join(StreamSource& source,
                                                   const std::vector<SourceTable>& found,
                                                   const std::set<std::string>& not_yet,
                                                   std::stop_token stop) {
    const auto is_put_off = [&](const std::string& table) { return not_yet.contains(table); };
    std::vector<std::string> taken;
    std::string give_up_for;
    {
        std::lock_guard lock(mutex_);
        give_up_for = std::exchange(give_up_for_, "");
    }
    ShowFailures();
    if (joiner_) {
        const auto failed = joiner_->failed();
        if (!give_up_for.empty()) {
            NoteFailure(give_up_for, SteadyTime::max());
            EndJoiner();
            BIWA_TRY(ForgetJoined(false));
        } else if (failed) {
            NoteFailure(failed->message + (failed->hint.empty() ? "" : "; mend: " + failed->hint),
                        steady_clock::now() + kJoinAgainAfter);
        } else {
            const auto& tables = joiner_->tables();
            if (!joiner_->is_ready() || std::any_of(tables.begin(), tables.end(), is_put_off)) {
                return taken;
            }
            const auto joined = joiner_->FinishAt(line_.state().position, kHandOverMax, stop);
            if (!joined) return taken;
            BIWA_TRY(TakeOver(source, *joined, found, taken));
        }
        EndJoiner();
    }
    const auto& tables = line_.state().tables;
    const bool none_waits = std::none_of(tables.begin(), tables.end(), [](const auto& table) {
        return table.phase == TablePhase::kWaiting;
    });
    BIWA_TRY(ForgetJoined(!none_waits));
    auto next = NextTables(not_yet);
    ShowFailures();
    if (!next.empty()) StartJoiner(std::move(next));
    return taken;
}

std::optional<TableIntake::Ready> TableIntake::ready() const {
    if (!joiner_ || !joiner_->is_ready()) return std::nullopt;
    return Ready{joiner_->tables(), joiner_->durable_order(), joiner_->attempt()};
}

Result<std::set<std::string>> TableIntake::Begun() const {
    std::set<std::string> begun;
    if (joiner_) begun.insert(joiner_->tables().begin(), joiner_->tables().end());
    const auto state = BIWA_TRY(ReadStreamState(warehouse_, JoinName(options_.name)));
    if (state.phase == StreamPhase::kLeaving) return begun;
    for (const auto& table : state.tables) begun.insert(table.ToString());
    return begun;
}

void TableIntake::NoteFailure(const std::string& reason, SteadyTime again) {
    const auto& tables = joiner_->tables();
    if (tables.size() == 1 || again == SteadyTime::max()) {
        for (const auto& table : tables) failures_[table] = {reason, again};
    } else {
        alone_.insert(tables.begin(), tables.end());
    }
}

void TableIntake::EndJoiner() {
    std::lock_guard lock(mutex_);
    if (!joiner_) return;
    const auto rows = joiner_->rows_total();
    joiner_.reset();
    board_.Change([&](StreamStatus& status) { status.rows_total += rows; });
}

std::vector<std::string> TableIntake::NextTables(const std::set<std::string>& not_yet) const {
    std::vector<std::string> together, alone;
    const auto now = steady_clock::now();
    for (const auto& table : line_.state().tables) {
        if (table.phase != TablePhase::kWaiting) continue;
        const auto name = table.ToString();
        if (not_yet.contains(name)) continue;
        const auto failure = failures_.find(name);
        if (failure != failures_.end() && now < failure->second.again) continue;
        (alone_.contains(name) ? alone : together).push_back(name);
    }
    if (!together.empty()) return together;
    if (alone.size() > 1) alone.resize(1);
    return alone;
}

void TableIntake::ShowFailures() {
    auto again = SteadyTime::max();
    for (auto failure = failures_.begin(); failure != failures_.end();) {
        const auto* table = line_.state().Find(failure->first);
        if (table == nullptr || table->phase != TablePhase::kWaiting) {
            failure = failures_.erase(failure);
            continue;
        }
        const auto& reason = failure->second.reason;
        const bool is_said = table->reason.find(reason) != std::string::npos;
        board_.ShowPhase(failure->first, table->phase,
                         is_said ? table->reason : table->reason + "; " + reason, 0);
        again = std::min(again, failure->second.again);
        ++failure;
    }
    std::lock_guard lock(mutex_);
    again_ = again;
}

void TableIntake::StartJoiner(std::vector<std::string> tables) {
    std::lock_guard lock(mutex_);
    joiner_ = std::make_unique<TableJoiner>(
        warehouse_, JoinLine(options_), [this] { return open_source_(JoinName(options_.name)); },
        std::move(tables), options_.retry_first,
        [this](const std::string& table, TablePhase phase, std::int64_t rows) {
            board_.ShowBeside(table, phase, rows);
        },
        wake_);
}

// All tables that were copied beside the stream take the places of those that readers have seen,
// and are the stream's from the joined line's position on; all in one transaction.
Status TableIntake::TakeOver(StreamSource& source, const StreamState& joined,
                             const std::vector<SourceTable>& found,
                             std::vector<std::string>& names) {
    auto& state = line_.state();
    std::vector<TableName> changed;
    std::vector<StreamState::Table> taken;
    const auto histories = line_.WantedHistories(found);
    auto transaction = BIWA_TRY(warehouse_.Begin());
    for (const auto& table : joined.tables) {
        const auto target = TargetTable(options_.dataset, table.schema, table.name);
        const auto* mine = state.Find(table.ToString());
        if (table.phase != TablePhase::kLive || mine == nullptr ||
            mine->phase != TablePhase::kWaiting) {
            BIWA_TRY(DropTarget(*transaction, BesideTable(target)));
            if (!table.failure.empty()) {
                failures_[table.ToString()] = {table.failure,
                                               steady_clock::now() + kJoinAgainAfter};
            }
            continue;
        }
        std::vector<std::string> key;
        bool has_listed_columns = false;
        for (const auto& there : found) {
            if (there.ToString() != table.ToString()) continue;
            has_listed_columns = !there.part.columns.empty();
            if (there.columns.key_repeats) continue;
            for (const auto column : there.columns.key) {
                key.push_back(there.columns.columns[column].name);
            }
        }
        // Where columns are listed there are no others, not even such as were there before.
        if (has_listed_columns) BIWA_TRY(DropTarget(*transaction, target));
        BIWA_TRY(SwapIn(*transaction, BesideTable(target), target, key));
        if (has_listed_columns) {
            BIWA_TRY(
                NarrowHistory(*transaction, {options_.name, table.schema, table.name, target}));
        }
        taken.push_back(table);
        taken.back().from = joined.position.order;
        BIWA_TRY(SaveTable(*transaction, options_.name, taken.back()));
        if (const auto history = histories.find(table.ToString());
            history != histories.end() && joined.position.order >= table.overlap_until) {
            BIWA_TRY(BeginEpoch(*transaction, {options_.name, table.schema, table.name, target},
                                history->second, {joined.position.order, joined.commit_time}));
        }
        changed.push_back(target);
    }
    std::set<std::string> taken_over;
    for (const auto& table : taken) taken_over.insert(table.ToString());
    auto position = BIWA_TRY(source.WithNotesOf(state.position, joined.position, taken_over));
    BIWA_TRY(SavePosition(*transaction, options_.name, position, state.commit_time));
    BIWA_TRY(SavePhase(*transaction, JoinName(options_.name), StreamPhase::kLeaving));
    BIWA_TRY(transaction->Commit());
    state.position = std::move(position);
    for (auto& table : taken) {
        LogInfo("stream {}: {} was copied and is followed from {}", options_.name, table.ToString(),
                joined.position.text);
        observer_.OnTable(table.ToString(), TablePhase::kLive, "", 0);
        names.push_back(table.ToString());
        failures_.erase(table.ToString());
        alone_.erase(table.ToString());
        *state.Find(table.ToString()) = std::move(table);
    }
    if (on_changed_ && !changed.empty()) on_changed_(changed);
    return {};
}

void TableIntake::Pause() {
    std::lock_guard lock(mutex_);
    joiner_.reset();
}

Status TableIntake::Forget() { return ForgetJoined(false); }

Status TableIntake::ForgetJoined(bool only_if_leaving) {
    const auto name = JoinName(options_.name);
    const auto state = BIWA_TRY(ReadStreamState(warehouse_, name));
    if (state.phase == StreamPhase::kNew) return {};
    if (only_if_leaving && state.phase != StreamPhase::kLeaving) return {};
    StreamLine line(warehouse_, JoinLine(options_), observer_);
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

std::int64_t TableIntake::rows_copied() const {
    std::lock_guard lock(mutex_);
    return joiner_ ? joiner_->rows_copied() : 0;
}

bool TableIntake::IsDueAgain() {
    std::lock_guard lock(mutex_);
    if (steady_clock::now() < again_) return false;
    again_ = SteadyTime::max();
    return true;
}

bool TableIntake::is_joining() const {
    std::lock_guard lock(mutex_);
    return joiner_ != nullptr;
}

void TableIntake::GiveUpFor(std::string reason) {
    std::lock_guard lock(mutex_);
    give_up_for_ = std::move(reason);
}

}  // namespace biwa
