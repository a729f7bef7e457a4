// How large a table's values are.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/table.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// The bytes of the values of a table of `rows` rows, as they are before the engine compresses them:
// numbers and times by the width of their type, texts and all else by the length of their text. Of
// a table of more than 10,000 rows as that of the first 10,000 (500 where there are lists and the
// like), so it is an estimate; that takes a millisecond however large the table is.
//
// What a table takes on disk is told by blocks that hold several tables, only after a checkpoint,
// and depends on what else was written: it says little of what a model made.
Result<std::uint64_t> TableBytes(WriteTransaction& transaction, const TableName& table,
                                 std::uint64_t rows);

}  // namespace biwa::transform
