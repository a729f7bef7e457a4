#include "source/mysql/text_sample.h"

#include <gtest/gtest.h>

#include <random>

namespace biwa::mysql {
namespace {

// Of a sample of a column of a million values that has so many different ones, each as often as any
// other.
double Estimated(std::uint32_t distinct) {
    std::mt19937 random(7);
    std::vector<std::uint32_t> values;
    for (int i = 0; i < 4096; ++i) values.push_back(random() % distinct);
    return EstimateDistinct(std::move(values), 1e6);
}

TEST(EstimateDistinctTest, IsNearTheTruth) {
    EXPECT_EQ(Estimated(1), 1);
    EXPECT_NEAR(Estimated(100), 100, 1);
    EXPECT_NEAR(Estimated(5'000), 5'000, 500);
    EXPECT_NEAR(Estimated(50'000), 50'000, 10'000);
}

TEST(EstimateDistinctTest, AllThatDifferInASampleAreAsManyAsThereAre) {
    std::vector<std::uint32_t> values;
    for (std::uint32_t i = 0; i < 4096; ++i) values.push_back(i * 2654435761U);
    EXPECT_DOUBLE_EQ(EstimateDistinct(values, 1e6), 1e6);
    // Half of the rows have NULL.
    values.resize(2048);
    EXPECT_DOUBLE_EQ(EstimateDistinct(std::move(values), 5e5), 5e5);
}

TEST(EstimateDistinctTest, NothingHasNoValues) { EXPECT_EQ(EstimateDistinct({}, 0), 0); }

TEST(EstimateDistinctTest, NeighboursThatAreAlikeAreFew) {
    std::vector<std::uint32_t> values;
    for (std::uint32_t i = 0; i < 4096; ++i) values.push_back(i / 5);
    EXPECT_LT(EstimateDistinct(std::move(values), 1e6), 1'000);
}

}  // namespace
}  // namespace biwa::mysql
