#include "replication/reconciler.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "replication/retry.h"
#include "replication/row_sql.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kKeysPerLook = 5'000;
constexpr int kLooksMax = 8;
// So many looks in a row have to say that a row differs. One proves it where a commit can be seen
// at the source before it is sent to us; PostgreSQL lets its log be read a moment earlier.
constexpr int kLooksToBeSure = 2;
// With more, something else is wrong than some rows.
constexpr std::int64_t kSuspectsMax = 2'000'000;
constexpr const char* kNumber = "biwa_number";

bool HoldsFloatOrInterval(const Type& type) {
    if (type.id == TypeId::kList) return HoldsFloatOrInterval(*type.element);
    return type.id == TypeId::kFloat || type.id == TypeId::kDouble || type.id == TypeId::kInterval;
}

// The column so that equal means the same: 0 equals -0 and a month 30 days.
std::string Telling(const Column& column, std::string_view prefix) {
    const auto name = fmt::format("{}{}", prefix, QuoteIdentifier(column.name));
    return HoldsFloatOrInterval(column.type) ? fmt::format("CAST({} AS VARCHAR)", name) : name;
}

std::string SameRow(const TableSchema& columns, std::string_view a, std::string_view b) {
    std::string same;
    for (std::size_t i = 0; i < columns.columns.size(); ++i) {
        if (std::find(columns.key.begin(), columns.key.end(), i) != columns.key.end() &&
            !HoldsFloatOrInterval(columns.columns[i].type)) {
            continue;  // The rows are joined by it.
        }
        const auto& column = columns.columns[i];
        same += fmt::format("{}{} IS NOT DISTINCT FROM {}", same.empty() ? "" : " AND ",
                            Telling(column, a), Telling(column, b));
    }
    return same.empty() ? "true" : same;
}

std::string Definitions(const std::vector<Column>& columns) {
    std::string list;
    for (const auto& column : columns) {
        list += fmt::format("{}{} {}", list.empty() ? "" : ", ", QuoteIdentifier(column.name),
                            ToSql(column.type));
    }
    return list;
}

// The rows of some parts of a table, one after another.
class PartRows final : public RowSource {
  public:
    PartRows(const SourceTable& table, SnapshotReader& snapshot, std::vector<SnapshotRange> parts)
        : table_(table), snapshot_(snapshot), parts_(std::move(parts)) {}
    const std::vector<Column>& columns() const override { return table_.columns.columns; }
    std::size_t rows_estimate() const override { return 1; }
    Result<std::unique_ptr<RowReader>> Open() override { return std::make_unique<Reader>(*this); }

  private:
    class Reader final : public RowReader {
      public:
        explicit Reader(PartRows& rows) : rows_(rows) {}
        Result<std::size_t> Fill(RowBlock& block) override {
            for (;;) {
                if (!part_) {
                    if (next_ == rows_.parts_.size()) return std::size_t{0};
                    part_ = BIWA_TRY(rows_.snapshot_.Read(rows_.table_, rows_.parts_[next_++]));
                }
                const auto count = BIWA_TRY(part_->Fill(block));
                if (count > 0) return count;
                part_.reset();
            }
        }

      private:
        PartRows& rows_;
        std::size_t next_ = 0;
        std::unique_ptr<RowReader> part_;
    };

    const SourceTable& table_;
    SnapshotReader& snapshot_;
    const std::vector<SnapshotRange> parts_;
};

template <typename Each>
Status ForEachRow(WriteTransaction& transaction, const std::string& sql, const Each& each) {
    const auto rows = BIWA_TRY(transaction.Query(sql));
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return {};
        for (std::size_t row = 0; row < block->rows; ++row) each(block->columns, row);
    }
}

// 64 bits of a hash of each row, added up: of the same rows, in whatever order, the same sum.
std::string RowSums(const TableSchema& columns, const std::string& from) {
    std::string list;
    for (const auto& column : columns.columns) {
        list += (list.empty() ? "" : ", ") + Telling(column, "");
    }
    return fmt::format(
        "SELECT count(*)::BIGINT AS n, coalesce(sum(hash({})::HUGEINT), 0)::VARCHAR AS sums "
        "FROM {}",
        list, from);
}

}  // namespace

