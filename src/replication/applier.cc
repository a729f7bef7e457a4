#include "replication/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "base/text.h"
#include "replication/row_sql.h"
#include "replication/stream_tables.h"

namespace biwa {

namespace {

// Of so many of a table, or of the first of an empty one, readers might see some before the commit.
constexpr std::uint64_t kManyChanges = 100'000;

tl::unexpected<Error> ChangedWithin(const TableName& target) {
    return Unavailable(
        fmt::format("the columns of {} were altered amid changes that are not committed here yet",
                    target.ToString()),
        "Those are read again; the columns are there by then.");
}

const ChangeOrigin& OriginOf(const TableChanges& part) {
    return part.origins.empty() ? part.truncated_at : part.origins.front().origin;
}

}  // namespace

Applier::Applier(Warehouse& warehouse, std::string stream, const StreamState& state,
                 const TargetOf& target_of, StreamSource& source)
    : warehouse_(warehouse),
      stream_(std::move(stream)),
      source_(source),
      known_until_(state.position.order),
      commit_time_before_(state.commit_time),
      commit_time_(state.commit_time) {
    for (const auto& known : state.tables) {
        if (!known.is_followed()) {
            not_followed_[known.ToString()] = known;
            continue;
        }
        auto& table = tables_[known.ToString()];
        table.known = known;
        table.target = target_of(known);
    }
}

Applier::~Applier() = default;

std::size_t Applier::bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, table] : tables_) {
        for (const auto& waiting : table.waiting) bytes += waiting.buffer->bytes();
    }
    return bytes;
}

Status Applier::Open() {
    if (!transaction_) transaction_ = BIWA_TRY(warehouse_.Begin());
    return {};
}

bool Applier::IsExact(const Table& table) const {
    return known_until_ >= table.known.overlap_until;
}

bool Applier::NeedsAnotherCopy(const Table& table, const TableChanges& part) const {
    return !IsExact(table) && NeedsOneMoment(*part.columns);
}

namespace {

// Whether the warehouse's type cannot hold a key, such as 'NaN' of a numeric(6,2): it is NULL here,
// as no key is at the source.
bool HasLostKey(const TableChanges& part) {
    const auto& columns = *part.columns;
    if (columns.key_repeats) return false;
    for (std::size_t i = 0; i < columns.key.size(); ++i) {
        const auto column = columns.key[i];
        const auto& cells = part.rows.cells(column);
        for (std::size_t row = 0; cells.validity != nullptr && row < part.rows.rows(); ++row) {
            const auto is_here = [&](const auto& one) {
                return one.row == row && one.column == column;
            };
            if (cells.IsNull(row) &&
                std::none_of(part.unchanged.begin(), part.unchanged.end(), is_here)) {
                return true;
            }
        }
        const auto& old = part.old_keys.cells(i);
        for (std::size_t row = 0; old.validity != nullptr && row < part.old_keys.rows(); ++row) {
            if (old.IsNull(row)) return true;
        }
    }
    return false;
}

}  // namespace

