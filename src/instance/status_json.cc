#include "instance/status_json.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

using json = nlohmann::ordered_json;

json ErrorOrNull(const std::optional<Error>& error) {
    if (!error) return nullptr;
    return {{"kind", ToString(error->kind)},
            {"message", error->message},
            {"hint", error->hint.empty() ? json(nullptr) : json(error->hint)}};
}

json TimeOrNull(Micros time) { return time == 0 ? json(nullptr) : json(ToIso8601(time)); }

json ComparisonJson(const TableComparison& result) {
    json keys = json::array();
    for (const auto& row : result.keys) {
        keys.push_back({{"key", row.key}, {"difference", ToString(row.difference)}});
    }
    return {{"source", result.source},       {"outcome", ToString(result.outcome)},
            {"reason", result.reason},       {"at", TimeOrNull(result.at)},
            {"seconds", result.seconds},     {"rows", result.rows},
            {"missing", result.missing},     {"extra", result.extra},
            {"different", result.different}, {"changing", result.changing},
            {"repaired", result.repaired},   {"keys", std::move(keys)}};
}

json ReconciliationJson(const Reconciliation& reconciliation) {
    json results = json::array();
    for (const auto& result : reconciliation.results) results.push_back(ComparisonJson(result));
    return {{"running", reconciliation.is_running},
            {"repairing", reconciliation.is_repairing},
            {"keys_read_anew", reconciliation.keys_read_anew},
            {"table", reconciliation.table},
            {"tables_done", reconciliation.tables_done},
            {"tables", reconciliation.tables},
            {"parts_done", reconciliation.parts_done},
            {"parts", reconciliation.parts},
            {"error", reconciliation.error},
            {"last_run", reconciliation.last_run},
            {"results", std::move(results)}};
}

json StreamJson(const StreamStatus& stream, const InstanceFacts& facts) {
    const auto& config = facts.project->streams;
    const auto found = config.find(stream.name);
    const auto connection = found == config.end() ? "" : found->second.connection;
    const auto dataset = found == config.end() ? "" : found->second.dataset;
    const auto kind = facts.project->connections.contains(connection)
                          ? facts.project->connections.at(connection).kind
                          : "";
    json history = json::array();
    for (const auto& point : stream.history) {
        history.push_back({{"at", ToIso8601(point.at)},
                           {"changes_per_s", point.changes_per_s},
                           {"lag_seconds", point.lag_seconds}});
    }
    json errors = json::object();
    for (std::size_t number = 0; number < stream.errors.size(); ++number) {
        errors[std::string(ToString(static_cast<ErrorKind>(number)))] = stream.errors[number];
    }
    json tables = json::array();
    for (const auto& table : stream.tables) {
        const auto rows = facts.rows.find({dataset, table.name});
        auto notes = table.notes;
        if (!table.reason.empty()) notes.insert(notes.begin(), table.reason);
        tables.push_back({{"name", table.name},
                          {"source", table.source},
                          {"state", ToString(table.state)},
                          {"rows", rows == facts.rows.end() ? json(nullptr) : json(rows->second)},
                          {"rows_copied", table.rows_copied},
                          {"rows_estimate", table.rows_estimate},
                          {"last_change_at", TimeOrNull(table.last_change_at)},
                          {"masks", table.masks},
                          {"notes", std::move(notes)}});
    }
    return {{"name", stream.name},
            {"connection", connection},
            {"source", kind},
            {"dataset", dataset},
            {"state", ToString(stream.state)},
            {"error", ErrorOrNull(stream.error)},
            {"warning", stream.warning.empty() ? json(nullptr) : json(stream.warning)},
            {"lag_bytes", stream.lag_bytes},
            {"lag_seconds", stream.lag_seconds},
            {"retained_bytes", stream.retained_bytes},
            {"position", stream.position},
            {"committed_at", TimeOrNull(stream.commit_time)},
            {"changes_total", stream.changes_total},
            {"changes_per_s", stream.changes_per_s},
            {"rows_total", stream.rows_total},
            {"rows_per_s", stream.rows_per_s},
            {"commits_total", stream.commits.total},
            {"batch",
             {{"changes", stream.commits.changes},
              {"bytes", stream.commits.bytes},
              {"seconds", stream.commits.seconds}}},
            {"queue", {{"bytes", stream.queue_bytes}, {"bytes_max", stream.queue_bytes_max}}},
            {"errors_total", std::move(errors)},
            {"unrepresentable_values", stream.unrepresentable},
            {"history", std::move(history)},
            {"tables", std::move(tables)},
            {"reconciliation", ReconciliationJson(stream.reconciliation)}};
}