// Numbers count in biwa_suspects.
struct Reconciler::Suspects {
    struct Row {
        int looks = 0;  // in a row that said so
        RowDifference difference = RowDifference::kDifferent;
    };
    std::vector<std::int64_t> open;
    std::map<std::int64_t, Row> rows;
    std::map<std::int64_t, RowDifference> differing;
};

Reconciler::Reconciler(Warehouse& warehouse, StreamSource& source, ReconciledStream& stream,
                       KeyWatch& watch, ReconcileOptions options, std::stop_token stop)
    : warehouse_(warehouse),
      source_(source),
      stream_(stream),
      watch_(watch),
      options_(options),
      stop_(std::move(stop)) {}

Result<TableComparison> Reconciler::Compare(const SourceTable& table, const TableName& target) {
    const auto begin = steady_clock::now();
    TableComparison result;
    result.source = table.ToString();
    const auto not_compared = [&](std::string reason) {
        result.outcome = TableComparison::Outcome::kNotCompared;
        result.reason = std::move(reason);
    };
    workbench_ = BIWA_TRY(warehouse_.OpenWorkbench());
    TargetFit fit;
    {
        auto transaction = BIWA_TRY(workbench_->Begin());
        fit = BIWA_TRY(FitTarget(*transaction, target, table.columns));
    }
    if (table.columns.key.empty()) {
        not_compared("has no key: only its inserts are followed");
        result.outcome = TableComparison::Outcome::kNotComparable;
    } else if (!fit.recopy.empty() || !fit.alter.empty() || !fit.before_rows.empty()) {
        not_compared(
            "its columns have changed at the source, and no change of its rows has come "
            "since");
    } else if (table.columns.key_repeats) {
        BIWA_TRY(CompareAsWhole(table, target, result));
    } else {
        BIWA_TRY(CompareByKey(table, target, result));
    }
    workbench_.reset();
    result.at = SystemClock().Now();
    result.seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
    return result;
}

Status Reconciler::CompareByKey(const SourceTable& table, const TableName& target,
                                TableComparison& result) {
    BIWA_TRY(WaitForHead());
    BIWA_TRY(FindSuspects(table, target, result));
    Suspects suspects;
    {
        auto transaction = BIWA_TRY(workbench_->Begin());
        BIWA_TRY(ForEachRow(*transaction, fmt::format("SELECT {} FROM biwa_suspects", kNumber),
                            [&](const std::vector<Cells>& cells, std::size_t row) {
                                suspects.open.push_back(cells[0].Get<std::int64_t>(row));
                            }));
    }
    if (static_cast<std::int64_t>(suspects.open.size()) > kSuspectsMax) {
        result.outcome = TableComparison::Outcome::kNotCompared;
        result.reason = fmt::format(
            "more than {} rows do not agree: too many to look at each; if the stream is not "
            "behind, have the table copied anew (`biwa stream recopy`)",
            HumanCount(kSuspectsMax));
        return {};
    }
    std::sort(suspects.open.begin(), suspects.open.end());
    BIWA_TRY(LookAtAll(table, target, suspects));
    result.changing = suspects.open.size();
    std::vector<std::int64_t> numbers;
    for (const auto& [number, difference] : suspects.differing) {
        numbers.push_back(number);
        (difference == RowDifference::kMissing ? result.missing
         : difference == RowDifference::kExtra ? result.extra
                                               : result.different)++;
    }
    const auto named = std::vector(
        numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(std::min(
                                               numbers.size(), TableComparison::kNamedMax)));
    for (auto& key : BIWA_TRY(KeysOf(table, named))) {
        result.keys.push_back({std::move(key), suspects.differing[named[result.keys.size()]]});
    }
    result.outcome =
        numbers.empty() ? TableComparison::Outcome::kEqual : TableComparison::Outcome::kDiffers;
    if (numbers.empty() || !options_.repair) return {};

    for (std::size_t at = 0; at < numbers.size(); at += kKeysPerLook) {
        const auto end = std::min(at + kKeysPerLook, numbers.size());
        BIWA_TRY(stream_.Repair(
            table, BIWA_TRY(KeysOf(table, {numbers.begin() + static_cast<std::ptrdiff_t>(at),
                                           numbers.begin() + static_cast<std::ptrdiff_t>(end)}))));
    }
    // Whether it helped is looked at as everything else is.
    Suspects repaired;
    repaired.open = numbers;
    BIWA_TRY(LookAtAll(table, target, repaired));
    result.repaired = numbers.size() - repaired.differing.size();
    if (repaired.differing.empty()) {
        result.outcome = TableComparison::Outcome::kRepaired;
    } else {
        result.reason =
            fmt::format("{} rows differ again after they were repaired", repaired.differing.size());
    }
    return {};
}