Status Applier::Add(ChangeBatch batch) {
    BIWA_TRY(PrepareNew(batch));
    for (auto& part : batch.tables) {
        const auto name = part.schema + "." + part.name;
        // Of a table whose rows are not for us, what its columns were called.
        const auto hear = [&] {
            if (part.heard) heard_[name].insert(part.heard);
        };
        const auto found = tables_.find(name);
        if (found == tables_.end() && not_followed_.contains(name)) {
            hear();
            continue;
        }
        if (found == tables_.end()) {
            return Corrupt(fmt::format("changes of {}.{}, which is not of stream {}", part.schema,
                                       part.name, stream_));
        }
        auto& table = found->second;
        if (!part.dropped.empty() || !part.renamed.empty()) BIWA_TRY(NoteDropped(table, part));
        if (table.is_passed_over) {
            hear();
            continue;
        }
        if (!part.recopy.empty()) {
            hear();
            BIWA_TRY(PassOver(table, std::move(part.recopy)));
            continue;
        }
        if (HasLostKey(part)) {
            // Its rows cannot be told apart. Another copy would not mend that.
            BIWA_TRY(
                PassOver(table,
                         "has a row with a key that the warehouse's type cannot hold: mend the "
                         "key at the source, and resume the table",
                         TablePhase::kPaused));
            continue;
        }
        if (!part.dropped.empty() && part.kinds.empty()) continue;
        if (NeedsAnotherCopy(table, part)) {
            BIWA_TRY(PassOver(table, "has no key, and its copy was not of one moment"));
            continue;
        }
        const bool is_as_before = table.prepared &&
                                  table.prepared->columns == part.columns->columns &&
                                  table.prepared->key == part.columns->key;
        if (!is_as_before) {
            BIWA_TRY(Prepare(table, part));
            if (table.is_passed_over) {
                table.passed_over_from = OriginOf(part).commit_time;
                continue;
            }
        }
        // What came before a truncate is gone from the mirror, and not from the history.
        if (table.waiting.empty() || (part.truncated_first && table.history)) {
            table.waiting.push_back(
                {{},
                 table.kept,
                 std::make_unique<ChangeBuffer>(part.columns, std::exchange(table.memory, {})),
                 table.history_key});
        }
        if (!part.origins.empty()) {
            table.last_change = std::max(table.last_change, part.origins.back().origin.commit_time);
        }
        // A batch that lies across the end of the overlap is treated as inside it: slower, as
        // right.
        const bool overlaps = !IsExact(table);
        const bool is_exact = !overlaps && !part.columns->rows_vanish;
        auto& waiting = table.waiting.back();
        waiting.overlaps = waiting.overlaps || overlaps;
        waiting.buffer->Add(std::move(part), is_exact);
    }
    changes_ += batch.changes;
    at_commit_ = batch.commit.has_value();
    if (batch.commit) {
        position_ = batch.commit;
        known_until_ = batch.commit->order;
        commit_time_ = std::max(commit_time_, batch.commit_time);
    }
    if (!at_commit_ && bytes() > kBytesMax) {
        // A transaction that does not fit into memory is applied in parts, unseen until its end.
        BIWA_TRY(Open());
        BIWA_TRY(FlushAll());
    }
    return {};
}

// The tables that nothing has been applied to yet: what is known of their columns is read once for
// all of them. The warehouse looks through the columns of all that it has for it, so that a first
// change of each of a thousand tables cost a thousand such looks.
Status Applier::PrepareNew(const ChangeBatch& batch) {
    // Within a transaction that is applied in parts each is looked at when it comes.
    if (transaction_) return {};
    std::vector<std::pair<Table*, const TableChanges*>> fresh;
    std::set<std::string> seen;
    for (const auto& part : batch.tables) {
        const auto name = part.schema + "." + part.name;
        const auto found = tables_.find(name);
        // What comes of a table after its first part may stand on what that one does.
        if (found == tables_.end() || !seen.insert(name).second) continue;
        auto& table = found->second;
        if (table.prepared || table.is_passed_over || !part.recopy.empty() ||
            !part.dropped.empty() || NeedsAnotherCopy(table, part)) {
            continue;
        }
        fresh.emplace_back(&table, &part);
    }
    if (fresh.empty()) return {};
    auto transaction = BIWA_TRY(warehouse_.Begin());
    // A stream has one dataset.
    const auto& first = fresh.front().first->target;
    const auto books = BIWA_TRY(
        TargetBooks::Read(*transaction, first.dataset, fresh.size() == 1 ? first.name : ""));
    std::vector<TargetFit> fits;
    for (const auto& [table, part] : fresh) {
        auto& fit = fits.emplace_back(
            BIWA_TRY(FitTarget(*transaction, table->target, *part->columns, books)));
        if (fit.recopy.empty() && table->history) fit.recopy = HistoryClash(*part->columns);
        if (fit.recopy.empty()) BIWA_TRY(Alter(*transaction, *table, fit));
    }
    BIWA_TRY(transaction->Commit());
    for (std::size_t i = 0; i < fresh.size(); ++i) {
        const auto& [table, part] = fresh[i];
        if (fits[i].recopy.empty()) {
            Adopt(*table, *part, std::move(fits[i]));
        } else {
            BIWA_TRY(PassOver(*table, std::move(fits[i].recopy)));
            table->passed_over_from = OriginOf(*part).commit_time;
        }
    }
    return {};
}

