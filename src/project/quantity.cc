#include "project/quantity.h"

#include <charconv>
#include <limits>

namespace biwa {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"B", 1},           {"kB", 1000},          {"KB", 1000},
                           {"MB", 1'000'000},  {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000},
                           {"KiB", 1LL << 10}, {"MiB", 1LL << 20},    {"GiB", 1LL << 30},
                           {"TiB", 1LL << 40}};

template <std::size_t N>
std::optional<std::int64_t> Parse(std::string_view text, const Unit (&units)[N]) {
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc()) return std::nullopt;
    const auto name = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
    for (const auto& unit : units) {
        if (unit.name != name) continue;
        if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
    const auto value = Parse(text, kDurations);
    if (!value) return std::nullopt;
    return std::chrono::milliseconds(*value);
}

std::optional<std::uint64_t> ParseBytes(std::string_view text) {
    const auto value = Parse(text, kSizes);
    if (!value) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
}

}  // namespace biwa
