#include "transform/run/selection.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace biwa::transform {

namespace {

bool HasTag(const Action& action, std::string_view tag) {
    return std::find(action.tags.begin(), action.tags.end(), tag) != action.tags.end();
}

// Walks the topological order backwards, so that one pass is enough.
void AddUpstream(const CompiledGraph& graph, std::set<TableName>& targets) {
    for (auto action = graph.actions.rbegin(); action != graph.actions.rend(); ++action) {
        if (targets.contains(action->target))
            targets.insert(action->dependencies.begin(), action->dependencies.end());
    }
}

Result<std::set<TableName>> Match(const CompiledGraph& graph, std::string_view name) {
    std::set<TableName> found;
    std::vector<std::string> known;
    constexpr std::string_view kTag = "tag:";
    const bool is_tag = name.starts_with(kTag);
    for (const auto& action : graph.actions) {
        const bool matches = is_tag
                                 ? HasTag(action, name.substr(kTag.size()))
                                 : action.target.name == name || action.target.ToString() == name;
        if (matches) found.insert(action.target);
        if (is_tag) {
            for (const auto& tag : action.tags) known.push_back(std::string(kTag) + tag);
        } else {
            known.push_back(action.target.name);
            known.push_back(action.target.ToString());
        }
    }
    if (found.empty()) {
        const auto meant = DidYouMean(name, known);
        return UserError(fmt::format("no model is selected by \"{}\"", name),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    return found;
}

}  // namespace

Result<std::set<TableName>> Select(const CompiledGraph& graph,
                                   const std::vector<std::string>& patterns) {
    std::set<TableName> selected;
    for (const auto& pattern : patterns) {
        std::string_view name = pattern;
        const bool with_upstream = name.starts_with('+');
        if (with_upstream) name.remove_prefix(1);
        const bool with_downstream = name.ends_with('+');
        if (with_downstream) name.remove_suffix(1);
        auto found = BIWA_TRY(Match(graph, name));
        const auto downstream = with_downstream ? Downstream(graph, found) : std::set<TableName>();
        if (with_upstream) AddUpstream(graph, found);
        selected.insert(found.begin(), found.end());
        selected.insert(downstream.begin(), downstream.end());
    }
    std::set<TableName> result;
    for (const auto& action : graph.actions) {
        const bool is_in = patterns.empty() || selected.contains(action.target) ||
                           (action.parent && selected.contains(*action.parent));
        if (is_in && !action.disabled) result.insert(action.target);
    }
    return result;
}

std::set<TableName> Downstream(const CompiledGraph& graph, const std::set<TableName>& targets) {
    std::set<TableName> reached;
    for (const auto& action : graph.actions) {
        for (const auto& dependency : action.dependencies) {
            if (targets.contains(dependency) || reached.contains(dependency)) {
                reached.insert(action.target);
                break;
            }
        }
    }
    return reached;
}

}  // namespace biwa::transform
