// What a project's definitions come to: actions with their SQL, each behind what it depends on.
// Plain data.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/table.h"
#include "project/project.h"

namespace biwa::transform {

enum class ActionType { kTable, kView, kIncremental, kAssertion, kOperations };

std::string_view ToString(ActionType type);

// SQL in the warehouse's dialect, and the file's line that each of its lines came from.
struct SqlText {
    std::string sql;
    std::vector<int> lines;

    // The file's line of the SQL's line (both from 1); 0 when it has none.
    int FileLine(int sql_line) const;
};

// What a build of a model runs, around and inside of it.
struct BuildSql {
    std::vector<SqlText> pre_operations;
    SqlText query;  // one SELECT
    std::vector<SqlText> post_operations;
};

// What a definition says of a column; of a field in a record by its path.
struct ColumnNote {
    std::vector<std::string> path;
    std::string description;
    std::string type;  // what a contract promises, as the engine writes types; may be empty
};

enum class IncrementalStrategy { kMerge, kInsertOverwrite };

// What becomes of a column that the query has and the table has not, or the other way round.
enum class OnSchemaChange { kIgnore, kFail, kExtend, kSynchronize };

// How a kIncremental's rows come onto what is there.
struct IncrementalOptions {
    // Left out: merge where there is a unique key, append where there is none.
    std::optional<IncrementalStrategy> strategy;
    std::optional<OnSchemaChange> on_schema_change;  // left out: the definition does not say
    bool is_protected = false;                       // never built from nothing again
    // Conditions on the rows that are there: only those that meet all may be replaced. At most one
    // of the two is given.
    std::string update_partition_filter;
    std::vector<std::string> predicates;
};

struct BigQueryOptions {
    std::string partition_by;
};

// Of an assertion that finds rows.
enum class Severity { kError, kWarn };
std::string_view ToString(Severity severity);

// How old a model's data may be.
struct Freshness {
    std::optional<std::chrono::milliseconds> warn;
    std::optional<std::chrono::milliseconds> error;
};

struct Action {
    TableName target;
    ActionType type = ActionType::kOperations;
    SourceLocation location;
    std::string description;
    std::vector<std::string> tags;
    std::vector<ColumnNote> columns;
    bool disabled = false;

    // kTable, kView, kIncremental and kAssertion: from nothing.
    BuildSql full;
    // kIncremental: onto what is there.
    BuildSql incremental;
    std::optional<SqlText> incremental_where;  // of the rows that `incremental` brings; a condition
    std::vector<std::string> unique_key;
    IncrementalOptions incremental_options;
    // The table has exactly the columns of `columns`, of their types, or it is not replaced.
    bool has_contract = false;
    Freshness freshness;
    std::optional<std::chrono::milliseconds> refresh;  // the project's, where it says nothing

    // kOperations
    std::vector<SqlText> operations;
    bool has_output = false;  // the operations make `target`

    // kAssertion, of a model's config: the model.
    std::optional<TableName> parent;
    Severity severity = Severity::kError;

    BigQueryOptions bigquery;

    // What it reads or waits for: other actions and tables from elsewhere. Sorted, each once.
    std::vector<TableName> dependencies;

    // A table or view comes of it.
    bool MakesTable() const;
};

struct CompiledGraph {
    std::vector<Action> actions;  // in topological order

    const Action* Find(const TableName& target) const;
};

// Puts every action behind those it depends on, and otherwise keeps the order. Names one cycle as
// "a.x → a.y → a.x" where there are some.
tl::expected<std::vector<Action>, std::vector<TableName>> SortByDependencies(
    std::vector<Action> actions);

}  // namespace biwa::transform
