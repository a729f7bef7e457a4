#include "juku/calendar.h"

#include <gtest/gtest.h>

#include <chrono>

namespace juku {
namespace {

std::int32_t Day(int year, unsigned month, unsigned day) {
    return static_cast<std::int32_t>(std::chrono::sys_days{
        std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}}
                                         .time_since_epoch()
                                         .count());
}
biwa::Micros Tokyo(std::int32_t day, int hour) { return day * kDay + hour * kHour - kTokyoOffset; }

TEST(CalendarTest, KnowsTheHolidaysOf2026) {
    for (const auto& [month, day] : {std::pair{1u, 1u},
                                     {1u, 12u},
                                     {2u, 11u},
                                     {2u, 23u},
                                     {3u, 20u},
                                     {4u, 29u},
                                     {5u, 3u},
                                     {5u, 4u},
                                     {5u, 5u},
                                     {5u, 6u},
                                     {7u, 20u},
                                     {8u, 11u},
                                     {9u, 21u},
                                     {9u, 23u},
                                     {10u, 12u},
                                     {11u, 3u},
                                     {11u, 23u}}) {
        EXPECT_TRUE(IsHoliday(Day(2026, month, day))) << month << "/" << day;
    }
    for (const auto& [month, day] :
         {std::pair{1u, 2u}, {3u, 21u}, {5u, 7u}, {9u, 24u}, {11u, 24u}}) {
        EXPECT_FALSE(IsHoliday(Day(2026, month, day))) << month << "/" << day;
    }
}

TEST(CalendarTest, PupilsStudyInTheEveningOfSchoolDaysAndByDayOnFreeOnes) {
    const auto tuesday = Day(2026, 11, 17), sunday = Day(2026, 11, 15);
    EXPECT_GT(StudyWeight(Tokyo(tuesday, 20)), 8 * StudyWeight(Tokyo(tuesday, 10)));
    EXPECT_GT(StudyWeight(Tokyo(sunday, 10)), StudyWeight(Tokyo(sunday, 20)));
    EXPECT_EQ(StudyWeight(Tokyo(tuesday, 3)), 0);
}

TEST(CalendarTest, NewYearIsQuieterThanTheWeekBeforeTests) {
    EXPECT_LT(StudyWeight(Tokyo(Day(2026, 1, 1), 10)),
              0.4 * StudyWeight(Tokyo(Day(2026, 11, 21), 10)));
}

TEST(CalendarTest, TheSchoolYearBeginsInApril) {
    EXPECT_EQ(SchoolYear(Day(2026, 3, 31)), 2025);
    EXPECT_EQ(SchoolYear(Day(2026, 4, 1)), 2026);
    EXPECT_DOUBLE_EQ(SchoolYearProgress(Day(2026, 4, 1)), 0.0);
    EXPECT_GT(SchoolYearProgress(Day(2027, 3, 31)), 0.99);
}

}  // namespace
}  // namespace juku
