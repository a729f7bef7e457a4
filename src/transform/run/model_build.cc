#include "transform/run/model_build.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "transform/run/engine_error.h"
#include "transform/run/model_history.h"
#include "transform/run/schema_change.h"
#include "transform/run/table_size.h"
#include "transform/run/unique_key.h"

namespace biwa::transform {

tl::unexpected<Error> Cancelled() { return UserError("the run was cancelled"); }

Status ModelBuild::Run() {
    if (action_.type == ActionType::kOperations) {
        for (const auto& operation : action_.operations) BIWA_TRY(Execute("", operation));
        return Finish(std::string(ToString(action_.type)));
    }
    const bool onto_what_is_there = BIWA_TRY(IsOntoWhatIsThere());
    const auto& build = onto_what_is_there ? action_.incremental : action_.full;
    for (const auto& sql : build.pre_operations) BIWA_TRY(Execute("", sql));
    if (action_.RecordsHistory()) {
        BIWA_TRY(Record(build.query, onto_what_is_there));
        BIWA_TRY(After(build));
        return Finish(onto_what_is_there ? "history" : "history, full");
    }
    BIWA_TRY(onto_what_is_there ? Extend() : Replace());
    BIWA_TRY(After(build));
    return Finish(action_.type == ActionType::kIncremental && !onto_what_is_there
                      ? "incremental, full"
                      : std::string(ToString(action_.type)));
}

Result<ModelBuild::RangePlan> ModelBuild::PlanRanges() {
    auto intervals = *action_.intervals;
    RangePlan plan;
    auto found = RangeColumn();
    if (!found && !action_.full.pre_operations.empty()) {
        // What the query reads may be theirs. Nothing of it is committed here.
        for (const auto& sql : action_.full.pre_operations) BIWA_TRY(Execute("", sql));
        found = RangeColumn();
    }
    const auto column = BIWA_TRY(std::move(found));
    plan.is_of_days = column.type == "DATE";
    const auto [from, now] = BIWA_TRY(ReadBounds(column));
    const bool is_there = BIWA_TRY(FindExisting()) == Existing::kTable;
    plan.from_nothing = !BIWA_TRY(IsOntoWhatIsThere());
    if (!plan.from_nothing) {
        auto recorded = BIWA_TRY(ReadIntervals(transaction_, model_));
        BIWA_TRY(CheckColumnIsTheSame(recorded));
        plan.done = std::move(recorded.ranges);
    }
    // A table that is there is replaced as a whole, or readers would see a part of it.
    if (plan.from_nothing && is_there) intervals.batch = std::chrono::milliseconds(0);
    plan.due = DueRanges(intervals, from, plan.done, now);
    plan.due_again = context_.clock.Now() + NextEnd(intervals, from, now) - now;
    // Nothing is due: the table has to be there all the same.
    if (plan.due.empty() && plan.from_nothing) plan.due.push_back({from, from});
    return plan;
}

Result<std::string> ModelBuild::ConditionFromNothing() {
    auto intervals = *action_.intervals;
    intervals.batch = std::chrono::milliseconds(0);
    const auto [from, now] = BIWA_TRY(ReadBounds(BIWA_TRY(RangeColumn())));
    const auto due = DueRanges(intervals, from, {}, now);
    return ConditionOf(due.empty() ? TimeRange{from, from} : due.front());
}

Status ModelBuild::RunRange(const TimeRange& range, bool from_nothing, std::vector<TimeRange>& done,
                            bool is_last) {
    for (const auto& sql : action_.full.pre_operations) BIWA_TRY(Execute("", sql));
    condition_ = BIWA_TRY(ConditionOf(range));
    BIWA_TRY(from_nothing ? Replace() : Extend());
    BIWA_TRY(After(action_.full));
    done.push_back(range);
    done = MergeRanges(std::move(done));
    BIWA_TRY(WriteIntervals(transaction_, model_, {action_.intervals->column, done}));
    if (!is_last) return {};
    return Finish(from_nothing ? "incremental, full" : "incremental");
}

Status ModelBuild::RunNoRange() {
    outcome_.notes.emplace_back("no interval is due");
    return Finish("incremental");
}

Status ModelBuild::After(const BuildSql& build) {
    for (const auto& sql : build.post_operations) BIWA_TRY(Execute("", sql));
    if (!build.post_operations.empty()) outcome_.rows.reset();
    return CheckPromises();
}

Status ModelBuild::Finish(std::string kind) {
    const bool has_rows =
        action_.type == ActionType::kTable || action_.type == ActionType::kIncremental;
    if (has_rows) {
        if (!outcome_.rows)
            outcome_.rows = BIWA_TRY(ReadCount(transaction_, "SELECT count(*) FROM " + target_));
        outcome_.bytes = BIWA_TRY(TableBytes(transaction_, action_.target, *outcome_.rows));
    }
    auto& applied = applied_.emplace();
    applied.model = model_;
    applied.run_id = context_.run_id;
    applied.kind = std::move(kind);
    applied.started_at = started_at_;
    applied.finished_at = context_.clock.Now();
    applied.rows = outcome_.rows;
    applied.bytes = outcome_.bytes;
    applied.content_hash = ContentHash(action_);
    return {};
}

Status ModelBuild::Execute(const std::string& head, const SqlText& sql, const std::string& tail) {
    if (cancellation_.requested()) return Cancelled();
    auto done = transaction_.Execute(head + sql.sql + tail);
    if (done) return done;
    return InModel(std::move(done).error(), head, sql);
}

Result<std::uint64_t> ModelBuild::CreateTable(const std::string& head, const SqlText& sql,
                                              const std::string& tail) {
    if (cancellation_.requested()) return Cancelled();
    auto rows = ReadCount(transaction_, head + sql.sql + tail);
    if (rows) return rows;
    return InModel(std::move(rows).error(), head, sql);
}

tl::unexpected<Error> ModelBuild::InModel(Error error, const std::string& head,
                                          const SqlText& sql) const {
    const auto lines_before = static_cast<int>(std::count(head.begin(), head.end(), '\n'));
    return tl::unexpected(InFile(std::move(error), action_, sql, lines_before));
}

Status ModelBuild::ExecuteFor(std::string_view doing, const std::string& sql) {
    if (cancellation_.requested()) return Cancelled();
    auto done = transaction_.Execute(sql);
    if (done) return done;
    return Within(fmt::format("{}: {}", action_.location.ToString(), doing),
                  std::move(done).error());
}

Result<ModelBuild::Existing> ModelBuild::FindExisting() {
    const auto found = BIWA_TRY(ReadCount(
        transaction_,
        fmt::format("SELECT 1::BIGINT FROM duckdb_tables() WHERE database_name = "
                    "current_database() AND lower(schema_name) = lower({0}) AND "
                    "lower(table_name) = lower({1}) UNION ALL SELECT 2 FROM duckdb_views() "
                    "WHERE database_name = current_database() AND lower(schema_name) = "
                    "lower({0}) AND lower(view_name) = lower({1})",
                    QuoteLiteral(action_.target.dataset), QuoteLiteral(action_.target.name))));
    return found == 1 ? Existing::kTable : found == 2 ? Existing::kView : Existing::kNothing;
}

Result<bool> ModelBuild::IsOntoWhatIsThere() {
    if (action_.type != ActionType::kIncremental) return false;
    if (context_.full_refresh && !action_.incremental_options.is_protected) {
        // What a history was is nowhere else, so it takes a word of its own to end it.
        if (!action_.RecordsHistory() || context_.forget_history) return false;
        outcome_.notes.emplace_back(
            "--full-refresh leaves its history as it is; --forget-history begins it anew");
    }
    return BIWA_TRY(FindExisting()) == Existing::kTable;
}

Status ModelBuild::Record(const SqlText& query, bool onto_what_is_there) {
    const std::string rows(kNewRows);
    BIWA_TRY(Execute(fmt::format("CREATE OR REPLACE TEMP TABLE {} AS\n", rows), query));
    if (!onto_what_is_there) {
        if (BIWA_TRY(FindExisting()) == Existing::kView)
            BIWA_TRY(transaction_.Execute("DROP VIEW " + target_));
        BIWA_TRY(CreateHistory(transaction_, action_, rows));
    }
    for (auto& note : BIWA_TRY(RecordVersions(transaction_, action_, rows, started_at_)))
        outcome_.notes.push_back(std::move(note));
    return transaction_.Execute(fmt::format("DROP TABLE {}", rows));
}

Status ModelBuild::Replace() {
    const bool is_view = action_.type == ActionType::kView;
    const auto head = fmt::format("CREATE OR REPLACE {} {} AS{}\n", is_view ? "VIEW" : "TABLE",
                                  target_, RowsHead());
    const auto make = [&]() -> Status {
        if (is_view) return Execute(head, action_.full.query);
        outcome_.rows = BIWA_TRY(CreateTable(head, action_.full.query, RowsTail()));
        return {};
    };
    if (auto made = make(); !made) {
        // What stood there may be of the other kind. Asking only now spares every other build
        // a look through the catalog; an error of the catalog leaves the transaction good.
        const auto existing = FindExisting();
        if (!existing || *existing != (is_view ? Existing::kTable : Existing::kView))
            return tl::unexpected(std::move(made).error());
        BIWA_TRY(
            transaction_.Execute(fmt::format("DROP {} {}", is_view ? "TABLE" : "VIEW", target_)));
        BIWA_TRY(make());
    }
    // Of versions that the query gives, a key has as many as it likes.
    if (action_.history) return {};
    return CheckUniqueKey(transaction_, action_, target_);
}

Status ModelBuild::Extend() {
    const auto rows = std::string(kNewRows);
    const auto& build = action_.intervals ? action_.full : action_.incremental;
    BIWA_TRY(Execute(fmt::format("CREATE OR REPLACE TEMP TABLE {} AS{}\n", rows, RowsHead()),
                     build.query, RowsTail()));
    const auto change =
        BIWA_TRY(ReconcileColumns(action_, BIWA_TRY(DescribeColumns(transaction_, target_)),
                                  BIWA_TRY(DescribeColumns(transaction_, rows))));
    for (const auto& statement : change.statements)
        BIWA_TRY(ExecuteFor("changing the table's columns", statement));
    outcome_.notes = change.notes;

    const auto& options = action_.incremental_options;
    if (!condition_.empty()) {
        BIWA_TRY(ExecuteFor("emptying the interval",
                            fmt::format("DELETE FROM {} WHERE {}", target_, condition_)));
    } else if (options.strategy == IncrementalStrategy::kInsertOverwrite) {
        BIWA_TRY(EmptyPartitions());
    } else if (!action_.unique_key.empty()) {
        BIWA_TRY(EmptyKeys());
    }
    std::vector<std::string> columns;
    for (const auto& column : change.insert) columns.push_back(QuoteIdentifier(column));
    const auto list = Join(columns, ", ");
    BIWA_TRY(ExecuteFor("adding the new rows", fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}",
                                                           target_, list, list, rows)));
    return transaction_.Execute(fmt::format("DROP TABLE {}", rows));
}