// Gives the target its columns before any change that waits is applied, in a transaction of its
// own: DuckDB cannot commit one that deletes rows of a table and then alters it. A column that
// comes too early does no harm: rows that are written until then get its default.
Status Applier::Prepare(Table& table, const TableChanges& part) {
    const auto& columns = *part.columns;
    // What the columns are is told by the books, which the changes before have to have written.
    const bool books_wait =
        std::any_of(table.waiting.begin(), table.waiting.end(),
                    [](const Waiting& waiting) { return !waiting.before_rows.empty(); });
    if (books_wait) {
        BIWA_TRY(Open());
        BIWA_TRY(Flush(table));
    }
    const bool is_written = transaction_ && touched_.contains(table.target);
    TargetFit fit;
    {
        std::unique_ptr<WriteTransaction> own;
        if (!transaction_) own = BIWA_TRY(warehouse_.Begin());
        fit = BIWA_TRY(FitTarget(transaction_ ? *transaction_ : *own, table.target, columns));
        if (fit.recopy.empty() && table.history) fit.recopy = HistoryClash(columns);
        if (!fit.recopy.empty()) return PassOver(table, fit.recopy);
        if (is_written && !fit.alter.empty()) {
            transaction_.reset();
            own = BIWA_TRY(warehouse_.Begin());
        }
        BIWA_TRY(Alter(own ? *own : *transaction_, table, fit));
        if (own) BIWA_TRY(own->Commit());
    }
    if (is_written && !transaction_) {
        has_altered_alone_ = true;
        return ChangedWithin(table.target);
    }
    Adopt(table, part, std::move(fit));
    return {};
}

Status Applier::Alter(WriteTransaction& transaction, const Table& table, const TargetFit& fit) {
    for (const auto& step : fit.alter) BIWA_TRY(transaction.Execute(step));
    if (!table.history || fit.alter.empty()) return {};
    return FitHistory(transaction, HistoryOf(table));
}

// Changes with other columns, or told apart by another key, are not folded into one.
void Applier::Adopt(Table& table, const TableChanges& part, TargetFit fit) {
    table.prepared = part.columns;
    table.kept = fit.kept;
    auto& waiting = table.waiting.emplace_back();
    waiting.before_rows = std::move(fit.before_rows);
    waiting.before_rows.insert(waiting.before_rows.end(), fit.books.begin(), fit.books.end());
    waiting.kept = std::move(fit.kept);
    waiting.buffer = std::make_unique<ChangeBuffer>(part.columns);
    waiting.key = HistoryKey::Of(*part.columns);
    const auto key_before = std::exchange(table.history_key, waiting.key);
    if (!table.history) return;
    for (const auto& [from, to] : fit.renamed) {
        waiting.before_rows.push_back(RenameInHistory(table.target, *table.history, from, to));
    }
    if (waiting.key != key_before) {
        waiting.another_key = OriginOf(part);
    }
}

// As all that alters a table. A mark that comes too early does no harm; what is called otherwise
// now is so once, and goes into the books with the position.
Status Applier::NoteDropped(const Table& table, const TableChanges& part) {
    std::unique_ptr<WriteTransaction> own;
    if (!transaction_) own = BIWA_TRY(warehouse_.Begin());
    const auto marks =
        BIWA_TRY(MarkGone(own ? *own : *transaction_, table.target, part.dropped, part.renamed));
    const bool is_written = transaction_ && touched_.contains(table.target) && !marks.alter.empty();
    if (is_written) {
        transaction_.reset();
        own = BIWA_TRY(warehouse_.Begin());
    }
    auto& transaction = own ? *own : *transaction_;
    for (const auto& step : marks.alter) BIWA_TRY(transaction.Execute(step));
    if (!part.renamed.empty() || table.is_passed_over) {
        renamed_.push_back({table.target, part.dropped, part.renamed});
    } else {
        for (const auto& step : marks.books) BIWA_TRY(transaction.Execute(step));
    }
    if (own) BIWA_TRY(own->Commit());
    has_altered_alone_ = is_written;
    return is_written ? Status(ChangedWithin(table.target)) : Status();
}

