#include "transform/compile/graph_json.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace biwa::transform {

namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<SqlText>& statements) {
    auto list = Json::array();
    for (const auto& statement : statements) list.push_back(statement.sql);
    return list;
}

void PutBuild(Json& json, const char* key, const BuildSql& build) {
    auto& target = json[key];
    if (!build.pre_operations.empty()) target["pre_operations"] = ToJson(build.pre_operations);
    target["query"] = build.query.sql;
    if (!build.post_operations.empty()) target["post_operations"] = ToJson(build.post_operations);
}

Json ToJson(const Action& action) {
    Json json;
    json["name"] = action.target.ToString();
    json["type"] = ToString(action.type);
    json["file"] = action.location.file;
    json["line"] = action.location.line;
    if (!action.description.empty()) json["description"] = action.description;
    if (!action.tags.empty()) json["tags"] = action.tags;
    for (const auto& column : action.columns)
        json["columns"][Join(column.path, ".")] = column.description;
    if (action.disabled) json["disabled"] = true;
    if (!action.unique_key.empty()) json["unique_key"] = action.unique_key;
    if (action.refresh) json["refresh_seconds"] = action.refresh->count() / 1000.0;
    if (action.parent) json["parent"] = action.parent->ToString();
    auto& dependencies = json["depends_on"] = Json::array();
    for (const auto& dependency : action.dependencies)
        dependencies.push_back(dependency.ToString());
    if (action.type == ActionType::kOperations) {
        if (action.has_output) json["has_output"] = true;
        json["operations"] = ToJson(action.operations);
    } else {
        PutBuild(json, "full", action.full);
    }
    if (action.type == ActionType::kIncremental) PutBuild(json, "incremental", action.incremental);
    return json;
}

}  // namespace

std::string ToJson(const CompiledGraph& graph) {
    Json json;
    auto& actions = json["actions"] = Json::array();
    for (const auto& action : graph.actions) actions.push_back(ToJson(action));
    // A file that is not UTF-8 must not throw here.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace biwa::transform