Status Reconciler::FindSuspects(const SourceTable& table, const TableName& target,
                                TableComparison& result) {
    const auto key = KeyList(table.columns);
    const auto key_definitions = Definitions(KeyColumns(table.columns));
    BIWA_TRY(Execute(fmt::format(
        "CREATE OR REPLACE TEMP TABLE biwa_here AS SELECT {} FROM {}; "
        "CREATE OR REPLACE TEMP TABLE biwa_seen ({}); CREATE OR REPLACE TEMP TABLE biwa_found ({})",
        key, target.ToSql(), key_definitions, key_definitions)));

    std::unique_ptr<SnapshotReader> moment;
    auto moment_began = steady_clock::now();
    std::vector<SnapshotRange> parts;
    for (std::size_t i = 0; i == 0 || i < parts.size(); ++i) {
        const auto begin = steady_clock::now();
        // What differs and rests is so at every moment: the parts need not be of the same one.
        if (!moment || begin - moment_began > options_.moment_max) {
            moment = BIWA_TRY(source_.ResumeSnapshot());
            moment_began = begin;
        }
        if (i == 0) parts = BIWA_TRY(moment->Split(table));
        if (parts.empty()) break;
        stream_.OnParts(i, parts.size());
        {
            auto transaction = BIWA_TRY(workbench_->Begin());
            BIWA_TRY(transaction->Execute(fmt::format("CREATE OR REPLACE TEMP TABLE biwa_part ({})",
                                                      Definitions(table.columns.columns))));
            PartRows rows(table, *moment, {parts[i]});
            result.rows += static_cast<std::int64_t>(BIWA_TRY(transaction->ExecuteWith(
                "INSERT INTO biwa_part SELECT * FROM $rows", {{"rows", rows}})));
            BIWA_TRY(transaction->Commit());
        }
        const auto read = steady_clock::now();
        // In a transaction that begins now, so that it sees what has come since.
        BIWA_TRY(Execute(fmt::format(
            "INSERT INTO biwa_seen SELECT {} FROM biwa_part; "
            "INSERT INTO biwa_found SELECT {} FROM biwa_part AS s WHERE NOT EXISTS "
            "(FROM (SELECT {} FROM {} AS t JOIN biwa_part AS s ON {} WHERE {}) AS m WHERE {})",
            key, KeyList(table.columns, "s."), KeyList(table.columns, "s."), target.ToSql(),
            OnKey(table.columns, "s", "t"), SameRow(table.columns, "s.", "t."),
            OnKey(table.columns, "s", "m"))));
        const auto rest = (read - begin) * (1 / options_.share - 1);
        if (!SleepFor(stop_, duration_cast<milliseconds>(rest))) return Unavailable("stopped");
    }
    stream_.OnParts(parts.size(), parts.size());
    // Rows that are here only, and those that are here more than once.
    return Execute(fmt::format(
        "INSERT INTO biwa_found SELECT {} FROM biwa_here AS h ANTI JOIN biwa_seen AS s ON {}; "
        "INSERT INTO biwa_found SELECT {} FROM biwa_here GROUP BY ALL HAVING count(*) > 1; "
        "CREATE OR REPLACE TEMP TABLE biwa_suspects AS SELECT row_number() OVER (ORDER BY {}) AS "
        "{}, * FROM (SELECT DISTINCT * FROM biwa_found); "
        "DROP TABLE biwa_here; DROP TABLE biwa_seen; DROP TABLE biwa_found; DROP TABLE biwa_part",
        KeyList(table.columns, "h."), OnKey(table.columns, "h", "s"), key, key, kNumber));
}

