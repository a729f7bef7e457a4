#include "transform/run/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "transform/run/applied.h"
#include "transform/run/engine_error.h"
#include "transform/run/schema_change.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

enum class Existing { kNothing, kTable, kView };

class ModelBuild {
  public:
    ModelBuild(const BuildContext& context, const Action& action, WriteTransaction& transaction,
               const Cancellation& cancellation)
        : context_(context),
          action_(action),
          transaction_(transaction),
          cancellation_(cancellation),
          target_(action.target.ToSql()) {}

    Result<BuildOutcome> Run() {
        AppliedBuild applied;
        applied.model = action_.target.ToString();
        applied.run_id = context_.run_id;
        applied.started_at = context_.clock.Now();
        applied.kind = ToString(action_.type);
        applied.content_hash = ContentHash(action_);
        if (action_.type == ActionType::kOperations) {
            for (const auto& operation : action_.operations) BIWA_TRY(Execute("", operation));
        } else {
            const bool onto_what_is_there = BIWA_TRY(IsOntoWhatIsThere());
            if (action_.type == ActionType::kIncremental && !onto_what_is_there)
                applied.kind = "incremental, full";
            const auto& build = onto_what_is_there ? action_.incremental : action_.full;
            for (const auto& sql : build.pre_operations) BIWA_TRY(Execute("", sql));
            BIWA_TRY(onto_what_is_there ? Extend() : Replace());
            for (const auto& sql : build.post_operations) BIWA_TRY(Execute("", sql));
            if (!build.post_operations.empty()) outcome_.rows.reset();
            BIWA_TRY(CheckPromises());
        }
        const bool has_rows =
            action_.type == ActionType::kTable || action_.type == ActionType::kIncremental;
        if (has_rows && !outcome_.rows)
            outcome_.rows = BIWA_TRY(ReadCount(transaction_, "SELECT count(*) FROM " + target_));
        applied.rows = outcome_.rows;
        applied.finished_at = context_.clock.Now();
        BIWA_TRY(RecordApplied(transaction_, applied));
        if (cancellation_.requested()) return Cancelled();
        BIWA_TRY(transaction_.Commit());
        return std::move(outcome_);
    }

  private:
    tl::unexpected<Error> Cancelled() const { return UserError("the run was cancelled"); }

    // `head` ends with a line end, or is empty: the model's SQL begins a line of its own.
    Status Execute(const std::string& head, const SqlText& sql, const std::string& tail = {}) {
        if (cancellation_.requested()) return Cancelled();
        auto done = transaction_.Execute(head + sql.sql + tail);
        if (done) return done;
        return InModel(std::move(done).error(), head, sql);
    }

    // CREATE TABLE … AS gives the number of its rows as a result.
    Result<std::uint64_t> CreateTable(const std::string& head, const SqlText& sql) {
        if (cancellation_.requested()) return Cancelled();
        auto rows = ReadCount(transaction_, head + sql.sql);
        if (rows) return rows;
        return InModel(std::move(rows).error(), head, sql);
    }

    tl::unexpected<Error> InModel(Error error, const std::string& head, const SqlText& sql) const {
        const auto lines_before = static_cast<int>(std::count(head.begin(), head.end(), '\n'));
        return tl::unexpected(InFile(std::move(error), action_, sql, lines_before));
    }

    // What is not the model's own SQL, but made of its config.
    Status ExecuteFor(std::string_view doing, const std::string& sql) {
        if (cancellation_.requested()) return Cancelled();
        auto done = transaction_.Execute(sql);
        if (done) return done;
        return Within(fmt::format("{}: {}", action_.location.ToString(), doing),
                      std::move(done).error());
    }