// What came before still is applied, with the same commit that says so.
Status Applier::PassOver(Table& table, std::string reason, TablePhase phase) {
    table.is_passed_over = true;
    if (table.known.phase == TablePhase::kGone) return {};
    table.known.phase = phase;
    table.known.reason = std::move(reason);
    passed_over_.push_back(table.known);
    return {};
}

HistoryTable Applier::HistoryOf(const Table& table) const {
    return {stream_, table.known.schema, table.known.name, table.target};
}

Micros Applier::HistoryFloor(const Table& table) const {
    return std::max(commit_time_before_, table.history->began_at);
}

Status Applier::KeepHistory(const std::map<std::string, HistoryKey>& tables) {
    auto transaction = BIWA_TRY(warehouse_.Begin());
    const auto open = BIWA_TRY(OpenEpochs(*transaction, stream_));
    bool is_changed = false;
    for (auto& [name, table] : tables_) {
        const auto wanted = tables.find(name);
        table.wants_history = wanted != tables.end();
        if (table.wants_history) table.history_key = wanted->second;
        const auto found = open.find(name);
        if (found == open.end()) {
            is_changed = is_changed || table.wants_history;
            continue;
        }
        // One that is gone stays as it is.
        if (!table.wants_history && table.known.phase != TablePhase::kGone) {
            BIWA_TRY(EndEpoch(*transaction, stream_, table.known.schema, table.known.name));
            is_changed = true;
            continue;
        }
        table.history = found->second;
        table.history_key = found->second.key;
    }
    if (!is_changed) return {};
    transaction_ = std::move(transaction);
    BIWA_TRY(BeginHistories({known_until_, ""}));
    BIWA_TRY(transaction_->Commit());
    transaction_.reset();
    return {};
}

Status Applier::BeginHistories(const Position& position) {
    for (auto& [name, table] : tables_) {
        if (!table.wants_history || table.history || table.is_passed_over ||
            table.known.phase != TablePhase::kLive ||
            position.order < std::max(table.known.overlap_until, table.known.from)) {
            continue;
        }
        ChangeOrigin at;
        at.commit = position.order;
        at.commit_time = commit_time_ != 0 ? commit_time_ : SystemClock().Now();
        table.history =
            BIWA_TRY(BeginEpoch(*transaction_, HistoryOf(table), table.history_key, at));
        touched_[table.target] = true;
    }
    return {};
}

Status Applier::WriteHistoryOf(Table& table, const Waiting& waiting) {
    if (!table.history) return {};
    const auto floor = HistoryFloor(table);
    const auto begins_at = [&](ChangeOrigin at) {
        at.commit_time = std::max(at.commit_time, floor);
        return at;
    };
    if (waiting.buffer->truncated()) {
        table.history = BIWA_TRY(BeginEmptyEpoch(*transaction_, HistoryOf(table), waiting.key,
                                                 waiting.another_key.has_value(),
                                                 begins_at(waiting.buffer->truncated_at())));
    } else if (waiting.another_key) {
        table.history = BIWA_TRY(BeginEpoch(*transaction_, HistoryOf(table), waiting.key,
                                            begins_at(*waiting.another_key)));
    }
    return WriteHistory(*transaction_, table.target, *table.history, *waiting.buffer, floor);
}

Status Applier::FlushAll() {
    for (auto& [name, table] : tables_) {
        BIWA_TRY(Flush(table));
        const auto changes = std::exchange(table.changes, 0);
        if (changes == 0 || (changes < kManyChanges && !table.may_be_empty)) continue;
        BIWA_TRY(transaction_->HideUntilCommit(table.target));
        if (table.history) BIWA_TRY(transaction_->HideUntilCommit(ChangesTable(table.target)));
    }
    return {};
}

Status Applier::Flush(Table& table) {
    const auto all = std::exchange(table.waiting, {});
    table.memory = {};
    for (const auto& waiting : all) {
        BIWA_TRY(FlushWaiting(table, waiting));
        table.memory = waiting.buffer->TakeMemory([this] { transaction_->MayRest(); });
    }
    return {};
}