Status Reconciler::LookAtAll(const SourceTable& table, const TableName& target,
                             Suspects& suspects) {
    for (int look = 0; look < kLooksMax && !suspects.open.empty(); ++look) {
        if (look > 0 && !SleepFor(stop_, options_.between_looks)) {
            return Unavailable("stopped");
        }
        const auto open = std::exchange(suspects.open, {});
        for (std::size_t at = 0; at < open.size(); at += kKeysPerLook) {
            const auto end = std::min(at + kKeysPerLook, open.size());
            BIWA_TRY(Look(table, target,
                          {open.begin() + static_cast<std::ptrdiff_t>(at),
                           open.begin() + static_cast<std::ptrdiff_t>(end)},
                          suspects));
        }
    }
    return {};
}

Status Reconciler::Look(const SourceTable& table, const TableName& target,
                        const std::vector<std::int64_t>& numbers, Suspects& suspects) {
    const auto key_columns = KeyColumns(table.columns);
    BIWA_TRY(
        Execute(fmt::format("CREATE OR REPLACE TEMP TABLE biwa_asked AS "
                            "SELECT * FROM biwa_suspects WHERE {} IN ({}); "
                            "CREATE OR REPLACE TEMP TABLE biwa_part ({})",
                            kNumber, fmt::join(numbers, ","), Definitions(table.columns.columns))));
    const auto keys = BIWA_TRY(KeysOf(table, numbers));
    std::map<std::int64_t, KeyWatch::Hash> hashes;
    std::vector<KeyWatch::Hash> watched;
    {
        auto transaction = BIWA_TRY(workbench_->Begin());
        BIWA_TRY(ForEachRow(
            *transaction,
            fmt::format("SELECT {}, {} FROM biwa_asked", kNumber, KeyList(table.columns)),
            [&](const std::vector<Cells>& cells, std::size_t row) {
                std::vector<const Cells*> key;
                for (std::size_t i = 1; i < cells.size(); ++i) key.push_back(&cells[i]);
                watched.push_back(KeyWatch::HashOf(key, row));
                hashes[cells[0].Get<std::int64_t>(row)] = watched.back();
            }));
    }
    const KeyWatch::Watching watching(watch_, table.ToString(), key_columns, watched);
    BIWA_TRY(WaitForHead());
    {
        ReaderSource rows(table.columns.columns, BIWA_TRY(source_.ReadRows(table, keys)));
        auto transaction = BIWA_TRY(workbench_->Begin());
        BIWA_TRY(transaction->ExecuteWith("INSERT INTO biwa_part SELECT * FROM $rows",
                                          {{"rows", rows}}));
        BIWA_TRY(transaction->Commit());
    }
    BIWA_TRY(WaitForHead());

    struct Seen {
        std::int64_t number;
        bool at_source, same;
        std::int64_t here;
    };
    std::vector<Seen> seen;
    {
        const auto first = QuoteIdentifier(key_columns[0].name);
        auto transaction = BIWA_TRY(workbench_->Begin());
        BIWA_TRY(ForEachRow(
            *transaction,
            fmt::format("WITH h AS MATERIALIZED (SELECT t.* FROM {} AS t JOIN biwa_asked AS a ON "
                        "{}) SELECT a.{}, bool_or(s.{} IS NOT NULL), "
                        "coalesce(bool_and({}), false), count(h.{})::BIGINT "
                        "FROM biwa_asked AS a LEFT JOIN biwa_part AS s ON {} LEFT JOIN h ON {} "
                        "GROUP BY a.{}",
                        target.ToSql(), OnKey(table.columns, "t", "a"), kNumber, first,
                        SameRow(table.columns, "s.", "h."), first, OnKey(table.columns, "a", "s"),
                        OnKey(table.columns, "a", "h"), kNumber),
            [&](const std::vector<Cells>& cells, std::size_t row) {
                seen.push_back(
                    {cells[0].Get<std::int64_t>(row), cells[1].Get<std::uint8_t>(row) != 0,
                     cells[2].Get<std::uint8_t>(row) != 0, cells[3].Get<std::int64_t>(row)});
            }));
    }
    for (const auto& row : seen) {
        const bool is_equal = row.at_source ? row.here == 1 && row.same : row.here == 0;
        auto& suspect = suspects.rows[row.number];
        if (is_equal) continue;
        if (watch_.WasTouched(hashes[row.number])) {
            suspect.looks = 0;
            suspects.open.push_back(row.number);
            continue;
        }
        suspect.difference = !row.at_source  ? RowDifference::kExtra
                             : row.here == 0 ? RowDifference::kMissing
                                             : RowDifference::kDifferent;
        if (++suspect.looks >= kLooksToBeSure) {
            suspects.differing[row.number] = suspect.difference;
        } else {
            suspects.open.push_back(row.number);
        }
    }
    return {};
}

