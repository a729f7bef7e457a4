// A definition's config block, checked.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transform/compile/expression.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

// A table as a definition names it: "answers", "app.answers", {schema: "app", name: "answers"}.
struct TableReference {
    std::size_t offset = 0;
    std::string dataset;  // may be empty
    std::string name;
    // Wait for the assertions on it, too.
    bool with_assertions = false;

    std::string ToString() const { return dataset.empty() ? name : dataset + "." + name; }
};

struct AssertionsConfig {
    std::vector<std::vector<std::string>> unique_keys;
    std::vector<std::string> row_conditions;  // with those of nonNull behind
    Severity severity = Severity::kError;
};

struct DefinitionConfig {
    // Empty: a declaration, which makes nothing.
    std::optional<ActionType> type = ActionType::kOperations;
    std::string name;     // empty: the file's
    std::string dataset;  // empty: the project's
    std::string description;
    std::vector<std::string> tags;
    std::vector<ColumnNote> columns;
    std::vector<std::string> unique_key;
    IncrementalOptions incremental_options;
    std::string partition_by;
    std::optional<Intervals> intervals;
    bool has_contract = false;
    Freshness freshness;
    Severity severity = Severity::kError;
    AssertionsConfig assertions;
    std::vector<TableReference> dependencies;
    bool depends_on_dependency_assertions = false;
    bool disabled = false;
    bool has_output = false;
    std::optional<std::chrono::milliseconds> refresh;
    std::size_t offset = 0;  // of the block
};

// Adds what is wrong to `problems`; the config is then as good as can be.
DefinitionConfig ReadConfig(const Expression& object, const ModelsConfig& settings,
                            std::vector<Problem>& problems);

// A text without placeholders, or with nothing but the project's variables in them.
Parsed<std::string> ReadText(const Expression& expression, const ModelsConfig& settings);

// An argument of ref(): an object with name and schema (or dataset).
Parsed<TableReference> ReadTableObject(const Expression& object, const ModelsConfig& settings);

// The project's variable that `name` means: "dataform.projectConfig.vars.NAME".
Parsed<std::string> ReadVariable(const Expression& name, const ModelsConfig& settings);

}  // namespace biwa::transform
