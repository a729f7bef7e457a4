// Keeps a stream from filling its source's disk: a source keeps its log until the stream has read
// it, for ever where the stream does not get on.
//
// To stop reading frees nothing. What frees the log is to give up the place in it, and with it the
// changes since; so that is what happens at the upper limit, and only where it is set.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace biwa {

struct LogGuard {
    std::uint64_t warn_bytes = 10'000'000'000;  // 0: never
    std::uint64_t stop_bytes = 0;               // 0: never

    bool warns(std::uint64_t retained) const { return warn_bytes > 0 && retained > warn_bytes; }
    bool stops(std::uint64_t retained) const { return stop_bytes > 0 && retained > stop_bytes; }
    std::string Warning(std::uint64_t retained) const;
    // Of a stream that was given up.
    Error Stopped(std::uint64_t retained) const;
    // Of tables that were being copied beside a stream.
    std::string CopyStopped(std::uint64_t retained) const;
};

}  // namespace biwa