    Result<Existing> FindExisting() {
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

    Result<bool> IsOntoWhatIsThere() {
        if (action_.type != ActionType::kIncremental) return false;
        if (context_.full_refresh && !action_.incremental_options.is_protected) return false;
        return BIWA_TRY(FindExisting()) == Existing::kTable;
    }

    // The new table is filled beside the old one, which readers see until the commit.
    Status Replace() {
        const bool is_view = action_.type == ActionType::kView;
        const auto head =
            fmt::format("CREATE OR REPLACE {} {} AS\n", is_view ? "VIEW" : "TABLE", target_);
        const auto make = [&]() -> Status {
            if (is_view) return Execute(head, action_.full.query);
            outcome_.rows = BIWA_TRY(CreateTable(head, action_.full.query));
            return {};
        };
        if (auto made = make(); !made) {
            // What stood there may be of the other kind. Asking only now spares every other build
            // a look through the catalog; an error of the catalog leaves the transaction good.
            const auto existing = FindExisting();
            if (!existing || *existing != (is_view ? Existing::kTable : Existing::kView))
                return tl::unexpected(std::move(made).error());
            BIWA_TRY(transaction_.Execute(
                fmt::format("DROP {} {}", is_view ? "TABLE" : "VIEW", target_)));
            BIWA_TRY(make());
        }
        return CheckUnique(target_);
    }

    // Adds the rows of the incremental query, as its strategy says.
    Status Extend() {
        const auto rows = std::string(kNewRows);
        const auto* where = action_.incremental_where ? &*action_.incremental_where : nullptr;
        if (where == nullptr) {
            BIWA_TRY(Execute(fmt::format("CREATE OR REPLACE TEMP TABLE {} AS\n", rows),
                             action_.incremental.query));
        } else {
            BIWA_TRY(Execute(fmt::format("CREATE OR REPLACE TEMP TABLE {} AS SELECT * FROM (\n{}\n"
                                         ") AS biwa_rows WHERE (\n",
                                         rows, action_.incremental.query.sql),
                             *where, "\n)"));
        }
        const auto change = BIWA_TRY(ReconcileColumns(
            action_, BIWA_TRY(DescribeColumns(transaction_, target_)),
            BIWA_TRY(DescribeColumns(transaction_, rows))));
        for (const auto& statement : change.statements)
            BIWA_TRY(ExecuteFor("changing the table's columns", statement));
        outcome_.notes = change.notes;

        const auto& options = action_.incremental_options;
        if (options.strategy == IncrementalStrategy::kInsertOverwrite) {
            BIWA_TRY(EmptyPartitions());
        } else if (!action_.unique_key.empty()) {
            BIWA_TRY(EmptyKeys());
        }
        std::vector<std::string> columns;
        for (const auto& column : change.insert) columns.push_back(QuoteIdentifier(column));
        const auto list = Join(columns, ", ");
        BIWA_TRY(ExecuteFor("adding the new rows",
                            fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", target_, list,
                                        list, rows)));
        return transaction_.Execute(fmt::format("DROP TABLE {}", rows));
    }

    // Of the partitions that the new rows hold, and of no others.
    Status EmptyPartitions() {
        return ExecuteFor(
            "partitionBy",
            fmt::format("DELETE FROM {0} USING (SELECT DISTINCT {1} AS biwa_partition FROM {2}) AS "
                        "biwa_partitions WHERE ({1}) IS NOT DISTINCT FROM "
                        "biwa_partitions.biwa_partition",
                        target_, action_.bigquery.partition_by, kNewRows));
    }

    // The conditions speak of the rows that are there as T and of the new ones as S, as they do in
    // Dataform's MERGE.
    Status EmptyKeys() {
        BIWA_TRY(CheckUnique(std::string(kNewRows)));
        std::vector<std::string> matches;
        for (const auto& column : action_.unique_key) {
            matches.push_back(
                fmt::format("T.{0} IS NOT DISTINCT FROM S.{0}", QuoteIdentifier(column)));
        }
        const auto& options = action_.incremental_options;
        if (!options.update_partition_filter.empty())
            matches.push_back("T." + options.update_partition_filter);
        for (const auto& predicate : options.predicates)
            matches.push_back(fmt::format("({})", predicate));
        return ExecuteFor("replacing rows by uniqueKey",
                          fmt::format("DELETE FROM {} AS T USING {} AS S WHERE {}", target_,
                                      kNewRows, Join(matches, " AND ")));
    }

