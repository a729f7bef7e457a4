// The warehouse inside the process: one DuckDB file, through the C API.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct DuckDbOptions {
    std::filesystem::path path;            // empty: in memory, for tests
    std::filesystem::path temp_directory;  // empty: beside the file
    std::uint64_t memory_limit_bytes = std::uint64_t{1} << 30;
    int threads = 2;
    std::string time_zone = "UTC";  // of timestamps with time zone where SQL shows or cuts them
    // The log is folded into the file when it has grown to this.
    std::uint64_t checkpoint_bytes = std::uint64_t{128} << 20;
};

// Opens or makes the file. Nothing that runs in it afterwards can reach other files or hosts, load
// extensions or change its configuration.
// kConflict: another process has it open. kUnavailable: the disk is full. kCorrupt: not a DuckDB
// file.
Result<std::unique_ptr<Warehouse>> OpenDuckDb(const DuckDbOptions& options);

}  // namespace biwa
