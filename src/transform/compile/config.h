// A definition's config block, checked: every key that Dataform knows, and Biwa's own.
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
    std::string project;  // mostly empty; has to be the table's own where it is not
    std::string dataset;  // may be empty
    std::string name;
    // Wait for the assertions on it, too. Nothing: as the definition says for all.
    std::optional<bool> with_assertions = {};

    std::string ToString() const { return dataset.empty() ? name : dataset + "." + name; }
};

struct AssertionsConfig {
    std::vector<std::vector<std::string>> unique_keys;
    std::vector<std::string> row_conditions;  // with those of nonNull behind
    Severity severity = Severity::kError;
};

enum class DefinitionType {
    kTable,
    kView,
    kIncremental,
    kAssertion,
    kOperations,
    kDeclaration,
    kTest,
    kNotebook,
    kDataPreparation,
    kPropertyGraph,
};

std::string_view ToString(DefinitionType type);
// Nothing for one that is no action of the graph: it makes nothing, or is not run here.
std::optional<ActionType> ActionTypeOf(DefinitionType type);
inline bool IsNotRun(DefinitionType type) { return type >= DefinitionType::kNotebook; }

struct DefinitionConfig {
    DefinitionType type = DefinitionType::kOperations;
    std::string name;     // empty: the file's
    std::string dataset;  // empty: the project's
    std::string description;
    std::vector<std::string> tags;
    std::vector<ColumnNote> columns;
    std::vector<std::string> unique_key;
    IncrementalOptions incremental;
    std::optional<Intervals> intervals;
    std::optional<ModelHistory> history;
    bool has_contract = false;
    Freshness freshness;
    Severity severity = Severity::kError;
    BigQueryOptions bigquery;  // with `project`
    AssertionsConfig assertions;
    std::vector<TableReference> dependencies;
    std::vector<std::string> pre_operations;  // in front of those of blocks
    std::vector<std::string> post_operations;
    std::optional<TableReference> tested;  // kTest: the model
    bool depends_on_dependency_assertions = false;
    bool disabled = false;
    bool has_output = false;
    std::optional<std::chrono::milliseconds> refresh;
    std::string filename;  // in actions.yaml: where the SQL is
    // Keys that are kept and mean nothing to the engine, and where the first of each stands.
    std::vector<std::pair<std::string, std::size_t>> unused;
    std::size_t offset = 0;  // of the block
};

// Without those that stand further in front already.
std::vector<std::string> EachOnce(const std::vector<std::string>& texts);

// Where the config stands: a file's block names a type and not the file, an item of actions.yaml
// has its type as its key.
enum class ConfigPlace { kBlock, kActionsYaml };

// Adds what is wrong to `problems`; the config is then as good as can be. `type` is for an object
// that does not say.
DefinitionConfig ReadConfig(const Expression& object, const ModelsConfig& settings,
                            std::vector<Problem>& problems,
                            DefinitionType type = DefinitionType::kOperations,
                            ConfigPlace place = ConfigPlace::kBlock);

// A text without placeholders, or with nothing but the project's variables in them.
Parsed<std::string> ReadText(const Expression& expression, const ModelsConfig& settings);

// An argument of ref(): an object with name, and maybe schema (or dataset) and database (or
// project).
Parsed<TableReference> ReadTableObject(const Expression& object, const ModelsConfig& settings);

// Arguments of ref(), or an array of the same: at most a project, a dataset and a name.
Parsed<TableReference> ReadTableTexts(const std::vector<Expression>& texts, std::size_t offset,
                                      const ModelsConfig& settings);

// What the names of the project's variables begin with.
inline constexpr std::string_view kVariables = "dataform.projectConfig.vars.";
// The project's variable that `name` means: "dataform.projectConfig.vars.NAME".
Parsed<std::string> ReadVariable(const Expression& name, const ModelsConfig& settings);

}  // namespace biwa::transform
