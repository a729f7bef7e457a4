// Models as resources of a plan.
#include <fmt/format.h>

#include <set>

#include "base/text.h"
#include "instance/engine.h"
#include "plan/resources.h"

namespace biwa {

namespace {

using transform::Action;
using transform::ActionType;

// What is as it is by itself is no field: it would be news to models that were applied before.
void Put(Resource& resource, const std::string& field, const std::string& value) {
    if (!value.empty()) resource.fields[field] = value;
}

std::string Statements(const std::vector<transform::SqlText>& statements) {
    std::string text;
    for (const auto& statement : statements) text += statement.sql + "\n";
    return text;
}

std::string DurationText(std::chrono::milliseconds duration) {
    return duration.count() % 1000 == 0 ? fmt::format("{}s", duration.count() / 1000)
                                        : fmt::format("{}ms", duration.count());
}

std::string IntervalsText(const transform::Intervals& intervals) {
    auto text = fmt::format("{} from {} every {}", intervals.column, intervals.from,
                            DurationText(intervals.every));
    if (intervals.lookback.count() > 0) text += ", lookback " + DurationText(intervals.lookback);
    if (intervals.batch.count() > 0) text += ", batch " + DurationText(intervals.batch);
    return text;
}

std::string HistoryText(const Action& action) {
    const auto& history = *action.history;
    std::string text = history.compare.empty() ? "of all columns"
                                               : "of the columns " + Join(history.compare, ", ");
    if (!history.updated_at.empty()) text += ", since " + history.updated_at;
    if (history.keeps_vanished) text += ", what vanishes stays open";
    if (history.may_be_empty) text += ", no rows are good";
    return text;
}

std::string ContractText(const Action& action) {
    std::vector<std::string> columns;
    for (const auto& column : action.columns)
        columns.push_back(fmt::format("{} {}", Join(column.path, "."), column.type));
    return Join(columns, ", ");
}

void PutIncremental(Resource& resource, const Action& action) {
    const auto& options = action.incremental_options;
    resource.fields["incremental_sql"] = action.incremental.query.sql;
    if (Statements(action.incremental.pre_operations) != Statements(action.full.pre_operations)) {
        Put(resource, "incremental pre_operations", Statements(action.incremental.pre_operations));
    }
    if (Statements(action.incremental.post_operations) != Statements(action.full.post_operations)) {
        Put(resource, "incremental post_operations",
            Statements(action.incremental.post_operations));
    }
    if (options.strategy) {
        const bool merges = *options.strategy == transform::IncrementalStrategy::kMerge;
        Put(resource, "incrementalStrategy", merges ? "MERGE" : "INSERT_OVERWRITE");
        if (!merges) Put(resource, "partitionBy", action.bigquery.partition_by);
    }
    if (options.on_schema_change) {
        constexpr const char* kNames[] = {"IGNORE", "FAIL", "EXTEND", "SYNCHRONIZE"};
        Put(resource, "onSchemaChange", kNames[static_cast<int>(*options.on_schema_change)]);
    }
    Put(resource, "protected", options.is_protected ? "true" : "");
    Put(resource, "updatePartitionFilter", options.update_partition_filter);
    Put(resource, "incrementalPredicates", Join(options.predicates, " AND "));
    if (action.intervals) Put(resource, "intervals", IntervalsText(*action.intervals));
}

Resource ModelResource(const Action& action) {
    Resource resource;
    resource.kind = "model";
    resource.name = action.target.ToString();
    resource.fields["type"] = transform::ToString(action.type);
    resource.fields["sql"] = action.type == ActionType::kOperations ? Statements(action.operations)
                                                                    : action.full.query.sql;
    Put(resource, "pre_operations", Statements(action.full.pre_operations));
    Put(resource, "post_operations", Statements(action.full.post_operations));
    if (action.type == ActionType::kIncremental) PutIncremental(resource, action);
    Put(resource, "uniqueKey", Join(action.unique_key, ", "));
    if (action.RecordsHistory()) {
        Put(resource, std::string(kHistoryField), HistoryText(action));
    } else if (action.history) {
        Put(resource, "versions", "neighbours that are alike are one");
    }
    if (action.has_contract) Put(resource, "contract", ContractText(action));
    if (action.refresh) Put(resource, "refresh", DurationText(*action.refresh));
    if (action.freshness.warn)
        Put(resource, "freshness.warn", DurationText(*action.freshness.warn));
    if (action.freshness.error)
        Put(resource, "freshness.error", DurationText(*action.freshness.error));
    if (action.severity == transform::Severity::kWarn) Put(resource, "severity", "warn");
    Put(resource, "hasOutput", action.has_output ? "true" : "");
    Put(resource, "disabled", action.disabled ? "true" : "");
    return resource;
}

}  // namespace

std::vector<Resource> DesiredResources(const Project& project,
                                       const transform::CompiledGraph& graph) {
    auto resources = ProjectResources(project);
    std::set<TableName> models;
    for (const auto& action : graph.actions) models.insert(action.target);
    for (const auto& action : graph.actions) {
        auto resource = ModelResource(action);
        for (const auto& needed : action.dependencies) {
            if (models.contains(needed))
                resource.depends_on.push_back("model " + needed.ToString());
        }
        resources.push_back(std::move(resource));
    }
    return resources;
}

}  // namespace biwa