Status ModelBuild::CheckColumnIsTheSame(const RecordedIntervals& recorded) const {
    const auto& column = action_.intervals->column;
    if (recorded.column.empty() || SmallLetters(recorded.column) == SmallLetters(column)) return {};
    return UserError(fmt::format("{}: intervals.column is {}, and what is there was filled by {}",
                                 action_.location.ToString(), column, recorded.column),
                     fmt::format("Build it anew: biwa run --full-refresh --select {}{}", model_,
                                 action_.incremental_options.is_protected
                                     ? ", with `protected: true` taken out for once."
                                     : ""));
}

std::string ModelBuild::RowsTail() const {
    return condition_.empty() ? "" : "\n) AS biwa_rows WHERE " + condition_;
}

Result<TableColumn> ModelBuild::RangeColumn() {
    const auto& name = action_.intervals->column;
    const std::string head = "SELECT * FROM (\n";
    auto columns = DescribeColumns(transaction_, head + action_.full.query.sql + "\n)");
    if (!columns) return InModel(std::move(columns).error(), head, action_.full.query);
    const auto column = std::find_if(columns->begin(), columns->end(), [&](const auto& one) {
        return SmallLetters(one.name) == SmallLetters(name);
    });
    if (column == columns->end() ||
        (column->type != "DATE" && !column->type.starts_with("TIMESTAMP"))) {
        return UserError(
            fmt::format("{}: intervals.column: {} is {}", action_.location.ToString(), name,
                        column == columns->end() ? "no column of the query" : column->type),
            "It has to be a date or a timestamp.");
    }
    return *column;
}

