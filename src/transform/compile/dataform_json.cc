#include "transform/compile/dataform_json.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "transform/compile/table_names.h"

namespace biwa::transform {

namespace {

using Json = nlohmann::ordered_json;

void PutText(Json& json, const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
}
void PutTexts(Json& json, const char* key, const std::vector<std::string>& texts) {
    if (!texts.empty()) json[key] = texts;
}
void PutTrue(Json& json, const char* key, bool truth) {
    if (truth) json[key] = true;
}
void PutPairs(Json& json, const char* key, const TextPairs& pairs) {
    for (const auto& [name, value] : pairs) json[key][name] = value;
}
void PutSql(Json& json, const char* key, const std::vector<SqlText>& statements) {
    for (const auto& statement : statements) json[key].push_back(statement.sql);
}

// A google.protobuf.Value; its Struct is an object with "fields".
Json ToValue(const Json& value) {
    if (value.is_string()) return {{"stringValue", value}};
    if (value.is_number()) return {{"numberValue", value}};
    if (value.is_boolean()) return {{"boolValue", value}};
    if (value.is_array()) {
        auto values = Json::array();
        for (const auto& item : value) values.push_back(ToValue(item));
        return {{"listValue", {{"values", std::move(values)}}}};
    }
    if (value.is_object()) {
        Json fields = Json::object();
        for (const auto& [name, item] : value.items()) fields[name] = ToValue(item);
        return {{"structValue", {{"fields", std::move(fields)}}}};
    }
    return {{"nullValue", "NULL_VALUE"}};
}

// A notebook as its author wrote it: without what came of running it.
std::string WithoutOutputs(const std::string& text) {
    auto notebook = Json::parse(text, nullptr, false);
    if (!notebook.is_object()) return text;
    if (notebook.contains("metadata")) notebook["metadata"] = Json::object();
    if (notebook.contains("cells") && notebook["cells"].is_array()) {
        for (auto& cell : notebook["cells"]) {
            if (!cell.is_object()) continue;
            if (cell.contains("outputs")) cell["outputs"] = Json::array();
            if (cell.contains("execution_count")) cell["execution_count"] = nullptr;
            if (cell.contains("metadata")) cell["metadata"] = Json::object();
        }
    }
    return notebook.dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Writer {
  public:
    Writer(const Compilation& compilation, const ModelsConfig& settings)
        : graph_(compilation.graph), errors_(compilation.errors), settings_(settings) {
        for (const auto& action : graph_.actions)
            projects_[action.target] = Project(action.bigquery.project, true);
        for (const auto& action : graph_.not_run)
            projects_[action.target] = Project(action.project, true);
        for (const auto& declaration : graph_.declarations)
            projects_[declaration.target] = Project(declaration.project, false);
    }

    Json Write() {
        Json json;
        json["projectConfig"] = ProjectConfig();
        auto targets = Json::array();
        for (const auto& action : graph_.actions) {
            const bool is_assertion = action.type == ActionType::kAssertion;
            const bool is_operation = action.type == ActionType::kOperations;
            json[is_assertion   ? "assertions"
                 : is_operation ? "operations"
                                : "tables"]
                .push_back(is_assertion   ? Assertion(action)
                           : is_operation ? Operation(action)
                                          : Table(action));
            targets.push_back(Target(action.canonical, Project(action.bigquery.project, false)));
        }
        for (const auto& declaration : graph_.declarations) {
            json["declarations"].push_back(ToJson(declaration));
            targets.push_back(Target(declaration.target));
        }
        for (const auto& test : graph_.tests) {
            json["tests"].push_back(ToJson(test));
            targets.push_back(json["tests"].back()["canonicalTarget"]);
        }
        for (const auto& action : graph_.not_run) {
            json[action.type == "notebook"          ? "notebooks"
                 : action.type == "dataPreparation" ? "dataPreparations"
                                                    : "propertyGraphs"]
                .push_back(ToJson(action));
            targets.push_back(Target(action.canonical, Project(action.project, false)));
        }
        json["targets"] = std::move(targets);
        json["graphErrors"] = Json::object();
        for (const auto& error : errors_) {
            json["graphErrors"]["compilationErrors"].push_back(
                {{"fileName", error.location.file},
                 {"message", error.message},
                 {"stack", error.location.ToString() + ": " + error.message}});
        }
        json["dataformCoreVersion"] = kDataformVersion;
        return json;
    }

  private:
    // The project of a target that says `own`, or says nothing.
    std::string Project(const std::string& own, bool with_suffix) const {
        auto project = own.empty() ? settings_.default_project : own;
        if (with_suffix && !project.empty() && !settings_.project_suffix.empty())
            project += "_" + settings_.project_suffix;
        return project;
    }

    static Json Target(const TableName& name, const std::string& project) {
        Json target = {{"schema", name.dataset}, {"name", name.name}};
        PutText(target, "database", project);
        return target;
    }
    Json Target(const TableName& name) const {
        const auto found = projects_.find(name);
        return Target(name, found == projects_.end() ? Project({}, false) : found->second);
    }
    Json Canonical(const Action& action) const {
        return Target({action.origin_dataset, action.canonical.name},
                      Project(action.origin_project, false));
    }
    Json Targets(const std::vector<TableName>& names) const {
        auto targets = Json::array();
        for (const auto& name : names) targets.push_back(Target(name));
        return targets;
    }

    Json ProjectConfig() const {
        Json config = {{"warehouse", "duckdb"}};
        const auto& s = settings_;
        PutText(config, "defaultDatabase", s.default_project);
        PutText(config, "defaultSchema", s.default_dataset);
        PutText(config, "defaultLocation", s.default_location);
        PutText(config, "assertionSchema", s.assertion_dataset);
        for (const auto& [name, value] : s.vars.all) config["vars"][name] = value;
        PutText(config, "databaseSuffix", s.project_suffix);
        PutText(config, "schemaSuffix", s.dataset_suffix);
        PutText(config, "tablePrefix", s.name_prefix);
        PutText(config, "builtinAssertionNamePrefix", s.assertion_name_prefix);
        PutTrue(config, "disableAssertions", s.disable_assertions);
        PutText(config, "defaultReservation", s.default_reservation);
        PutTrue(config, "includeTestsInCompiledGraph", s.include_tests);
        PutTrue(config, "preserveGovernanceControls", s.preserve_governance_controls);
        if (s.iceberg) {
            auto& iceberg = config["defaultIcebergConfig"] = Json::object();
            PutText(iceberg, "bucketName", s.iceberg->bucket);
            PutText(iceberg, "tableFolderRoot", s.iceberg->folder);
            PutText(iceberg, "tableFolderSubpath", s.iceberg->subfolder);
            PutText(iceberg, "connection", s.iceberg->connection);
        }
        return config;
    }

    Json Common(const Action& action) const {
        Json json = {{"target", Target(action.target)},
                     {"canonicalTarget", Canonical(action)},
                     {"fileName", action.location.file}};
        if (!action.dependencies.empty()) json["dependencyTargets"] = Targets(action.dependencies);
        PutTexts(json, "tags", action.tags);
        PutTrue(json, "disabled", action.disabled);
        const bool is_assertion = action.type == ActionType::kAssertion;
        const bool is_hermetic = action.bigquery.hermetic.value_or(false);
        if (is_hermetic || !is_assertion)
            json["hermeticity"] = is_hermetic ? "HERMETIC" : "NON_HERMETIC";
        auto descriptor = Descriptor(action.description, action.columns);
        const auto& b = action.bigquery;
        PutPairs(descriptor, "bigqueryLabels", b.labels);
        PutText(descriptor, "reservation", b.reservation);
        if (!b.overview.empty()) descriptor["metadata"]["overview"] = b.overview;
        if (!b.extra_properties_json.empty()) {
            descriptor["metadata"]["extraProperties"] =
                ToValue(Json::parse(b.extra_properties_json))["structValue"];
        }
        if (!descriptor.empty()) json["actionDescriptor"] = std::move(descriptor);
        return json;
    }

    static Json Descriptor(const std::string& description, const std::vector<ColumnNote>& columns) {
        Json descriptor = Json::object();
        PutText(descriptor, "description", description);
        for (const auto& column : columns) {
            Json one = {{"path", column.path}};
            PutText(one, "description", column.description);
            PutTexts(one, "tags", column.tags);
            PutTexts(one, "bigqueryPolicyTags", column.policy_tags);
            descriptor["columns"].push_back(std::move(one));
        }
        return descriptor;
    }

    Json Table(const Action& action) const {
        auto json = Common(action);
        const bool is_incremental = action.type == ActionType::kIncremental;
        json["type"] = ToString(action.type);
        json["enumType"] = is_incremental                      ? "INCREMENTAL"
                           : action.type == ActionType::kTable ? "TABLE"
                                                               : "VIEW";
        json["query"] = action.full.query.sql;
        PutSql(json, "preOps", action.full.pre_operations);
        PutSql(json, "postOps", action.full.post_operations);
        PutTrue(json, "materialized", action.bigquery.materialized);
        if (is_incremental) {
            const auto& options = action.incremental_options;
            json["incrementalQuery"] = action.incremental.query.sql;
            PutSql(json, "incrementalPreOps", action.incremental.pre_operations);
            PutSql(json, "incrementalPostOps", action.incremental.post_operations);
            if (action.incremental_where) PutText(json, "where", action.incremental_where->sql);
            PutTexts(json, "uniqueKey", action.unique_key);
            PutTrue(json, "protected", options.is_protected);
            constexpr const char* kChanges[] = {"IGNORE", "FAIL", "EXTEND", "SYNCHRONIZE"};
            const auto change = options.on_schema_change.value_or(OnSchemaChange::kIgnore);
            json["onSchemaChange"] = kChanges[static_cast<int>(change)];
            json["incrementalStrategy"] = !options.strategy ? "INCREMENTAL_STRATEGY_UNSPECIFIED"
                                          : *options.strategy == IncrementalStrategy::kMerge
                                              ? "MERGE"
                                              : "INSERT_OVERWRITE";
        }
        if (auto bigquery = BigQuery(action); !bigquery.empty()) json["bigquery"] = bigquery;
        if (action.history) json["history"] = History(action);
        return json;
    }

    // Biwa's own.
    static Json History(const Action& action) {
        const auto& history = *action.history;
        Json json = Json::object();
        if (!action.RecordsHistory()) {
            PutTexts(json, "uniqueKey", action.unique_key);
            return json;
        }
        PutText(json, "updatedAt", history.updated_at);
        PutTexts(json, "compare", history.compare);
        json["vanished"] = history.keeps_vanished ? "keep" : "close";
        PutTrue(json, "allowEmpty", history.may_be_empty);
        return json;
    }

    Json BigQuery(const Action& action) const {
        const auto& b = action.bigquery;
        Json json = Json::object();
        PutText(json, "partitionBy", b.partition_by);
        PutTexts(json, "clusterBy", b.cluster_by);
        PutPairs(json, "labels", b.labels);
        PutPairs(json, "additionalOptions", b.additional_options);
        if (b.partition_expiration_days != 0)
            json["partitionExpirationDays"] = b.partition_expiration_days;
        PutTrue(json, "requirePartitionFilter", b.require_partition_filter);
        PutTrue(json, "preserveGovernanceControls", b.preserve_governance_controls);
        PutText(json, "updatePartitionFilter", action.incremental_options.update_partition_filter);
        PutTexts(json, "incrementalPredicates", action.incremental_options.predicates);
        if (b.iceberg) {
            const auto defaults = settings_.iceberg.value_or(ModelsConfig::Iceberg());
            const auto choose = [](const std::string& own, const std::string& other,
                                   const std::string& last) {
                return !own.empty() ? own : !other.empty() ? other : last;
            };
            json["connection"] = choose(b.iceberg->connection, defaults.connection, "DEFAULT");
            json["fileFormat"] = "PARQUET";
            json["tableFormat"] = "ICEBERG";
            json["storageUri"] =
                fmt::format("gs://{}/{}/{}", choose(b.iceberg->bucket, defaults.bucket, ""),
                            choose(b.iceberg->folder, defaults.folder, "_dataform"),
                            choose(b.iceberg->subfolder, defaults.subfolder,
                                   action.canonical.dataset + "/" + action.canonical.name));
        }
        return json;
    }

    Json Operation(const Action& action) const {
        auto json = Common(action);
        PutSql(json, "queries", action.operations);
        PutTrue(json, "hasOutput", action.has_output);
        return json;
    }

    Json Assertion(const Action& action) const {
        auto json = Common(action);
        json["query"] = action.full.query.sql;
        if (action.parent) json["parentAction"] = Target(*action.parent);
        return json;
    }

    Json ToJson(const Declaration& declaration) const {
        Json json = {{"target", Target(declaration.target)},
                     {"canonicalTarget", Target(declaration.target)},
                     {"fileName", declaration.location.file}};
        PutTexts(json, "tags", declaration.tags);
        auto descriptor = Descriptor(declaration.description, declaration.columns);
        if (!descriptor.empty()) json["actionDescriptor"] = std::move(descriptor);
        return json;
    }

    // A test's target is called as the test, among the tables of the dataset of what it tests.
    Json ToJson(const UnitTest& test) const {
        const auto* model = graph_.Find(test.model);
        const auto canonical = model ? model->canonical : test.model;
        const TableName name{canonical.dataset, test.name};
        const std::string own = model ? model->bigquery.project : "";
        Json json = {{"name", test.name},
                     {"target", Target(WithAffixes(name, settings_), Project(own, true))},
                     {"canonicalTarget", Target(name, Project(own, false))},
                     {"fileName", test.location.file},
                     {"testQuery", test.query.sql},
                     {"expectedOutputQuery", test.expected.sql}};
        PutTexts(json, "tags", test.tags);
        return json;
    }

    Json ToJson(const NotRunAction& action) const {
        Json json = {{"target", Target(action.target)},
                     {"canonicalTarget", Target(action.canonical, Project(action.project, false))},
                     {"fileName", action.location.file}};
        if (!action.dependencies.empty()) json["dependencyTargets"] = Targets(action.dependencies);
        PutTexts(json, "tags", action.tags);
        PutTrue(json, "disabled", action.disabled);
        if (action.type == "notebook") {
            json["notebookContents"] = WithoutOutputs(action.content);
        } else {
            PutText(json, "query", action.content);
            json["targets"].push_back(json["target"]);
            json["canonicalTargets"].push_back(json["canonicalTarget"]);
        }
        return json;
    }

    const CompiledGraph& graph_;
    const std::vector<FileProblem>& errors_;
    const ModelsConfig& settings_;
    std::map<TableName, std::string> projects_;
};

}  // namespace

std::string ToDataformJson(const Compilation& compilation, const ModelsConfig& settings) {
    // A file that is not UTF-8 must not throw here.
    return Writer(compilation, settings)
               .Write()
               .dump(2, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

}  // namespace biwa::transform
