#include "lsp/config_keys.h"

#include <algorithm>
#include <string>

namespace biwa::lsp {

namespace {

using Value = ConfigKey::Value;

const std::vector<ConfigKey>& TopKeys() {
    static const std::vector<ConfigKey> keys = {
        {"type",
         "What the file makes; operations where it is left out.",
         Value::kText,
         {"table", "view", "incremental", "assertion", "operations", "declaration", "test"}},
        {"name", "The table's name; left out: the file's.", Value::kText, {}},
        {"schema", "The dataset; left out: the project's.", Value::kText, {}},
        {"dataset", "The dataset; the same as schema.", Value::kText, {}},
        {"description", "What the table holds, for people.", Value::kText, {}},
        {"tags", "Words to select models by.", Value::kTexts, {}},
        {"columns", "Descriptions of columns, by their names.", Value::kColumns, {}},
        {"uniqueKey",
         "Columns that tell rows apart: new rows take the place of old ones with the "
         "same. Of type incremental.",
         Value::kColumnNames,
         {}},
        {"assertions", "What must hold after each build.", Value::kObject, {}},
        {"dependencies",
         "Tables and assertions to wait for besides those that ref() names.",
         Value::kTables,
         {}},
        {"dependOnDependencyAssertions",
         "Wait for the assertions on all that this depends on, too.",
         Value::kBool,
         {}},
        {"disabled", "Compile it and never run it.", Value::kBool, {}},
        {"hasOutput",
         "The operations make the table that self() names. Of type operations.",
         Value::kBool,
         {}},
        {"dependencyTargets", "The same as dependencies, with objects.", Value::kTables, {}},
        {"protected",
         "Never built from nothing again, not with --full-refresh either. Of type incremental.",
         Value::kBool,
         {}},
        {"incrementalStrategy",
         "How new rows come onto what is there. Left out: MERGE with a uniqueKey, else appended.",
         Value::kText,
         {"MERGE", "INSERT_OVERWRITE"}},
        {"onSchemaChange",
         "What becomes of a column that the query has and the table has not. Of type incremental.",
         Value::kText,
         {"IGNORE", "FAIL", "EXTEND", "SYNCHRONIZE"}},
        {"updatePartitionFilter",
         "A condition on the rows that are there: only those that meet it may be replaced.",
         Value::kText,
         {}},
        {"incrementalPredicates",
         "Conditions on the rows that are there: only those that meet all may be replaced.",
         Value::kTexts,
         {}},
        {"history",
         "A row for each version of a row, with valid_from and valid_to, found by uniqueKey. Of "
         "type "
         "incremental: recorded at each run by comparison; of table and view: the query gives "
         "versions, and neighbours that are alike become one.",
         Value::kObject,
         {}},
        {"intervals",
         "Filled by time range, each once: column, from, every, lookback, batch. Of type "
         "incremental.",
         Value::kObject,
         {}},
        {"contract",
         "The table has exactly the columns of columns, of their types, or it is not replaced.",
         Value::kText,
         {"enforced"}},
        {"freshness", "How old the data may be, while the instance serves.", Value::kObject, {}},
        {"severity",
         "Of type assertion: whether it fails when it finds rows.",
         Value::kText,
         {"error", "warn"}},
        {"preOperations",
         "Statements to run before, in front of those of blocks.",
         Value::kTexts,
         {}},
        {"postOperations",
         "Statements to run after, in front of those of blocks.",
         Value::kTexts,
         {}},
        {"refresh",
         "While the instance serves: rebuilt at most this often, when what it reads has "
         "changed; \"30s\", \"5m\". Of types table and incremental.",
         Value::kText,
         {}},
        {"partitionBy",
         "With INSERT_OVERWRITE: an expression; the partitions that new rows hold are replaced, "
         "whole. "
         "Else kept, and without effect here.",
         Value::kText,
         {}},
        {"database", "The project of BigQuery. Kept, and without effect here.", Value::kText, {}},
        {"project",
         "The project of BigQuery; the same as database. Kept, and without effect here.",
         Value::kText,
         {}},
        {"clusterBy",
         "Columns that BigQuery clusters by. Kept, and without effect here.",
         Value::kColumnNames,
         {}},
        {"labels", "Labels of BigQuery's. Kept, and without effect here.", Value::kObject, {}},
        {"materialized", "A materialized view. Kept, and without effect here.", Value::kBool, {}},
        {"hermetic",
         "Whether it depends on nothing but what it names. Kept, and without effect here.",
         Value::kBool,
         {}},
        {"partitionExpirationDays",
         "How long BigQuery keeps a partition. Kept, and without effect here.",
         Value::kText,
         {}},
        {"requirePartitionFilter",
         "Whether queries of BigQuery must name partitions. Kept, and without effect here.",
         Value::kBool,
         {}},
        {"additionalOptions",
         "Options of BigQuery's tables. Kept, and without effect here.",
         Value::kObject,
         {}},
        {"bigquery",
         "partitionBy, clusterBy, labels and the like in one place. Kept, and without effect here.",
         Value::kObject,
         {}},
        {"iceberg",
         "Where BigQuery keeps an Iceberg table. Kept, and without effect here.",
         Value::kObject,
         {}},
        {"reservation",
         "A reservation of BigQuery's. Kept, and without effect here.",
         Value::kText,
         {}},
        {"metadata",
         "An overview and properties for Dataplex. Kept, and without effect here.",
         Value::kObject,
         {}},
        {"preserveGovernanceControls",
         "Of type table: what BigQuery's policies say stays. Kept, and without effect here.",
         Value::kBool,
         {}},
    };
    return keys;
}

const std::vector<ConfigKey>& AssertionKeys() {
    static const std::vector<ConfigKey> keys = {
        {"uniqueKey",
         "Columns of which no two rows have the same values.",
         Value::kColumnNames,
         {}},
        {"uniqueKeys", "More than one such key: an array of arrays.", Value::kColumnNames, {}},
        {"nonNull", "Columns that are never NULL.", Value::kColumnNames, {}},
        {"rowConditions", "Conditions in SQL that are true of every row.", Value::kTexts, {}},
        {"severity",
         "Whether rows that they find fail or only warn.",
         Value::kText,
         {"error", "warn"}},
    };
    return keys;
}

const std::vector<ConfigKey>& HistoryKeys() {
    static const std::vector<ConfigKey> keys = {
        {"updatedAt",
         "The column that says since when a row is as it is; left out: since the run that finds "
         "it.",
         Value::kColumnNames,
         {}},
        {"compare",
         "The columns of which another value makes a version; left out: all but the key and "
         "updatedAt.",
         Value::kColumnNames,
         {}},
        {"vanished",
         "What becomes of a version whose row the query does not give any more; left out: close.",
         Value::kText,
         {"close", "keep"}},
        {"allowEmpty",
         "A query without rows closes all versions; else it fails the run.",
         Value::kBool,
         {}},
    };
    return keys;
}

const std::vector<ConfigKey>& IntervalKeys() {
    static const std::vector<ConfigKey> keys = {
        {"column", "The date or timestamp that a row's time is.", Value::kColumnNames, {}},
        {"from", "Where the first interval begins, in UTC.", Value::kText, {}},
        {"every", "How long an interval is, such as 1d.", Value::kText, {}},
        {"lookback",
         "How much of what is filled is filled again, for late rows.",
         Value::kText,
         {}},
        {"batch", "How much is filled in one transaction; left out: all.", Value::kText, {}},
    };
    return keys;
}

const std::vector<ConfigKey>& FreshnessKeys() {
    static const std::vector<ConfigKey> keys = {
        {"warn", "Older than this is a warning, such as 10m.", Value::kText, {}},
        {"error", "Older than this is an error, such as 1h.", Value::kText, {}},
    };
    return keys;
}

const std::vector<ConfigKey>& ColumnKeys() {
    static const std::vector<ConfigKey> keys = {
        {"description", "What the column holds, for people.", Value::kText, {}},
        {"type", "The type that a contract promises.", Value::kText, {}},
        {"tags", "Words about the column.", Value::kTexts, {}},
    };
    return keys;
}

const std::vector<ConfigKey>& TableKeys() {
    static const std::vector<ConfigKey> keys = {
        {"name", "The table's name.", Value::kTable, {}},
        {"schema", "Its dataset.", Value::kText, {}},
        {"dataset", "Its dataset; the same as schema.", Value::kText, {}},
        {"includeDependentAssertions", "Wait for the assertions on it, too.", Value::kBool, {}},
    };
    return keys;
}

}  // namespace

std::span<const ConfigKey> ConfigKeysAt(const std::vector<std::string>& path) {
    if (path.empty()) return TopKeys();
    if (path.size() == 1 && path[0] == "assertions") return AssertionKeys();
    if (path.size() == 1 && path[0] == "intervals") return IntervalKeys();
    if (path.size() == 1 && path[0] == "freshness") return FreshnessKeys();
    if (path.size() == 1 && path[0] == "dependencies") return TableKeys();
    if (path.size() == 1 && path[0] == "history") return HistoryKeys();
    if (path.size() == 2 && path[0] == "columns") return ColumnKeys();
    return {};
}

const ConfigKey* FindConfigKey(const std::vector<std::string>& path, std::string_view name) {
    const auto keys = ConfigKeysAt(path);
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [&](const ConfigKey& key) { return key.name == name; });
    return found == keys.end() ? nullptr : &*found;
}

}  // namespace biwa::lsp