Result<ModelBuild::Bounds> ModelBuild::ReadBounds(const TableColumn& column) {
    const auto& intervals = *action_.intervals;
    const bool is_of_days = column.type == "DATE";
    const auto from = ReadInstant(transaction_, intervals.from, is_of_days);
    if (!from) return Within(action_.location.ToString() + ": intervals.from", from.error());
    if (is_of_days && (*from % kDay != 0 || intervals.every.count() % (kDay / 1000) != 0)) {
        return UserError(
            fmt::format("{}: intervals: {} is a date, which is filled when its day has passed",
                        action_.location.ToString(), column.name),
            "`every` has to be whole days and `from` the beginning of one, in the warehouse's "
            "time zone.");
    }
    // A day has passed when it has in the zone in which moments are cut into days.
    const auto now = context_.clock.Now();
    return Bounds{*from, is_of_days ? BIWA_TRY(ReadWallClock(transaction_, now)) : now};
}

Result<std::string> ModelBuild::ConditionOf(const TimeRange& range) {
    const auto column = BIWA_TRY(RangeColumn());
    const auto bound = [&](Micros at) {
        if (column.type == "TIMESTAMP WITH TIME ZONE")
            return fmt::format("make_timestamptz({})", at);
        return fmt::format("make_timestamp({}){}", at, column.type == "DATE" ? "::DATE" : "");
    };
    return fmt::format("{0} >= {1} AND {0} < {2}", QuoteIdentifier(column.name), bound(range.begin),
                       bound(range.end));
}

