// How far a project's streams have got, read from its warehouse while no instance runs.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "instance/engine.h"
#include "project/project.h"
#include "replication/stream_state.h"

namespace biwa {

// By name; without streams that begin anew with the next apply, as they were applied with another
// connection or dataset. Empty where there is no warehouse yet. kConflict when something has the
// project's folder.
Result<std::map<std::string, StreamState>> ReadStreamBooks(const Engine& engine,
                                                           const Project& project);

}  // namespace biwa
