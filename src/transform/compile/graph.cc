#include "transform/compile/graph.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace biwa::transform {

std::string_view ToString(ActionType type) {
    switch (type) {
        case ActionType::kTable:
            return "table";
        case ActionType::kView:
            return "view";
        case ActionType::kIncremental:
            return "incremental";
        case ActionType::kAssertion:
            return "assertion";
        case ActionType::kOperations:
            return "operations";
    }
    return "";
}

std::string_view ToString(Severity severity) {
    return severity == Severity::kWarn ? "warn" : "error";
}

SqlText SqlText::OfLine(std::string_view sql, int line) {
    sql = Trim(sql);
    const auto count = std::count(sql.begin(), sql.end(), '\n') + 1;
    return {std::string(sql), std::vector<int>(static_cast<std::size_t>(count), line)};
}

int SqlText::FileLine(int sql_line) const {
    if (sql_line < 1 || static_cast<std::size_t>(sql_line) > lines.size()) return 0;
    return lines[sql_line - 1];
}

bool Action::MakesTable() const {
    return type == ActionType::kOperations ? has_output : type != ActionType::kAssertion;
}

const Action* CompiledGraph::Find(const TableName& target) const {
    const auto found = std::find_if(actions.begin(), actions.end(),
                                    [&](const Action& action) { return action.target == target; });
    return found == actions.end() ? nullptr : &*found;
}

const Action* CompiledGraph::FindNamed(const TableName& name) const {
    if (const auto* action = Find(name)) return action;
    const auto found = std::find_if(actions.begin(), actions.end(),
                                    [&](const Action& action) { return action.canonical == name; });
    return found == actions.end() ? nullptr : &*found;
}

namespace {

// A walk along dependencies from `start`, among actions that are all part of a cycle or behind
// one, must come back to where it has been.
std::vector<TableName> FindCycle(const std::map<TableName, std::set<TableName>>& waiting) {
    std::vector<TableName> path{waiting.begin()->first};
    for (;;) {
        const auto& next = *waiting.at(path.back()).begin();
        const auto seen = std::find(path.begin(), path.end(), next);
        if (seen != path.end()) {
            path.erase(path.begin(), seen);
            path.push_back(path.front());
            return path;
        }
        path.push_back(next);
    }
}

}  // namespace

tl::expected<std::vector<Action>, std::vector<TableName>> SortByDependencies(
    std::vector<Action> actions) {
    std::map<TableName, std::size_t> places;
    for (std::size_t i = 0; i < actions.size(); ++i) places[actions[i].target] = i;

    std::map<TableName, std::set<TableName>> waiting;  // action -> actions that it waits for
    std::map<TableName, std::vector<std::size_t>> dependents;
    std::set<std::size_t> ready;
    for (std::size_t i = 0; i < actions.size(); ++i) {
        auto& waits_for = waiting[actions[i].target];
        for (const auto& dependency : actions[i].dependencies) {
            if (!places.contains(dependency)) continue;
            waits_for.insert(dependency);
            dependents[dependency].push_back(i);
        }
        if (waits_for.empty()) ready.insert(i);
    }

    std::vector<Action> sorted;
    sorted.reserve(actions.size());
    while (!ready.empty()) {
        const auto next = *ready.begin();
        ready.erase(ready.begin());
        const auto target = actions[next].target;
        for (const auto dependent : dependents[target]) {
            auto& waits_for = waiting[actions[dependent].target];
            waits_for.erase(target);
            if (waits_for.empty()) ready.insert(dependent);
        }
        waiting.erase(target);
        sorted.push_back(std::move(actions[next]));
    }
    if (!waiting.empty()) return tl::unexpected(FindCycle(waiting));
    return sorted;
}

}  // namespace biwa::transform