Result<std::vector<std::vector<std::string>>> Reconciler::KeysOf(
    const SourceTable& table, const std::vector<std::int64_t>& numbers) {
    std::vector<std::vector<std::string>> keys;
    if (numbers.empty()) return keys;
    std::string texts;
    for (const auto& column : KeyColumns(table.columns)) {
        texts += (texts.empty() ? "" : ", ") + AsText(column);
    }
    auto transaction = BIWA_TRY(workbench_->Begin());
    BIWA_TRY(ForEachRow(*transaction,
                        fmt::format("SELECT {} FROM biwa_suspects WHERE {} IN ({}) ORDER BY {}",
                                    texts, kNumber, fmt::join(numbers, ","), kNumber),
                        [&](const std::vector<Cells>& cells, std::size_t row) {
                            auto& key = keys.emplace_back();
                            for (const auto& one : cells) key.emplace_back(one.GetString(row));
                        }));
    return keys;
}

// All rows, whatever their number, as one sum: the moments of both sides have to be the same, so
// the table has to rest while the stream gets from one to the other, a part of a second.
Status Reconciler::CompareAsWhole(const SourceTable& table, const TableName& target,
                                  TableComparison& result) {
    struct Sums {
        std::int64_t rows = 0;
        std::string sums;
        bool operator==(const Sums&) const = default;
    };
    const auto first_row = [&](const std::string& sql) -> Result<Sums> {
        Sums found;
        auto transaction = BIWA_TRY(workbench_->Begin());
        BIWA_TRY(
            ForEachRow(*transaction, sql, [&](const std::vector<Cells>& cells, std::size_t row) {
                found.rows = cells[0].Get<std::int64_t>(row);
                found.sums = cells[1].GetString(row);
            }));
        return found;
    };
    int looks_that_differ = 0;
    for (int look = 0; look < kLooksMax; ++look) {
        if (look > 0 && !SleepFor(stop_, options_.between_looks)) {
            return Unavailable("stopped");
        }
        const KeyWatch::Watching watching(watch_, table.ToString(), {}, {});
        BIWA_TRY(WaitForHead());
        const auto moment = BIWA_TRY(source_.ResumeSnapshot());
        BIWA_TRY(WaitForHead());
        const auto here = BIWA_TRY(first_row(RowSums(table.columns, target.ToSql())));
        if (watch_.WasAnyTouched()) continue;
        BIWA_TRY(Execute("CREATE OR REPLACE TEMP TABLE biwa_sums (n BIGINT, sums VARCHAR)"));
        const auto parts = BIWA_TRY(moment->Split(table));
        stream_.OnParts(0, parts.size());
        {
            auto transaction = BIWA_TRY(workbench_->Begin());
            PartRows rows(table, *moment, parts);
            BIWA_TRY(transaction->ExecuteWith(
                "INSERT INTO biwa_sums " + RowSums(table.columns, "$rows"), {{"rows", rows}}));
            BIWA_TRY(transaction->Commit());
        }
        stream_.OnParts(parts.size(), parts.size());
        const auto there = BIWA_TRY(first_row("SELECT n, sums FROM biwa_sums"));
        result.rows = there.rows;
        if (here == there) {
            result.outcome = TableComparison::Outcome::kEqual;
            return {};
        }
        if (++looks_that_differ < kLooksToBeSure) continue;
        result.outcome = TableComparison::Outcome::kDiffers;
        const auto difference = there.rows - here.rows;
        if (difference > 0) result.missing = static_cast<std::uint64_t>(difference);
        if (difference < 0) result.extra = static_cast<std::uint64_t>(-difference);
        if (difference == 0) result.different = 1;
        result.reason =
            "has no key: that it differs is known, not in which rows; `biwa stream recopy` mends "
            "it";
        return {};
    }
    result.outcome = TableComparison::Outcome::kNotCompared;
    result.reason = "has no key, and changed at every look";
    return {};
}