Status Applier::FlushWaiting(Table& table, const Waiting& waiting) {
    const auto& buffer = *waiting.buffer;
    const auto& columns = buffer.columns();
    const auto target = table.target.ToSql();
    touched_[table.target] = true;
    if (table.may_be_empty && table.changes == 0) {
        const auto rows = BIWA_TRY(transaction_->Query("SELECT 1 FROM " + target + " LIMIT 1"));
        table.may_be_empty = BIWA_TRY(rows->Next()) == nullptr;
    }
    table.changes += buffer.changes();
    for (const auto& step : waiting.before_rows) BIWA_TRY(transaction_->Execute(step));
    BIWA_TRY(WriteHistoryOf(table, waiting));
    if (buffer.truncated()) BIWA_TRY(transaction_->Execute("DELETE FROM " + target));
    if (columns.key_repeats) BIWA_TRY(DeleteCopies(table, buffer));
    const auto partial_rows = buffer.PartialRows();
    if (partial_rows) BIWA_TRY(Complete(table, waiting, *partial_rows));
    std::string keep_into, keep_from, keep_join;
    if (const auto keys = columns.key_repeats ? nullptr : buffer.DeletedKeys()) {
        // By names of their own: the table may have any, that of the keys too.
        const auto on_key =
            fmt::format("{} AND $in_keys({})", OnKey(columns, "t", "k"), KeyList(columns, "t."));
        std::vector<std::size_t> whole(columns.key.size());
        std::iota(whole.begin(), whole.end(), 0);
        if (!waiting.kept.empty()) {
            BIWA_TRY(transaction_->ExecuteWith(
                // While a copy overlaps with the changes a row may be there twice.
                fmt::format(
                    "CREATE OR REPLACE TEMP TABLE biwa_kept AS SELECT {}{}, {} FROM {} "
                    "AS t JOIN $keys AS k ON {}",
                    buffer.exact() ? "" : fmt::format("DISTINCT ON ({}) ", KeyList(columns, "t.")),
                    KeyList(columns, "t."), QuotedList(waiting.kept, "t."), target, on_key),
                {{"keys", *keys, whole}}));
            keep_into = ", " + QuotedList(waiting.kept);
            keep_from = ", " + QuotedList(waiting.kept, "biwa_kept.");
            keep_join = " LEFT JOIN biwa_kept ON " + OnKey(columns, "biwa_kept", "r");
        }
        // Read a second time where something is kept.
        const auto again = buffer.DeletedKeys();
        BIWA_TRY(transaction_->ExecuteWith(
            fmt::format("DELETE FROM {} AS t USING $keys AS k WHERE {}", target, on_key),
            {{"keys", *again, whole}}));
    }
    const auto names = QuotedList(columns.columns);
    const auto values = QuotedList(columns.columns, "r.");
    if (const auto rows = buffer.Rows()) {
        BIWA_TRY(transaction_->ExecuteWith(
            fmt::format("INSERT INTO {} ({}{}) SELECT {}{} FROM $rows AS r{}", target, names,
                        keep_into, values, keep_from, keep_join),
            {{"rows", *rows}}));
    }
    if (partial_rows) {
        BIWA_TRY(transaction_->Execute(
            fmt::format("INSERT INTO {} ({}{}) SELECT {}{} FROM biwa_completed AS r{}; DROP TABLE "
                        "biwa_completed",
                        target, names, keep_into, values, keep_from, keep_join)));
    }
    if (!keep_join.empty()) BIWA_TRY(transaction_->Execute("DROP TABLE biwa_kept"));
    return {};
}

