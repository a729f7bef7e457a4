#include "juku/calendar.h"

#include <array>
#include <chrono>

namespace juku {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year_month_day;

struct CivilDay {
    explicit CivilDay(std::int32_t day) {
        const sys_days date{days{day}};
        const year_month_day civil{date};
        year = static_cast<int>(civil.year());
        month = static_cast<int>(static_cast<unsigned>(civil.month()));
        day_of_month = static_cast<int>(static_cast<unsigned>(civil.day()));
        day_of_week = static_cast<int>(weekday{date}.c_encoding());
    }
    int year, month, day_of_month;
    int day_of_week;  // 0 is Sunday
    bool Is(int m, int d) const { return month == m && day_of_month == d; }
    bool IsNthMonday(int m, int nth) const {
        return month == m && day_of_week == 1 && (day_of_month + 6) / 7 == nth;
    }
};

std::int32_t DayOf(int year, unsigned month, unsigned day) {
    return static_cast<std::int32_t>(
        sys_days{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}}
            .time_since_epoch()
            .count());
}

// Days of March and September; the usual approximation with the tropical year of 365.242194 days.
int Equinox(int year, double day_in_1980) {
    const int since = year - 1980;
    return static_cast<int>(day_in_1980 + 0.242194 * since) - since / 4;
}

bool IsNamedHoliday(const CivilDay& d) {
    return d.Is(1, 1) || d.IsNthMonday(1, 2) || d.Is(2, 11) || d.Is(2, 23) ||
           d.Is(3, Equinox(d.year, 20.8431)) || d.Is(4, 29) || d.Is(5, 3) || d.Is(5, 4) ||
           d.Is(5, 5) || d.IsNthMonday(7, 3) || d.Is(8, 11) || d.IsNthMonday(9, 3) ||
           d.Is(9, Equinox(d.year, 23.2488)) || d.IsNthMonday(10, 2) || d.Is(11, 3) || d.Is(11, 23);
}

bool IsVacation(const CivilDay& d) {
    const int date = d.month * 100 + d.day_of_month;
    return (date >= 721 && date <= 831) || date >= 1225 || date <= 107 ||
           (date >= 325 && date <= 406);
}

// Share of a day's study in each hour.
constexpr std::array<double, 24> kSchoolDay = {0.4, 0.1, 0,   0,   0,   0.2, 0.8, 1.2,
                                               0.5, 0.4, 0.4, 0.4, 0.6, 0.5, 0.7, 2.6,
                                               6.0, 8.2, 7.4, 8.0, 10,  8.6, 4.6, 1.5};
constexpr std::array<double, 24> kFreeDay = {0.5, 0.2, 0,   0,   0,   0.1, 0.6, 1.2,
                                             3.0, 5.6, 6.4, 5.2, 2.6, 4.2, 5.4, 5.4,
                                             4.8, 3.8, 2.8, 3.6, 5.0, 4.6, 2.6, 1.2};

double DayWeight(std::int32_t day) {
    const CivilDay d(day);
    constexpr std::array<double, 7> kWeek = {0.86, 1.0, 1.04, 0.98, 1.0, 0.8, 0.72};
    const int date = d.month * 100 + d.day_of_month;
    if (date >= 1230 || date <= 103) return 0.25;
    if (date >= 813 && date <= 816) return 0.35;  // Obon
    double weight = kWeek[static_cast<std::size_t>(d.day_of_week)];
    if (IsHoliday(day)) weight *= 0.65;
    if (IsVacation(d)) weight *= 0.85;
    // The weeks before mid-term and end-of-term tests of most schools.
    const bool before_tests = (date >= 515 && date <= 525) || (date >= 618 && date <= 630) ||
                              (date >= 1008 && date <= 1018) || (date >= 1115 && date <= 1130) ||
                              (date >= 215 && date <= 228);
    return before_tests ? weight * 1.3 : weight;
}

}  // namespace

bool IsHoliday(std::int32_t day) {
    const CivilDay d(day);
    if (IsNamedHoliday(d)) return true;
    // A holiday on a Sunday is made up for on the next day that is not one itself.
    for (std::int32_t before = day - 1; IsNamedHoliday(CivilDay(before)); --before) {
        if (CivilDay(before).day_of_week == 0) return true;
    }
    return false;
}

bool IsFreeDay(std::int32_t day) {
    const CivilDay d(day);
    return d.day_of_week == 0 || d.day_of_week == 6 || IsVacation(d) || IsHoliday(day);
}

double StudyWeight(biwa::Micros time) {
    const std::int32_t day = TokyoDay(time);
    const auto& hours = IsFreeDay(day) ? kFreeDay : kSchoolDay;
    double sum = 0;
    for (const double hour : hours) sum += hour;
    return DayWeight(day) * hours[static_cast<std::size_t>(TokyoHour(time))] / sum;
}

int SchoolYear(std::int32_t day) {
    const CivilDay d(day);
    return d.month >= 4 ? d.year : d.year - 1;
}

double SchoolYearProgress(std::int32_t day) {
    const int year = SchoolYear(day);
    const std::int32_t first = DayOf(year, 4, 1);
    return static_cast<double>(day - first) / (DayOf(year + 1, 4, 1) - first);
}

}  // namespace juku
