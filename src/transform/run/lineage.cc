#include "transform/run/lineage.h"

#include <algorithm>
#include <set>
#include <utility>

#include "transform/run/model_history.h"

namespace biwa::transform {

namespace {

using Columns = std::map<TableName, std::vector<BoundColumn>>;

// The columns of all tables and views of the warehouse.
Result<Columns> ReadColumns(Warehouse& warehouse) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const auto rows = BIWA_TRY(session->Query(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database() ORDER BY 1, 2, column_index"));
    Columns columns;
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return columns;
        for (std::size_t row = 0; row < block->rows; ++row) {
            const auto text = [&](std::size_t column) {
                return std::string(block->columns[column].GetString(row));
            };
            columns[{text(0), text(1)}].push_back({text(2), text(3), {}});
        }
    }
}

}  // namespace

Result<Lineage> ReadLineage(const CompiledGraph& graph, Warehouse& warehouse) {
    const auto shadow = BIWA_TRY(warehouse.MakeShadowSchema());
    const auto there = BIWA_TRY(ReadColumns(warehouse));
    Lineage lineage;
    // As it is in the warehouse, if it is.
    const auto take_over = [&](const TableName& table) -> Status {
        const auto found = there.find(table);
        if (found == there.end()) return {};
        lineage[table].columns = found->second;
        return shadow->Define(table, found->second);
    };
    std::set<TableName> made;
    for (const auto& action : graph.actions) {
        if (action.MakesTable()) made.insert(action.target);
    }
    for (const auto& action : graph.actions) {
        for (const auto& needed : action.dependencies) {
            if (made.contains(needed) || lineage.contains(needed)) continue;
            BIWA_TRY(take_over(needed));
        }
        if (!action.MakesTable()) continue;
        auto& mine = lineage[action.target];
        if (action.type == ActionType::kOperations) {
            mine.unknown = Error{ErrorKind::kUser, "what operations do is not followed", ""};
            BIWA_TRY(take_over(action.target));
            continue;
        }
        auto bound = shadow->Define(action.target, TableSql(action));
        if (bound) {
            mine.columns = std::move(bound->columns);
            mine.conditions = std::move(bound->conditions);
            continue;
        }
        mine.unknown = bound.error();
        BIWA_TRY(take_over(action.target));
    }
    return lineage;
}

std::vector<ColumnSource> ColumnsDownstream(const Lineage& lineage, const TableName& table,
                                            const std::string& column) {
    // Backwards edges, once.
    std::map<std::pair<TableName, std::string>, std::vector<ColumnSource>> readers;
    for (const auto& [target, of_target] : lineage) {
        for (const auto& made : of_target.columns) {
            for (const auto& source : made.sources) {
                readers[{source.table, source.column}].push_back(
                    {target, made.name, source.is_copied});
            }
        }
    }
    std::map<std::pair<TableName, std::string>, bool> found;  // -> copied all the way
    std::vector<std::pair<std::pair<TableName, std::string>, bool>> next = {
        {{table, column}, true}};
    while (!next.empty()) {
        const auto [at, is_copied] = next.back();
        next.pop_back();
        for (const auto& reader : readers[at]) {
            const bool copied = is_copied && reader.is_copied;
            const auto key = std::pair{reader.table, reader.column};
            const auto [known, is_new] = found.emplace(key, copied);
            // A second way on which something is computed may make it less than a copy.
            if (!is_new && known->second == (known->second && copied)) continue;
            known->second = known->second && copied;
            next.emplace_back(key, known->second);
        }
    }
    std::vector<ColumnSource> columns;
    for (const auto& [key, is_copied] : found)
        columns.push_back({key.first, key.second, is_copied});
    return columns;
}

}  // namespace biwa::transform
