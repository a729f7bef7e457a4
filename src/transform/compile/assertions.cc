#include "transform/compile/assertions.h"

#include <fmt/format.h>

#include "base/text.h"
#include "transform/compile/table_names.h"

namespace biwa::transform {

namespace {

// Keys and conditions are SQL expressions, so they stand as they were written.
std::string UniqueKeySql(const TableName& table, const std::vector<std::string>& key) {
    return fmt::format(
        "SELECT\n  *\nFROM (\n  SELECT\n    {0},\n    COUNT(1) AS index_row_count\n  FROM {1}\n"
        "  GROUP BY {0}\n  ) AS data\nWHERE index_row_count > 1",
        Join(key, ", "), table.ToSql());
}

// A condition that comes to NULL does not fail.
std::string RowConditionsSql(const TableName& table, const std::vector<std::string>& conditions) {
    std::vector<std::string> selects;
    for (const auto& condition : conditions) {
        selects.push_back(
            fmt::format("SELECT\n  {} AS failing_row_condition,\n  *\nFROM {}\nWHERE NOT ({})",
                        QuoteLiteral(condition), table.ToSql(), condition));
    }
    return Join(selects, "\nUNION ALL\n");
}

}  // namespace

std::vector<Action> MakeAssertions(const Action& model, const AssertionsConfig& config,
                                   const ModelsConfig& settings) {
    std::vector<Action> assertions;
    const auto& prefix = settings.assertion_name_prefix;
    const auto add = [&](const std::string& suffix, std::string sql) {
        Action action;
        action.canonical = {settings.assertion_dataset,
                            fmt::format("{}{}_{}_assertions_{}", prefix.empty() ? "" : prefix + "_",
                                        model.canonical.dataset, model.canonical.name, suffix)};
        action.origin_dataset = action.canonical.dataset;
        action.target = WithAffixes(action.canonical, settings);
        action.type = ActionType::kAssertion;
        action.location = model.location;
        action.tags = EachOnce(model.tags);
        action.disabled = model.disabled || settings.disable_assertions;
        action.full.query.sql = std::move(sql);
        action.parent = model.target;
        action.severity = config.severity;
        action.dependencies = {model.target};
        assertions.push_back(std::move(action));
    };
    for (std::size_t i = 0; i < config.unique_keys.size(); ++i) {
        add(fmt::format("uniqueKey_{}", i), UniqueKeySql(model.target, config.unique_keys[i]));
    }
    if (!config.row_conditions.empty())
        add("rowConditions", RowConditionsSql(model.target, config.row_conditions));
    return assertions;
}

}  // namespace biwa::transform
