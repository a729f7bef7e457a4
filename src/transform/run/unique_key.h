// uniqueKey: columns by which a row is found again.
#pragma once

#include <string>

#include "base/result.h"
#include "transform/compile/graph.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// Whether no two rows of `table` (as SQL names it) have the same values in the action's unique_key;
// NULL is equal to NULL. The error names one that comes more than once. Nothing without a key.
Status CheckUniqueKey(WriteTransaction& transaction, const Action& action,
                      const std::string& table);

// "id = 7, name = NULL", of a row of texts from `first` on.
std::string KeyText(const Action& action, const std::vector<std::optional<std::string>>& row,
                    std::size_t first);

}  // namespace biwa::transform
