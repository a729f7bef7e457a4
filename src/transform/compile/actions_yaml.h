// definitions/**/actions.yaml: actions whose SQL stands in .sql files.
//
//     actions:
//       - table:
//           filename: daily.sql       from the folder of actions.yaml
//           tags: [nightly]
#pragma once

#include <vector>

#include "transform/compile/config.h"

namespace biwa::transform {

// Adds what is wrong to `problems`, with places in `text`.
std::vector<DefinitionConfig> ReadActionsYaml(std::string_view text, const ModelsConfig& settings,
                                              std::vector<Problem>& problems);

}  // namespace biwa::transform
