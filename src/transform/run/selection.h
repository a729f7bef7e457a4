// Which actions of a project a run is about.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

struct SelectionRequest {
    // Each one of
    //   daily, mart.daily      a name
    //   tag:nightly            all that have the tag
    //   path:definitions/marts all that are defined in that file or folder; * stands for anything
    //   state:modified         all whose definition is not what was built last, or never was
    // with "+" before it for all that it reads and behind it for all that reads it. None: all.
    std::vector<std::string> patterns;
    bool include_dependencies = false;  // "+" before each
    bool include_dependents = false;    // "+" behind each

    bool NeedsHashes() const;
};

// The assertions of a selected model's config come with it. Disabled actions are never in it.
// `last_hashes`: by "dataset.name", the ContentHash (applied.h) of what was built last; looked at
// for state:modified only.
Result<std::set<TableName>> Select(const CompiledGraph& graph, const SelectionRequest& request,
                                   const std::map<std::string, std::string>& last_hashes = {});

// All that reads or waits for one of `targets`, over any number of steps, and not they themselves.
// The targets may be tables from elsewhere.
std::set<TableName> Downstream(const CompiledGraph& graph, const std::set<TableName>& targets);

}  // namespace biwa::transform
