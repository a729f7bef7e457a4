#include "transform/run/model_diff.h"

#include <fmt/format.h>

#include "base/text.h"
#include "transform/run/engine_error.h"
#include "transform/run/model_history.h"
#include "transform/run/sql_results.h"
#include "transform/run/statements.h"

namespace biwa::transform {

namespace {

const DiffWords kWords{"gone", "new", "before", "after"};

}  // namespace

Result<TableDiff> DiffModel(Warehouse& warehouse, const Action& action,
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
        auto done = CheckIsNoTransaction(sql.sql);
        if (done) done = transaction->Execute(sql.sql);
        if (!done) return tl::unexpected(InFile(std::move(done).error(), action, sql, 0));
    }
    const auto& query = action.full.query;
    auto built = transaction->Execute("CREATE TEMP TABLE biwa_built AS\n" + query.sql);
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
            BIWA_TRY(transaction->Execute(
                fmt::format("CREATE TEMP VIEW biwa_open AS SELECT {} FROM {} WHERE {} IS NULL",
                            Join(columns, ", "), left, kValidTo)));
            left = "temp.biwa_open";
        }
    }
    return CompareTables(*transaction, left, "temp.biwa_built", found_by, kWords);
}

}  // namespace biwa::transform
