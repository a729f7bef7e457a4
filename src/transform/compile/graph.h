// What a project's definitions come to: actions with their SQL, each behind what it depends on.
// Plain data.
//
// The SQL is as the project wrote it, with names of the warehouse in place of placeholders.
// Whatever has to become of it before the engine can run it, a dialect above all, is done by
// PrepareForEngine (prepare.h), between compiling and running, and nowhere else.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
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

    // All of whose lines come from one of the file; without white space around it.
    static SqlText OfLine(std::string_view sql, int line);
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
    std::vector<std::string> tags;
    std::vector<std::string> policy_tags;
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

using TextPairs = std::vector<std::pair<std::string, std::string>>;

// What Dataform's language can say and this engine has no use for (of partition_by it has one with
// kInsertOverwrite). Kept, so that `compile --json` gives it on.
struct BigQueryOptions {
    std::string project;  // of the target, where it is not the project's
    std::string partition_by;
    std::vector<std::string> cluster_by;
    TextPairs labels;
    TextPairs additional_options;
    int partition_expiration_days = 0;
    bool require_partition_filter = false;
    bool preserve_governance_controls = false;
    bool materialized = false;
    struct Iceberg {
        std::string connection;
        std::string bucket;
        std::string folder;
        std::string subfolder;
    };
    std::optional<Iceberg> iceberg;
    std::string reservation;
    std::optional<bool> hermetic;
    std::string overview;  // metadata: { overview, extraProperties }
    std::string extra_properties_json;
};

// Of an assertion that finds rows.
enum class Severity { kError, kWarn };
std::string_view ToString(Severity severity);

// How old a model's data may be.
struct Freshness {
    std::optional<std::chrono::milliseconds> warn;
    std::optional<std::chrono::milliseconds> error;
};

// An incremental model by time range: what of the time since `from` is not in the table yet is
// filled, interval by interval, from the query's rows whose `column` lies in it.
struct Intervals {
    std::string column;
    std::string from;
    std::chrono::milliseconds every{0};
    std::chrono::milliseconds lookback{0};  // filled again each time: rows may come late
    // So much at once, in a transaction of its own; 0: all that is due.
    std::chrono::milliseconds batch{0};
};

// A model whose table has a row for each version of a row, with valid_from and valid_to (NULL:
// still so). A kIncremental compares its query's rows, by unique_key, with the versions that are
// open; of the other types the query gives the versions, and neighbours that are alike become one.
struct ModelHistory {
    // The rest is of kIncremental.
    std::string updated_at;  // the column that says since when a row is so; empty: the run
    std::vector<std::string> compare;  // the columns of which a change counts; none: all
    bool keeps_vanished = false;       // a version whose row the query does not give stays open
    bool may_be_empty = false;         // no rows at all are as good as some
};

// What ModelHistory adds to a table's columns.
inline constexpr std::string_view kValidFrom = "valid_from";
inline constexpr std::string_view kValidTo = "valid_to";

struct Action {
    TableName target;
    // Before the project's suffix and prefix were put to it: what definitions call it.
    TableName canonical;
    // What Dataform calls so: where JavaScript made it, before schema() moved it. For its JSON.
    std::string origin_dataset;
    std::string origin_project;
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
    std::optional<Intervals> intervals;
    std::optional<ModelHistory> history;
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

    // What it reads or waits for: other actions and tables from elsewhere. Sorted, each once.
    std::vector<TableName> dependencies;

    BigQueryOptions bigquery;

    // A table or view comes of it.
    bool MakesTable() const;
    // Its table cannot be made again from what it reads: what it was is nowhere else.
    bool RecordsHistory() const { return history && type == ActionType::kIncremental; }
};

// A table that the project names and something else fills.
struct Declaration {
    TableName target;
    SourceLocation location;
    std::string description;
    std::vector<std::string> tags;
    std::vector<ColumnNote> columns;
    std::string project;  // where it is not the project's
};

// Rows put in place of a table that the tested model reads.
struct UnitTestInput {
    TableName table;  // the model itself: what is there before an incremental build
    SqlText query;
};

// A unit test: the model's query over given rows comes to expected rows. Nothing of it is stored.
struct UnitTest {
    std::string name;
    TableName model;
    SourceLocation location;
    std::vector<std::string> tags;
    bool disabled = false;

    // The model's query, with "(input's query)" where it refers to a table: `full`, or where the
    // model itself is among the inputs its `incremental`, with self() replaced as well.
    SqlText query;
    SqlText expected;  // one SELECT
    std::vector<UnitTestInput> inputs;
    // The inputs hold the model: `query` gives the rows that an incremental build would add to
    // those, or merge with them by the model's unique key, and `expected` what is there afterwards.
    bool is_incremental = false;
};

// Compiled, so that the project holds together, and not run: notebook, dataPreparation,
// propertyGraph.
struct NotRunAction {
    std::string type;
    TableName target;
    TableName canonical;
    SourceLocation location;
    std::vector<std::string> tags;
    bool disabled = false;
    std::vector<TableName> dependencies;
    std::string content;  // the notebook's file or the data preparation's SQL
    std::string project;
};

struct CompiledGraph {
    std::vector<Action> actions;  // in topological order
    std::vector<Declaration> declarations;
    std::vector<UnitTest> tests;
    std::vector<NotRunAction> not_run;
    // What the project says and nothing here does, a sentence each; for people.
    std::vector<std::string> notes;

    const Action* Find(const TableName& target) const;
    // By the name in the warehouse or, where there is none of it, the one that definitions use.
    const Action* FindNamed(const TableName& name) const;
};

// Puts every action behind those it depends on, and otherwise keeps the order. Names one cycle as
// "a.x → a.y → a.x" where there are some.
tl::expected<std::vector<Action>, std::vector<TableName>> SortByDependencies(
    std::vector<Action> actions);

}  // namespace biwa::transform
