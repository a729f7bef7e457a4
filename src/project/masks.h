// The masks of a stream's file.
#pragma once

#include "project/problems.h"
#include "project/project.h"
#include "project/yaml_check.h"

namespace biwa {

// Checks what can be checked without the source, by the stream's `tables` and `exclude`.
void LoadMasks(const Checked& checked, StreamConfig& stream, Problems& problems);

}  // namespace biwa
