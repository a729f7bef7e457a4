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

struct Action {
    TableName target;
    ActionType type = ActionType::kOperations;
    SourceLocation location;
    std::string description;
    std::vector<std::string> tags;
    std::vector<std::pair<std::string, std::string>> columns;  // name and description
    bool disabled = false;

    // kTable, kView, kIncremental and kAssertion: from nothing.
    BuildSql full;
    // kIncremental: onto what is there.
    BuildSql incremental;
    std::vector<std::string> unique_key;
    std::optional<std::chrono::milliseconds> refresh;  // the project's, where it says nothing

    // kOperations
    std::vector<SqlText> operations;
    bool has_output = false;  // the operations make `target`

    // kAssertion, of a model's config: the model.
    std::optional<TableName> parent;

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
