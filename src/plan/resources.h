// A project's files as resources of a plan.
#pragma once

#include <vector>

#include "plan/plan.h"
#include "project/project.h"

namespace biwa {

// Connections, streams and dashboards. The models' come from what compiles them.
std::vector<Resource> ProjectResources(const Project& project);

}  // namespace biwa
