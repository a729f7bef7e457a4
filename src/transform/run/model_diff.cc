#include "transform/run/model_diff.h"

#include <fmt/format.h>

#include "transform/run/engine_error.h"

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
    for (const auto& sql : action.full.pre_operations) {
        auto done = transaction->Execute(sql.sql);
        if (!done) return tl::unexpected(InFile(std::move(done).error(), action, sql, 0));
    }
    const auto& query = action.full.query;
    auto built = transaction->Execute("CREATE TEMP TABLE biwa_built AS\n" + query.sql);
    if (!built) return tl::unexpected(InFile(std::move(built).error(), action, query, 1));
    return CompareTables(*transaction, action.target.ToSql(), "temp.biwa_built",
                         key.empty() ? action.unique_key : key, kWords);
}

}  // namespace biwa::transform
