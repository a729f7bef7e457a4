// Durations and sizes as people write them in project files.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace biwa {

// A whole number and its unit, nothing else: "500ms", "30s", "5m", "2h", "1d".
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);

// "512MB" (powers of 1000: B, kB, KB, MB, GB, TB) or "4GiB" (powers of 1024: KiB, MiB, GiB, TiB).
std::optional<std::uint64_t> ParseBytes(std::string_view text);

}  // namespace biwa
