// When pupils in Japan study: the rhythm of days, weeks, holidays and tests.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace juku {

inline constexpr biwa::Micros kSecond = 1'000'000;
inline constexpr biwa::Micros kHour = 3600 * kSecond;
inline constexpr biwa::Micros kDay = 24 * kHour;
// Asia/Tokyo has had no daylight saving time since 1951.
inline constexpr biwa::Micros kTokyoOffset = 9 * kHour;

// Days since 1970-01-01 of the calendar in Tokyo, and the hour there.
inline std::int32_t TokyoDay(biwa::Micros time) {
    return static_cast<std::int32_t>((time + kTokyoOffset) / kDay);
}
inline int TokyoHour(biwa::Micros time) {
    return static_cast<int>((time + kTokyoOffset) % kDay / kHour);
}

// A national holiday, with the substitute on the Monday behind one that falls on a Sunday. The
// equinoxes are right for the years 1980 to 2099.
bool IsHoliday(std::int32_t day);
// Weekend, national holiday or school vacation: pupils study in the daytime too.
bool IsFreeDay(std::int32_t day);

// How much is studied in the hour that begins at `time`, compared with other hours.
double StudyWeight(biwa::Micros time);

// The school year that the day is in begins on the first of April of this year.
int SchoolYear(std::int32_t day);
// How far the school year has gone, 0 to 1.
double SchoolYearProgress(std::int32_t day);

}  // namespace juku
