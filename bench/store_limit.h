// What the engine alone can store: the limit of a stream's changes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "source/source.h"

namespace biwa::bench {

// Stores the changes from `begin` to `end`, both as the source writes them, in the warehouse's file
// of `folder`, which a stream has copied `table` into. They are read and folded beforehand. What is
// measured is what no system that stores them can leave out, done as DuckDB's manual says: of each
// batch, a DELETE USING of the keys that are stored and have changed, and the rows as they are in
// the end through an appender, in one transaction. Prints changes a second.
void StoreLimit(StreamSource& source, const std::string& folder, const std::string& table,
                const std::string& begin, const std::string& end,
                const std::function<std::uint64_t(const std::string&)>& order_of);

}  // namespace biwa::bench
