// A compilation in the shape of Dataform's CompiledGraph, in protobuf's JSON: what programs that
// read `dataform compile --json` expect. Values that are a field's default are left out.
#pragma once

#include <string>

#include "transform/compile/compile.h"

namespace biwa::transform {

// The version of Dataform whose shape and meaning this follows.
inline constexpr const char* kDataformVersion = "3.0.62";

// Indented by two, with a line end behind it.
std::string ToDataformJson(const Compilation& compilation, const ModelsConfig& settings);

}  // namespace biwa::transform