Status Applier::DeleteCopies(Table& table, const ChangeBuffer& buffer) {
    const auto keys = buffer.DeletedKeys();
    if (!keys) return {};
    std::string same;
    for (const auto& column : buffer.columns().columns) {
        const auto name = QuoteIdentifier(column.name);
        same += fmt::format("{}t.{} IS NOT DISTINCT FROM k.{}", same.empty() ? "" : " AND ", name,
                            name);
        // So are intervals of a month and of 30 days; and in lists there may be either.
        if (column.type.id == TypeId::kInterval || column.type.id == TypeId::kList) {
            same +=
                fmt::format(" AND t.{}::VARCHAR IS NOT DISTINCT FROM k.{}::VARCHAR", name, name);
        }
        // 0 and -0 are equal and not the same.
        if (column.type.id == TypeId::kFloat || column.type.id == TypeId::kDouble) {
            same += fmt::format(" AND (t.{} IS NULL OR t.{} <> 0 OR signbit(t.{}) = signbit(k.{}))",
                                name, name, name, name);
        }
    }
    const auto deleted = BIWA_TRY(transaction_->ExecuteWith(
        fmt::format("DELETE FROM {} WHERE rowid IN (SELECT place FROM (SELECT t.rowid AS place, "
                    "k.\"{}\" AS copies, row_number() OVER (PARTITION BY k.\"{}\") AS nth "
                    "FROM {} AS t JOIN $keys AS k ON {}) WHERE nth <= copies)",
                    table.target.ToSql(), ChangeBuffer::kCopies, ChangeBuffer::kNumber,
                    table.target.ToSql(), same),
        {{"keys", *keys}}));
    if (deleted == buffer.deleted_copies()) return {};
    return PassOver(
        table, fmt::format("{} rows that changed are not here", buffer.deleted_copies() - deleted));
}

// Makes biwa_completed: the rows with the values that the source left out, which are taken from
// where they are before it is deleted.
Status Applier::Complete(Table& table, const Waiting& waiting, RowSource& partial_rows) {
    const auto& buffer = *waiting.buffer;
    const auto& columns = buffer.columns();
    const auto lacking = buffer.partial_columns();
    std::string values, keys, on_origin, moved;
    std::vector<std::size_t> origins;
    for (std::size_t i = 0; i < columns.columns.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[i].name);
        values += std::binary_search(lacking.begin(), lacking.end(), i)
                      ? fmt::format("CASE WHEN p.\"{}\" THEN t.{} ELSE p.{} END AS {}, ",
                                    ChangeBuffer::KeepName(i), name, name, name)
                      : "p." + name + ", ";
    }
    for (std::size_t i = 0; i < columns.key.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[columns.key[i]].name);
        keys += (i == 0 ? "p." : ", p.") + name;
        const auto origin = ChangeBuffer::OriginName(i);
        on_origin += fmt::format("{}t.{} = p.\"{}\"", i == 0 ? "" : " AND ", name, origin);
        moved += fmt::format("{}p.{} <> p.\"{}\"", i == 0 ? "" : " OR ", name, origin);
        origins.push_back(columns.columns.size() + lacking.size() + i);
    }
    // A copy that was cut off and went on later may have the row twice: as it was then and, moved
    // to another page by an update, as it was later. Either has the value, or a change that is
    // still to come brings it. Where the key has changed too, the old key may be that of another
    // row by then: only the source knows.
    const bool exact = !waiting.overlaps;
    const auto first_key = QuoteIdentifier(columns.columns[columns.key[0]].name);
    BIWA_TRY(transaction_->ExecuteWith(
        fmt::format("CREATE OR REPLACE TEMP TABLE biwa_completed AS SELECT {}{}t.{} IS NULL{} AS "
                    "biwa_missing FROM $rows AS p LEFT JOIN {} AS t ON {} AND $in_rows({})",
                    exact ? "" : fmt::format("DISTINCT ON ({}) ", keys), values, first_key,
                    exact ? "" : " OR " + moved, table.target.ToSql(), on_origin,
                    KeyList(columns, "t.")),
        {{"rows", partial_rows, std::move(origins)}}));
    return MendMissing(table, columns);
}

