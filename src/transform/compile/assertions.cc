#include "transform/compile/assertions.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa::transform {

namespace {

// Keys and conditions are SQL expressions, so they stand as they were written.
std::string UniqueKeySql(const TableName& table, const std::vector<std::string>& key) {
    const auto columns = Join(key, ", ");
    return fmt::format(
        "SELECT {0}, count(*) AS index_row_count\nFROM {1}\nGROUP BY {0}\nHAVING count(*) > 1",
        columns, table.ToSql());
}

// A condition that comes to NULL does not fail.
std::string RowConditionsSql(const TableName& table, const std::vector<std::string>& conditions) {
    std::vector<std::string> selects;
    for (const auto& condition : conditions) {
        selects.push_back(
            fmt::format("SELECT {} AS failing_row_condition, *\nFROM {}\nWHERE NOT ({})",
                        QuoteLiteral(condition), table.ToSql(), condition));
    }
    return Join(selects, "\nUNION ALL\n");
}

}  // namespace

std::vector<Action> MakeAssertions(const Action& model, const AssertionsConfig& config,
                                   const std::string& assertion_dataset) {
    std::vector<Action> assertions;
    const auto add = [&](const std::string& suffix, std::string sql) {
        Action action;
        action.target = {assertion_dataset, fmt::format("{}_{}_assertions_{}", model.target.dataset,
                                                        model.target.name, suffix)};
        action.type = ActionType::kAssertion;
        action.location = model.location;
        action.tags = model.tags;
        action.disabled = model.disabled;
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
