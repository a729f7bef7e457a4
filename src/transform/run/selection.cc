#include "transform/run/selection.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "base/text.h"
#include "transform/run/applied.h"

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

constexpr std::string_view kTag = "tag:";
constexpr std::string_view kPath = "path:";
constexpr std::string_view kState = "state:";

bool MatchesPath(const std::string& file, const std::string& pattern) {
    if (pattern.find('*') != std::string::npos)
        return fnmatch(pattern.c_str(), file.c_str(), 0) == 0;
    const auto folder = pattern.ends_with('/') ? pattern : pattern + "/";
    return file == pattern || file.starts_with(folder);
}

// Matches patterns without "+" against the actions of a graph.
class Matcher {
  public:
    Matcher(const CompiledGraph& graph, const std::map<std::string, std::string>& last_hashes)
        : graph_(graph), last_hashes_(last_hashes) {}

    Result<std::set<TableName>> Match(std::string_view pattern) const {
        if (pattern.starts_with(kState)) return MatchState(pattern);
        std::set<TableName> found;
        for (const auto& action : graph_.actions) {
            if (Matches(action, pattern)) found.insert(action.target);
        }
        if (!found.empty()) return found;
        const auto meant = DidYouMean(pattern, Known(pattern));
        return UserError(fmt::format("no model is selected by \"{}\"", pattern),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }

  private:
    static bool Matches(const Action& action, std::string_view pattern) {
        if (pattern.starts_with(kTag)) return HasTag(action, pattern.substr(kTag.size()));
        if (pattern.starts_with(kPath)) {
            return MatchesPath(action.location.file, std::string(pattern.substr(kPath.size())));
        }
        // With a suffix or prefix of the project's a model has two names: both are good.
        return action.target.name == pattern || action.target.ToString() == pattern ||
               action.canonical.name == pattern || action.canonical.ToString() == pattern;
    }

    // That nothing has changed is a good answer, so an empty one is no error.
    Result<std::set<TableName>> MatchState(std::string_view pattern) const {
        if (pattern != "state:modified") {
            return UserError(fmt::format("no model is selected by \"{}\"", pattern),
                             "Of states there is state:modified.");
        }
        std::set<TableName> found;
        for (const auto& action : graph_.actions) {
            // Nothing is built for an assertion; those of a model come with it.
            if (action.type == ActionType::kAssertion) continue;
            const auto last = last_hashes_.find(action.target.ToString());
            if (last == last_hashes_.end() || last->second != ContentHash(action))
                found.insert(action.target);
        }
        return found;
    }

    std::vector<std::string> Known(std::string_view pattern) const {
        std::vector<std::string> known;
        for (const auto& action : graph_.actions) {
            if (pattern.starts_with(kTag)) {
                for (const auto& tag : action.tags) known.push_back(std::string(kTag) + tag);
            } else if (pattern.starts_with(kPath)) {
                known.push_back(std::string(kPath) + action.location.file);
            } else {
                for (const auto* name : {&action.canonical, &action.target}) {
                    known.push_back(name->name);
                    known.push_back(name->ToString());
                }
            }
        }
        return known;
    }

    const CompiledGraph& graph_;
    const std::map<std::string, std::string>& last_hashes_;
};

}  // namespace

bool SelectionRequest::NeedsHashes() const {
    return std::any_of(patterns.begin(), patterns.end(), [](const auto& pattern) {
        return pattern.find(kState) != std::string::npos;
    });
}

Result<std::set<TableName>> Select(const CompiledGraph& graph, const SelectionRequest& request,
                                   const std::map<std::string, std::string>& last_hashes) {
    const Matcher matcher(graph, last_hashes);
    std::set<TableName> selected;
    for (const auto& pattern : request.patterns) {
        std::string_view name = pattern;
        const bool with_upstream = name.starts_with('+') || request.include_dependencies;
        if (name.starts_with('+')) name.remove_prefix(1);
        const bool with_downstream = name.ends_with('+') || request.include_dependents;
        if (name.ends_with('+')) name.remove_suffix(1);
        auto found = BIWA_TRY(matcher.Match(name));
        const auto downstream = with_downstream ? Downstream(graph, found) : std::set<TableName>();
        if (with_upstream) AddUpstream(graph, found);
        selected.insert(found.begin(), found.end());
        selected.insert(downstream.begin(), downstream.end());
    }
    std::set<TableName> result;
    for (const auto& action : graph.actions) {
        const bool is_in = request.patterns.empty() || selected.contains(action.target) ||
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
