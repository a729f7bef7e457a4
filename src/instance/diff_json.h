// Differences between two tables, for the API.
#pragma once

#include <string>

#include "transform/run/table_diff.h"

namespace biwa {

std::string DiffJson(const transform::TableDiff& diff);

}  // namespace biwa