Status Reconciler::WaitForHead() {
    const auto head = BIWA_TRY(source_.Head());
    const auto until = steady_clock::now() + options_.wait_max;
    while (!BIWA_TRY(stream_.HasApplied(head))) {
        if (!SleepFor(stop_, milliseconds(10))) return Unavailable("stopped");
        if (steady_clock::now() > until) {
            return Unavailable("the stream is too far behind its source to be compared with it",
                               "Try again when `biwa status` shows it as streaming.");
        }
    }
    return {};
}

Status Reconciler::Execute(const std::string& sql) {
    auto transaction = BIWA_TRY(workbench_->Begin());
    BIWA_TRY(transaction->Execute(sql));
    return transaction->Commit();
}

Result<Position> RepairRows(WriteTransaction& transaction, StreamSource& source,
                            const SourceTable& table, const TableName& target,
                            const std::vector<std::vector<std::string>>& keys) {
    const auto& columns = table.columns;
    const auto key_columns = KeyColumns(columns);
    const auto fit = BIWA_TRY(FitTarget(transaction, target, columns));
    if (!fit.recopy.empty() || !fit.alter.empty() || !fit.before_rows.empty()) {
        return Unavailable(fmt::format("the columns of {} have just changed", table.ToString()));
    }
    ReaderSource rows(columns.columns, BIWA_TRY(source.ReadRows(table, keys)));
    BIWA_TRY(transaction.Execute(
        fmt::format("CREATE OR REPLACE TEMP TABLE biwa_keys ({})", Definitions(key_columns))));
    std::string values;
    for (const auto& key : keys) {
        values += values.empty() ? "(" : ", (";
        for (std::size_t i = 0; i < key.size(); ++i) {
            values += (i == 0 ? "" : ", ") + FromText(key_columns[i], key[i]);
        }
        values += ")";
    }
    BIWA_TRY(transaction.Execute("INSERT INTO biwa_keys VALUES " + values));
    // Columns that the source has no more keep their values.
    const bool keeps = !fit.kept.empty();
    BIWA_TRY(transaction.Execute(
        fmt::format("CREATE OR REPLACE TEMP TABLE biwa_kept AS SELECT DISTINCT ON ({}) {}{}{} FROM "
                    "{} AS t JOIN "
                    "biwa_keys AS k ON {}; DELETE FROM {} AS t USING biwa_keys AS k WHERE {}",
                    KeyList(columns, "t."), KeyList(columns, "t."), keeps ? ", " : "",
                    QuotedList(fit.kept, "t."), target.ToSql(), OnKey(columns, "t", "k"),
                    target.ToSql(), OnKey(columns, "t", "k"))));
    BIWA_TRY(transaction.ExecuteWith(
        fmt::format("INSERT INTO {} ({}{}{}) SELECT {}{}{} FROM $rows AS r{}{}", target.ToSql(),
                    QuotedList(columns.columns), keeps ? ", " : "", QuotedList(fit.kept),
                    QuotedList(columns.columns, "r."), keeps ? ", " : "",
                    QuotedList(fit.kept, "biwa_kept."), OnlyKeys(columns, "r", "biwa_keys"),
                    keeps ? " LEFT JOIN biwa_kept ON " + OnKey(columns, "r", "biwa_kept") : ""),
        {{"rows", rows}}));
    return source.Head();
}

}  // namespace biwa
