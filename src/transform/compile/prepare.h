// From what a project compiled to, to what the engine runs: the only step in between.
//
// A dialect other than the warehouse's own is translated here, action by action, so that compiling
// knows nothing of it and running sees only SQL that the engine speaks.
#pragma once

#include "transform/compile/graph.h"

namespace biwa::transform {

// Folds incremental_where into the incremental query, and lets neighbours that are alike become one
// where a table or view is a history.
CompiledGraph PrepareForEngine(CompiledGraph graph);

}  // namespace biwa::transform
