// A compiled graph as JSON: what `biwa compile --json` prints and the goldens hold.
#pragma once

#include <string>

#include "transform/compile/graph.h"

namespace biwa::transform {

// Indented by two, with a line end behind it.
std::string ToJson(const CompiledGraph& graph);

}  // namespace biwa::transform
