#include "source/mysql/text_sample.h"

#include <gtest/gtest.h>

#include <random>

namespace biwa::mysql {
namespace {

constexpr double kRows = 1'000'000;

// A sample of a column that has so many different values, each as often as any other.
double Estimated(std::uint32_t distinct, double nulls = 0) {
    std::mt19937 random(7);
    std::vector<std::uint32_t> values;
    for (int i = 0; i < 4096 * (1 - nulls); ++i) values.push_back(random() % distinct);
    return EstimateDistinct(std::move(values), 4096, kRows);
}

TEST(EstimateDistinctTest, IsNearTheTruth) {
    EXPECT_EQ(Estimated(1), 1);
    EXPECT_NEAR(Estimated(100), 100, 1);
    EXPECT_NEAR(Estimated(5'000), 5'000, 500);
    EXPECT_NEAR(Estimated(50'000), 50'000, 10'000);
}

TEST(EstimateDistinctTest, AllThatDifferInASampleAreAsManyAsThereAreRows) {
    std::vector<std::uint32_t> values;
    for (std::uint32_t i = 0; i < 4096; ++i) values.push_back(i * 2654435761U);
    EXPECT_DOUBLE_EQ(EstimateDistinct(std::move(values), 4096, kRows), kRows);
}

TEST(EstimateDistinctTest, NullsAreNoValues) {
    EXPECT_EQ(EstimateDistinct({}, 4096, kRows), 0);
    EXPECT_LT(Estimated(0x7fffffff, 0.9), kRows / 2);
}

TEST(EstimateDistinctTest, NeighboursThatAreAlikeAreFew) {
    std::vector<std::uint32_t> values;
    for (std::uint32_t i = 0; i < 4096; ++i) values.push_back(i / 5);
    EXPECT_LT(EstimateDistinct(std::move(values), 4096, kRows), 1'000);
}

}  // namespace
}  // namespace biwa::mysql
