#include "database/pace.h"

#include <gtest/gtest.h>

namespace biwa::examples {
namespace {

TEST(PaceTest, WaitsUntilTheNextUnitIsDue) {
    Pace pace(/*per_second=*/200, /*now=*/0);
    EXPECT_EQ(pace.Spend(1, 0), 5'000);
    EXPECT_EQ(pace.Spend(3, 5'000), 15'000);
}

TEST(PaceTest, DoesNotWaitWhenLate) {
    Pace pace(200, 0);
    EXPECT_EQ(pace.Spend(1, 500'000), 0);
}

TEST(PaceTest, CatchesUpWithNoMoreThanOneSecondAfterAPause) {
    Pace pace(100, 0);
    const Micros hour = 3'600'000'000;
    for (int i = 0; i < 100; ++i) EXPECT_EQ(pace.Spend(1, hour), 0) << i;
    EXPECT_EQ(pace.Spend(1, hour), 10'000);
}

}  // namespace
}  // namespace biwa::examples