Status ModelBuild::EmptyPartitions() {
    return ExecuteFor(
        "partitionBy",
        fmt::format("DELETE FROM {0} USING (SELECT DISTINCT {1} AS biwa_partition FROM {2}) AS "
                    "biwa_partitions WHERE ({1}) IS NOT DISTINCT FROM "
                    "biwa_partitions.biwa_partition",
                    target_, action_.bigquery.partition_by, kNewRows));
}

Status ModelBuild::EmptyKeys() {
    BIWA_TRY(CheckUniqueKey(transaction_, action_, std::string(kNewRows)));
    std::vector<std::string> matches;
    for (const auto& column : action_.unique_key) {
        matches.push_back(fmt::format("T.{0} IS NOT DISTINCT FROM S.{0}", QuoteIdentifier(column)));
    }
    const auto& options = action_.incremental_options;
    if (!options.update_partition_filter.empty())
        matches.push_back("T." + options.update_partition_filter);
    for (const auto& predicate : options.predicates)
        matches.push_back(fmt::format("({})", predicate));
    return ExecuteFor("replacing rows by uniqueKey",
                      fmt::format("DELETE FROM {} AS T USING {} AS S WHERE {}", target_, kNewRows,
                                  Join(matches, " AND ")));
}

Status ModelBuild::CheckPromises() {
    if (!action_.has_contract) return {};
    // "int" and "INTEGER" are one type: the engine says how it writes each.
    std::vector<std::string> selects;
    for (const auto& column : action_.columns)
        selects.push_back(fmt::format("typeof(CAST(NULL AS {}))", column.type));
    const auto stream = transaction_.Query("SELECT " + Join(selects, ", "));
    if (!stream) {
        return Within(fmt::format("{}: the types of the contract", action_.location.ToString()),
                      stream.error());
    }
    std::vector<std::string> promised;
    for (const auto& row : BIWA_TRY(ReadTexts(**stream))) {
        for (const auto& type : row) promised.push_back(*type);
    }
    return CheckContract(action_,
                         WithoutValidity(action_, BIWA_TRY(DescribeColumns(transaction_, target_))),
                         promised);
}

}  // namespace biwa::transform
