#include "transform/run/model_diff.h"

#include <fmt/format.h>

#include "base/text.h"
#include "transform/run/builder.h"
#include "transform/run/engine_error.h"
#include "transform/run/model_history.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

const DiffWords kWords{"gone", "new", "before", "after"};

}  // namespace

Result<TableDiff> DiffModel(Warehouse& warehouse, const Clock& clock, const Action& action,
                            const std::vector<std::string>& key, Cancellation& cancellation) {
    if (action.type == ActionType::kAssertion || action.type == ActionType::kOperations) {
        return UserError(fmt::format("{} is of type {}: there is no result to compare",
                                     action.target.ToString(), ToString(action.type)),
                         "Models of type table, view and incremental can be compared.");
    }
    const auto transaction = BIWA_TRY(warehouse.BeginBeside());
    const Cancellation::Guard guard(cancellation, [&] { transaction->Interrupt(); });
    const auto there = BIWA_TRY(ReadCount(
        *transaction,
        fmt::format(
            "SELECT count(*) FROM information_schema.tables WHERE table_catalog = "
            "current_database() AND lower(table_schema) = lower({}) AND lower(table_name) = "
            "lower({})",
            QuoteLiteral(action.target.dataset), QuoteLiteral(action.target.name))));
    if (there == 0) {
        return UserError(fmt::format("{} was not built yet, so there is nothing to compare with",
                                     action.target.ToString()),
                         fmt::format("Build it: biwa run --select {}", action.target.ToString()));
    }
    for (const auto& sql : action.full.pre_operations) {
        auto done = transaction->Execute(sql.sql);
        if (!done) return tl::unexpected(InFile(std::move(done).error(), action, sql, 0));
    }
    const auto& query = action.full.query;
    std::string head = "CREATE TEMP TABLE biwa_built AS\n", tail;
    if (action.intervals) {
        const BuildContext context{warehouse, clock, ""};
        head = "CREATE TEMP TABLE biwa_built AS SELECT * FROM (\n";
        tail = "\n) AS biwa_rows WHERE " +
               BIWA_TRY(ConditionFromNothing(context, *transaction, action, cancellation));
    }
    auto built = transaction->Execute(head + query.sql + tail);
    if (!built) return tl::unexpected(InFile(std::move(built).error(), action, query, 1));
    auto found_by = key.empty() ? action.unique_key : key;
    if (action.history && !action.RecordsHistory() && key.empty())
        found_by.emplace_back(kValidFrom);
    auto left = action.target.ToSql();
    if (action.RecordsHistory()) {
        const auto had = BIWA_TRY(DescribeColumns(*transaction, left));
        std::vector<std::string> columns;
        for (const auto& column : WithoutValidity(action, had))
            columns.push_back(QuoteIdentifier(column.name));
        if (columns.size() + 2 == had.size()) {
            std::string given;
            if (action.history->keeps_vanished) {
                std::vector<std::string> matches;
                for (const auto& name : action.unique_key) {
                    matches.push_back(fmt::format("built.{0} IS NOT DISTINCT FROM there.{0}",
                                                  QuoteIdentifier(name)));
                }
                given = fmt::format(" AND EXISTS (SELECT 1 FROM temp.biwa_built AS built WHERE {})",
                                    Join(matches, " AND "));
            }
            BIWA_TRY(transaction->Execute(fmt::format(
                "CREATE TEMP VIEW biwa_open AS SELECT {} FROM {} AS there WHERE {} IS NULL{}",
                Join(columns, ", "), left, kValidTo, given)));
            left = "temp.biwa_open";
        }
    }
    return CompareTables(*transaction, left, "temp.biwa_built", found_by, kWords);
}

}  // namespace biwa::transform