json SampleJson(const transform::FailingRows& failing) {
    json rows = json::array();
    for (const auto& row : failing.sample) {
        auto& values = rows.emplace_back(json::array());
        for (const auto& value : row) values.push_back(value ? json(*value) : json(nullptr));
    }
    return {{"columns", failing.columns}, {"rows", std::move(rows)}};
}

json FreshnessJson(const workflow::ModelStatus& model, const InstanceFacts& facts) {
    const auto found = facts.freshness.find(model.name);
    if (found == facts.freshness.end()) return nullptr;
    const auto& freshness = found->second;
    const auto limit = [](const std::optional<std::chrono::milliseconds>& of) {
        return of ? json(static_cast<double>(of->count()) / 1000) : json(nullptr);
    };
    return {{"state", ToString(freshness.state)},
            {"as_of", TimeOrNull(freshness.as_of.value_or(0))},
            {"age_seconds", freshness.as_of ? json(freshness.age_seconds) : json(nullptr)},
            {"warn_seconds", limit(model.freshness.warn)},
            {"error_seconds", limit(model.freshness.error)}};
}

json ModelJson(const workflow::ModelStatus& model, const InstanceFacts& facts) {
    json assertions = json::array();
    for (const auto& assertion : model.assertions) {
        assertions.push_back({{"name", assertion.name},
                              {"severity", ToString(assertion.severity)},
                              {"state", ToString(assertion.state)},
                              {"failing_rows", assertion.failing.count},
                              {"sample", SampleJson(assertion.failing)},
                              {"error", ErrorOrNull(assertion.error)}});
    }
    json depends_on = json::array();
    for (const auto& needed : model.depends_on) depends_on.push_back(needed.ToString());
    return {{"name", model.name.ToString()},
            {"type", transform::ToString(model.type)},
            {"file", model.file},
            {"description", model.description},
            {"tags", model.tags},
            {"state", ToString(model.state)},
            {"last_run_at", TimeOrNull(model.last_run_at.value_or(0))},
            {"seconds", model.seconds},
            {"rows", model.rows ? json(*model.rows) : json(nullptr)},
            {"bytes", model.bytes ? json(*model.bytes) : json(nullptr)},
            {"error", ErrorOrNull(model.error)},
            {"notes", model.notes},
            {"failing_rows", model.failing.count},
            {"sample", SampleJson(model.failing)},
            {"refresh_seconds", model.refresh_seconds},
            {"fresh_as_of", TimeOrNull(model.fresh_as_of.value_or(0))},
            {"freshness", FreshnessJson(model, facts)},
            {"depends_on", std::move(depends_on)},
            {"assertions", std::move(assertions)}};
}

json ActionJson(const transform::ActionResult& action) {
    return {{"name", action.target.ToString()},
            {"type", transform::ToString(action.type)},
            {"state", ToString(action.state)},
            {"seconds", action.seconds},
            {"rows", action.rows ? json(*action.rows) : json(nullptr)},
            {"bytes", action.bytes ? json(*action.bytes) : json(nullptr)},
            {"severity", ToString(action.severity)},
            {"failing_rows", action.failing.count},
            {"sample", SampleJson(action.failing)},
            {"notes", action.notes},
            {"error", ErrorOrNull(action.error)}};
}

std::string Text(const Cells& cells, std::size_t row) {
    return cells.IsNull(row) ? std::string() : std::string(cells.GetString(row));
}

template <typename Each>
Status ForEachRow(ReadSession& session, const std::string& sql, const Each& each) {
    const auto rows = BIWA_TRY(session.Query(sql));
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return {};
        for (std::size_t row = 0; row < block->rows; ++row) each(block->columns, row);
    }
}

}  // namespace