// Rows whose former selves are not in the warehouse, so that what the source left out is nowhere
// here. It happens after a copy that was cut off and went on later: a row that moved meanwhile into
// a part that was copied already is in neither copy. The source is asked for such rows as they are
// now; the changes that are still to come then find them, and end at the same.
//
// A row that is not there any more, or not under this key, is left out: a change that deletes it or
// changes its key is still to come, and finds it missing again.
Status Applier::MendMissing(Table& table, const TableSchema& columns) {
    std::string texts;
    for (const auto column : columns.key) {
        texts += (texts.empty() ? "" : ", ") + AsText(columns.columns[column]);
    }
    std::vector<std::vector<std::string>> keys;
    {
        const auto rows = BIWA_TRY(transaction_->Query(
            fmt::format("SELECT {} FROM biwa_completed WHERE biwa_missing", texts)));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            for (std::size_t row = 0; row < block->rows; ++row) {
                auto& key = keys.emplace_back();
                for (const auto& cells : block->columns) key.emplace_back(cells.GetString(row));
            }
        }
    }
    if (keys.empty()) return {};
    SourceTable source;
    source.schema = table.known.schema;
    source.name = table.known.name;
    source.columns = columns;
    BIWA_TRY(transaction_->Execute(
        fmt::format("CREATE OR REPLACE TEMP TABLE biwa_missing AS SELECT {} FROM biwa_completed "
                    "WHERE biwa_missing; DELETE FROM biwa_completed WHERE biwa_missing",
                    KeyList(columns))));
    auto found = source_.ReadRows(source, keys);
    if (!found && found.error().kind == ErrorKind::kConflict) {
        return PassOver(table, found.error().message);
    }
    ReaderSource rows(columns.columns, BIWA_TRY(std::move(found)));
    BIWA_TRY(transaction_->ExecuteWith(
        fmt::format("INSERT INTO biwa_completed SELECT r.*, false FROM $rows AS r{}",
                    OnlyKeys(columns, "r", "biwa_missing")),
        {{"rows", rows}}));
    // These rows are ahead of the changes: until those have caught up it is as after such a copy.
    table.known.overlap_until = BIWA_TRY(source_.Head()).order;
    overlaps_[table.known.ToString()] = table.known.overlap_until;
    table.history.reset();
    BIWA_TRY(EndEpoch(*transaction_, stream_, table.known.schema, table.known.name));
    return SaveOverlap(*transaction_, stream_, table.known.schema, table.known.name,
                       table.known.overlap_until);
}

Result<Applier::Applied> Applier::CommitAtEase(std::function<bool()> nobody_waits) {
    BIWA_TRY(Open());
    transaction_->TakeItEasy(std::move(nobody_waits));
    return Commit();
}

Result<Applier::Applied> Applier::Commit() {
    BIWA_TRY(Open());
    BIWA_TRY(FlushAll());
    for (const auto& table : passed_over_) {
        const auto& passed_over = tables_[table.ToString()];
        auto last = std::max(commit_time_before_, passed_over.last_change);
        // Half of a transaction is of no moment: it ends before that one.
        if (passed_over.passed_over_from != 0) {
            last = std::min(last, passed_over.passed_over_from - 1);
        }
        BIWA_TRY(EndEpoch(*transaction_, stream_, table.schema, table.name, last));
        BIWA_TRY(SaveTable(*transaction_, stream_, table));
    }
    for (const auto& [name, columns] : heard_) {
        const auto other = not_followed_.find(name);
        const auto& table = other == not_followed_.end() ? tables_[name].known : other->second;
        for (const auto& heard : columns) {
            BIWA_TRY(SaveHeard(*transaction_, stream_, table, *heard));
        }
    }
    heard_.clear();
    for (const auto& one : std::exchange(renamed_, {})) {
        const auto marks = BIWA_TRY(MarkGone(*transaction_, one.target, one.dropped, one.renamed));
        for (const auto& step : marks.books) BIWA_TRY(transaction_->Execute(step));
    }
    BIWA_TRY(SavePosition(*transaction_, stream_, *position_, commit_time_));
    BIWA_TRY(BeginHistories(*position_));
    BIWA_TRY(transaction_->Commit());
    transaction_.reset();
    Applied applied;
    applied.waiting = std::exchange(passed_over_, {});
    applied.overlaps = std::exchange(overlaps_, {});
    applied.position = *position_;
    applied.commit_time = commit_time_;
    applied.changes = changes_;
    for (const auto& [name, is_touched] : touched_) applied.tables.push_back(name);
    for (const auto& [name, table] : tables_) {
        if (!table.history || !touched_.contains(table.target)) continue;
        applied.tables.push_back(ChangesTable(table.target));
        applied.tables.push_back(HistoryView(table.target));
    }
    touched_.clear();
    changes_ = 0;
    return applied;
}

}  // namespace biwa
