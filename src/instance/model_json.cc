#include "instance/model_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"

namespace biwa {

namespace {

using json = nlohmann::ordered_json;

constexpr int kBuildsShown = 20;

json SourcesJson(const std::vector<ColumnSource>& sources) {
    json list = json::array();
    for (const auto& source : sources) {
        list.push_back({{"table", source.table.ToString()},
                        {"column", source.column},
                        {"copied", source.is_copied}});
    }
    return list;
}

std::string DescriptionOf(const transform::Action* action, const std::string& column) {
    if (action == nullptr) return {};
    for (const auto& note : action->columns) {
        if (note.path == std::vector{column}) return note.description;
    }
    return {};
}

json NamesJson(const std::set<TableName>& names) {
    json list = json::array();
    for (const auto& name : names) list.push_back(name.ToString());
    return list;
}

json TextsJson(const std::vector<transform::SqlText>& texts) {
    json list = json::array();
    for (const auto& text : texts) list.push_back(text.sql);
    return list;
}

// The newest builds first, of those that are remembered.
Result<json> BuildsJson(const TableName& table, Warehouse& warehouse) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    json builds = json::array();
    const auto each = [&](std::string_view sql, const auto& use) -> Status {
        const auto rows = BIWA_TRY(session->Query(sql));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            for (std::size_t row = 0; row < block->rows; ++row) use(*block, row);
        }
        return {};
    };
    bool is_there = false;
    bool has_bytes = false;  // what an older version made has not, until something is built
    BIWA_TRY(each(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = '_biwa' AND table_name = "
        "'applied'",
        [&](const RowBlock& block, std::size_t row) {
            is_there = true;
            has_bytes = has_bytes || block.columns[0].GetString(row) == "bytes";
        }));
    if (!is_there) return builds;  // nothing was ever built
    const auto number = [](const Cells& cells, std::size_t row) {
        return cells.IsNull(row) ? json(nullptr) : json(cells.Get<std::int64_t>(row));
    };
    BIWA_TRY(each(
        fmt::format("SELECT run_id, kind, strftime(started_at AT TIME ZONE 'UTC', "
                    "'%Y-%m-%dT%H:%M:%S.%fZ'), epoch_us(finished_at) - epoch_us(started_at), rows, "
                    "{} FROM _biwa.applied WHERE model = {} ORDER BY finished_at DESC LIMIT {}",
                    has_bytes ? "bytes" : "NULL::BIGINT", QuoteLiteral(table.ToString()),
                    kBuildsShown),
        [&](const RowBlock& block, std::size_t row) {
            const auto& columns = block.columns;
            builds.push_back(
                {{"run_id", columns[0].GetString(row)},
                 {"kind", columns[1].GetString(row)},
                 {"at", columns[2].GetString(row)},
                 {"seconds", static_cast<double>(columns[3].Get<std::int64_t>(row)) / 1e6},
                 {"rows", number(columns[4], row)},
                 {"bytes", number(columns[5], row)}});
        }));
    return builds;
}

}  // namespace

Result<std::string> ModelPageJson(const TableName& table, const Project& project,
                                  const transform::CompiledGraph& graph,
                                  const transform::Lineage& lineage, Warehouse& warehouse) {
    const auto* action = graph.Find(table);
    const auto known = lineage.find(table);
    if (action == nullptr && known == lineage.end()) {
        std::vector<std::string> names;
        for (const auto& [name, ignored] : lineage) names.push_back(name.ToString());
        const auto meant = DidYouMean(table.ToString(), names);
        return UserError(fmt::format("there is no model {}", table.ToString()),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    json page = {{"name", table.ToString()},
                 {"type", action == nullptr ? "source" : ToString(action->type)}};
    std::set<TableName> used_by;
    for (const auto& other : graph.actions) {
        if (std::find(other.dependencies.begin(), other.dependencies.end(), table) !=
            other.dependencies.end()) {
            used_by.insert(other.target);
        }
    }
    if (action != nullptr) {
        page["file"] = action->location.file;
        page["description"] = action->description;
        page["tags"] = action->tags;
        page["source"] = nullptr;
        for (const auto& file : project.definitions) {
            if (file.path == action->location.file) page["source"] = file.text;
        }
        page["sql"] = action->full.query.sql;
        page["incremental_sql"] = action->type == transform::ActionType::kIncremental
                                      ? json(action->incremental.query.sql)
                                      : json(nullptr);
        page["pre_operations"] = TextsJson(action->full.pre_operations);
        page["post_operations"] = TextsJson(action->full.post_operations);
        page["operations"] = TextsJson(action->operations);
        page["depends_on"] = NamesJson({action->dependencies.begin(), action->dependencies.end()});
    }
    page["used_by"] = NamesJson(used_by);
    json columns = json::array();
    if (known != lineage.end()) {
        for (const auto& column : known->second.columns) {
            columns.push_back({{"name", column.name},
                               {"type", column.type},
                               {"description", DescriptionOf(action, column.name)},
                               {"sources", SourcesJson(column.sources)},
                               {"used_in", SourcesJson(transform::ColumnsDownstream(
                                               lineage, table, column.name))}});
        }
        page["conditions"] = SourcesJson(known->second.conditions);
        const auto& unknown = known->second.unknown;
        page["lineage_unknown"] = unknown ? json(unknown->message) : json(nullptr);
    }
    page["columns"] = std::move(columns);
    page["builds"] = BIWA_TRY(BuildsJson(table, warehouse));
    return page.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace biwa