    // A key that comes twice would make a table that no later merge could mend.
    Status CheckUnique(const std::string& table) {
        if (action_.unique_key.empty()) return {};
        std::vector<std::string> columns;
        for (const auto& column : action_.unique_key) columns.push_back(QuoteIdentifier(column));
        const auto key = Join(columns, ", ");
        auto twice = ReadCount(transaction_,
                               fmt::format("SELECT count(*) FROM (SELECT {0} FROM {1} GROUP BY {0} "
                                           "HAVING count(*) > 1)",
                                           key, table));
        if (!twice) {
            return Within(fmt::format("{}: checking uniqueKey", action_.location.ToString()),
                          std::move(twice).error());
        }
        if (*twice == 0) return {};
        return UserError(
            fmt::format("{}: uniqueKey ({}) is not unique: {} of its values come more than once",
                        action_.location.ToString(), Join(action_.unique_key, ", "),
                        HumanCount(static_cast<std::int64_t>(*twice))),
            "Choose other columns for uniqueKey, or let the query give one row for each value "
            "(QUALIFY row_number() OVER (…) = 1).");
    }

    Status CheckPromises() {
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
        return CheckContract(action_, BIWA_TRY(DescribeColumns(transaction_, target_)), promised);
    }

    static constexpr std::string_view kNewRows = "temp.biwa_new_rows";

    const BuildContext& context_;
    const Action& action_;
    WriteTransaction& transaction_;
    const Cancellation& cancellation_;
    const std::string target_;
    BuildOutcome outcome_;
};

}  // namespace

Status PrepareDatasets(Warehouse& warehouse, const CompiledGraph& graph) {
    std::set<std::string> wanted{"_biwa"};
    for (const auto& action : graph.actions) {
        if (action.MakesTable() && !action.disabled) wanted.insert(action.target.dataset);
    }
    auto transaction = BIWA_TRY(warehouse.BeginBeside());
    bool changed = false;
    for (const auto& dataset : wanted) {
        // Even CREATE … IF NOT EXISTS conflicts with another that runs, so it is said only when
        // there is need.
        const auto there = BIWA_TRY(ReadCount(
            *transaction, fmt::format("SELECT count(*) FROM duckdb_schemas() WHERE database_name = "
                                      "current_database() AND lower(schema_name) = lower({})",
                                      QuoteLiteral(dataset))));
        if (there > 0) continue;
        changed = true;
        BIWA_TRY(transaction->Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(dataset)));
    }
    const auto applied = BIWA_TRY(ReadCount(
        *transaction,
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND "
        "schema_name = '_biwa' AND table_name = 'applied'"));
    if (applied == 0) {
        changed = true;
        BIWA_TRY(PrepareApplied(*transaction));
    }
    if (changed) BIWA_TRY(transaction->Commit());
    return {};
}

Result<BuildOutcome> Build(const BuildContext& context, Workbench& bench, const Action& action,
                           Cancellation& cancellation) {
    const auto transaction = BIWA_TRY(bench.Begin());
    const Cancellation::Guard guard(cancellation, [&] { transaction->Interrupt(); });
    return ModelBuild(context, action, *transaction, cancellation).Run();
}

Result<FailingRows> Check(Warehouse& warehouse, const Action& action, Cancellation& cancellation) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const Cancellation::Guard guard(cancellation, [&] { session->Interrupt(); });
    const auto& query = action.full.query;
    const auto locate = [&](Error error) {
        return tl::unexpected(InFile(std::move(error), action, query, 1));
    };
    FailingRows failing;
    // The line ends keep a comment at the query's end to itself.
    auto count = ReadCount(*session, fmt::format("SELECT count(*) FROM (\n{}\n)", query.sql));
    if (!count) return locate(std::move(count).error());
    failing.count = *count;
    if (failing.count == 0) return failing;
    auto sample = session->Query(fmt::format(
        "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n{}\n) LIMIT {}", query.sql, kSampleRows));
    if (!sample) return locate(std::move(sample).error());
    for (const auto& column : (*sample)->columns()) failing.columns.push_back(column.name);
    failing.sample = BIWA_TRY(ReadTexts(**sample));
    return failing;
}

}  // namespace biwa::transform
