#include "transform/run/intervals.h"

#include <gtest/gtest.h>

namespace biwa::transform {
namespace {

using namespace std::chrono_literals;
using Ranges = std::vector<TimeRange>;

constexpr Micros kHour = Micros{3600} * 1'000'000;

// In hours.
Ranges Hours(const std::vector<std::pair<int, int>>& hours) {
    Ranges ranges;
    for (const auto& [begin, end] : hours) ranges.push_back({begin * kHour, end * kHour});
    return ranges;
}

TEST(MergeRangesTest, MakesThoseThatTouchOne) {
    EXPECT_EQ(MergeRanges(Hours({{5, 6}, {0, 2}, {2, 3}, {1, 2}, {7, 7}})),
              Hours({{0, 3}, {5, 6}}));
    EXPECT_EQ(MergeRanges({}), Ranges());
}

TEST(DueRangesTest, FillsWhatIsMissingInBatches) {
    Intervals intervals{"at", "", 1h, 0h, 3h};
    // The hour that is not over yet is left for later.
    EXPECT_EQ(DueRanges(intervals, 0, {}, 7 * kHour + 5), Hours({{0, 3}, {3, 6}, {6, 7}}));
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 2}, {3, 4}}), 7 * kHour), Hours({{2, 3}, {4, 7}}));
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 7}}), 7 * kHour), Ranges());
    // A beginning that was moved back is a range that is missing.
    EXPECT_EQ(DueRanges(intervals, -2 * kHour, Hours({{0, 7}}), 7 * kHour), Hours({{-2, 0}}));
    EXPECT_EQ(DueRanges(intervals, 9 * kHour, {}, 7 * kHour), Ranges());
    EXPECT_EQ(DueRanges(intervals, 0, {}, kHour - 1), Ranges());
}

TEST(DueRangesTest, LooksBackForRowsThatCameLate) {
    Intervals intervals{"at", "", 1h, 90min, 24h};
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 7}}), 8 * kHour), Hours({{6, 8}}));
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 8}}), 8 * kHour), Hours({{6, 8}}));
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 1}, {2, 8}}), 8 * kHour), Hours({{1, 2}, {6, 8}}));
    // Not before the beginning.
    intervals.lookback = 100h;
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 8}}), 8 * kHour), Hours({{0, 8}}));
}

TEST(NextEndTest, IsThatOfTheIntervalUnderWay) {
    Intervals intervals{"at", "", 1h, 0h, 24h};
    EXPECT_EQ(NextEnd(intervals, 0, 7 * kHour + 5), 8 * kHour);
    EXPECT_EQ(NextEnd(intervals, 0, 7 * kHour), 8 * kHour);
    EXPECT_EQ(NextEnd(intervals, 9 * kHour, 7 * kHour), 10 * kHour);
}

TEST(DueRangesTest, DoesNotGoBackBehindWhatWasDoneByALaterClock) {
    Intervals intervals{"at", "", 1h, 0h, 24h};
    EXPECT_EQ(DueRanges(intervals, 0, Hours({{0, 12}}), 8 * kHour), Ranges());
}

}  // namespace
}  // namespace biwa::transform
