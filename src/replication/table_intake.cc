#include "replication/table_intake.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
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

Result<std::vector<std::string>> TableIntake::Join(const std::vector<SourceTable>& found) {
    auto& state = line_.state();
    std::vector<std::string> taken;
    if (joiner_) {
        const auto failed = joiner_->failed();
        if (!failed) {
            if (!joiner_->is_ready()) return taken;
            const auto joined = joiner_->FinishAt(state.position, kHandOverMax);
            if (!joined) return taken;
            BIWA_TRY(TakeOver(*joined, found, taken));
        } else {
            for (const auto& table : state.tables) {
                if (table.phase != TablePhase::kWaiting) continue;
                board_.ShowPhase(table.ToString(), table.phase,
                                 table.reason + "; " + failed->message, 0);
            }
        }
        const auto rows = joiner_->rows_total();
        std::lock_guard lock(mutex_);
        if (failed) not_before_ = steady_clock::now() + kJoinAgainAfter;
        joiner_.reset();
        board_.Change([&](StreamStatus& status) { status.rows_total += rows; });
    }
    std::vector<std::string> waiting;
    for (const auto& table : state.tables) {
        if (table.phase == TablePhase::kWaiting) waiting.push_back(table.ToString());
    }
    BIWA_TRY(ForgetJoined(!waiting.empty()));
    if (!waiting.empty() && steady_clock::now() >= not_before_) StartJoiner(std::move(waiting));
    return taken;
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
Status TableIntake::TakeOver(const StreamState& joined, const std::vector<SourceTable>& found,
                             std::vector<std::string>& names) {
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
        for (const auto& there : found) {
            if (there.ToString() != table.ToString() || there.columns.key_repeats) continue;
            for (const auto column : there.columns.key) {
                key.push_back(there.columns.columns[column].name);
            }
        }
        BIWA_TRY(SwapIn(*transaction, BesideTable(target), target, key));
        taken.push_back(table);
        taken.back().from = joined.position.order;
        BIWA_TRY(SaveTable(*transaction, options_.name, taken.back()));
        changed.push_back(target);
    }
    BIWA_TRY(SavePhase(*transaction, JoinName(options_.name), StreamPhase::kLeaving));
    BIWA_TRY(transaction->Commit());
    for (auto& table : taken) {
        LogInfo("stream {}: {} was copied and is followed from {}", options_.name, table.ToString(),
                joined.position.text);
        observer_.OnTable(table.ToString(), TablePhase::kLive, "", 0);
        names.push_back(table.ToString());
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
    if (not_before_ == steady_clock::time_point{} || steady_clock::now() < not_before_) {
        return false;
    }
    not_before_ = {};
    return true;
}

}  // namespace biwa