void MeasureProcess(InstanceFacts& facts) {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t all = 0, resident = 0;
    statm >> all >> resident;
    facts.resident_bytes = resident * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    facts.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

std::string StatusJson(const InstanceFacts& facts) {
    const auto& project = *facts.project;
    json streams = json::array();
    for (const auto& stream : facts.streams) streams.push_back(StreamJson(stream, facts));
    json models = json::array();
    for (const auto& model : facts.models) models.push_back(ModelJson(model, facts));
    json dashboards = json::array();
    for (const auto& [name, dashboard] : project.dashboards) {
        dashboards.push_back({{"name", name}, {"title", dashboard.title}});
    }
    std::error_code outside;
    auto path = std::filesystem::relative(project.warehouse.path, project.root, outside);
    if (outside) path = project.warehouse.path;
    const json status = {
        {"version", facts.version},
        {"project", project.name},
        {"environment", project.environment},
        {"started_at", ToIso8601(facts.started_at)},
        {"process", {{"rss_bytes", facts.resident_bytes}, {"cpu_seconds", facts.cpu_seconds}}},
        {"warehouse", {{"path", path.string()}, {"bytes", facts.warehouse_bytes}}},
        {"streams", std::move(streams)},
        {"models", std::move(models)},
        {"dashboards", std::move(dashboards)}};
    return status.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string FailingRowsJson(const transform::FailingRows& failing) {
    return SampleJson(failing).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string ModelRunJson(const transform::ActionResult& result) {
    return ActionJson(result).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string RunJson(const transform::RunResult& result) {
    json models = json::array();
    for (const auto& action : result.actions) models.push_back(ActionJson(action));
    const json answer = {
        {"ok", result.ok()}, {"run_id", result.run_id}, {"models", std::move(models)}};
    return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::map<TableName, std::int64_t>> CountTables(Warehouse& warehouse) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    std::vector<TableName> names;
    BIWA_TRY(ForEachRow(*session,
                        "SELECT schema_name, table_name FROM duckdb_tables() "
                        "WHERE database_name = current_database() AND NOT internal AND schema_name "
                        "<> '_biwa' ORDER BY 1, 2",
                        [&](const std::vector<Cells>& columns, std::size_t row) {
                            TableName name{Text(columns[0], row), Text(columns[1], row)};
                            if (!IsBesideTable(name.name)) names.push_back(std::move(name));
                        }));
    std::map<TableName, std::int64_t> counts;
    std::string sql;
    for (std::size_t i = 0; i < names.size(); ++i) {
        sql += fmt::format("{}SELECT {} AS place, count(*) AS rows FROM {}",
                           i == 0 ? "" : " UNION ALL ", i, names[i].ToSql());
    }
    if (names.empty()) return counts;
    // A table may go while they are counted: then the counts are those of the next time.
    BIWA_TRY(ForEachRow(*session, sql, [&](const std::vector<Cells>& columns, std::size_t row) {
        const auto place = static_cast<std::size_t>(columns[0].Get<std::int32_t>(row));
        counts[names.at(place)] = columns[1].Get<std::int64_t>(row);
    }));
    return counts;
}

Result<std::string> CatalogJson(Warehouse& warehouse, const std::map<TableName, std::int64_t>& rows,
                                const transform::CompiledGraph& graph) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    std::map<TableName, json> tables;
    std::map<std::string, std::vector<TableName>> datasets;
    BIWA_TRY(ForEachRow(
        *session,
        "SELECT schema_name, table_name, 'table' FROM duckdb_tables() "
        "WHERE database_name = current_database() AND NOT internal AND schema_name <> '_biwa' "
        "UNION ALL SELECT schema_name, view_name, 'view' FROM duckdb_views() "
        "WHERE database_name = current_database() AND NOT internal AND schema_name <> '_biwa' "
        "ORDER BY 1, 2",
        [&](const std::vector<Cells>& columns, std::size_t row) {
            const TableName name{Text(columns[0], row), Text(columns[1], row)};
            if (IsBesideTable(name.name)) return;
            const auto count = rows.find(name);
            const auto* model = graph.Find(name);
            tables[name] = {{"name", name.name},
                            {"kind", Text(columns[2], row)},
                            {"rows", count == rows.end() ? json(nullptr) : json(count->second)},
                            {"description", model != nullptr && !model->description.empty()
                                                ? json(model->description)
                                                : json(nullptr)},
                            {"columns", json::array()}};
            datasets[name.dataset].push_back(name);
        }));
    BIWA_TRY(ForEachRow(
        *session,
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal AND schema_name <> '_biwa' "
        "ORDER BY 1, 2, column_index",
        [&](const std::vector<Cells>& columns, std::size_t row) {
            const TableName name{Text(columns[0], row), Text(columns[1], row)};
            const auto found = tables.find(name);
            if (found == tables.end()) return;
            const auto column = Text(columns[2], row);
            json description = nullptr;
            if (const auto* model = graph.Find(name)) {
                for (const auto& note : model->columns) {
                    if (note.path == std::vector{column}) description = note.description;
                }
            }
            found->second["columns"].push_back({{"name", column},
                                                {"type", Text(columns[3], row)},
                                                {"description", std::move(description)}});
        }));
    json list = json::array();
    for (const auto& [dataset, names] : datasets) {
        json of_dataset = json::array();
        for (const auto& name : names) of_dataset.push_back(tables[name]);
        list.push_back({{"name", dataset}, {"tables", std::move(of_dataset)}});
    }
    const json catalog = {{"datasets", std::move(list)}};
    return catalog.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace biwa
