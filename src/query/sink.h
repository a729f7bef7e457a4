// Where the rows of a query go while it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/rows.h"
#include "model/table.h"

namespace biwa {

struct QueryStats {
    std::uint64_t rows = 0;
    bool truncated = false;  // there were more than the row limit
    double seconds = 0;
};

// Called by one thread: Begin, then any number of Blocks, then End if all went well. Block may
// wait: the query then waits with it. A failure ends the query with that error.
class ResultSink {
  public:
    virtual ~ResultSink() = default;
    virtual Status Begin(const std::vector<Column>& columns) = 0;
    virtual Status Block(const RowBlock& block) = 0;
    virtual Status End(const QueryStats& stats) = 0;
};

// Where a sink that makes bytes puts them; may wait. The bytes are lent for the call.
using ByteOutput = std::function<Status(std::string_view)>;
// A sink gathers about so much before it calls its output.
inline constexpr std::size_t kOutputBytes = 64 << 10;

}  // namespace biwa
