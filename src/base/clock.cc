#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace biwa {

std::string ToIso8601(Micros time) {
    constexpr Micros kSecond = 1'000'000;
    Micros micros = time % kSecond;
    std::time_t seconds = time / kSecond;
    if (micros < 0) {
        micros += kSecond;
        --seconds;
    }
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, micros);
}

}  // namespace biwa
