#include "replication/number_index.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <unordered_map>

namespace biwa {
namespace {

// Numbers as keys have them: one after another, far apart, in the high bits alone, anywhere, alike;
// new ones between changes of older ones, with gaps, up to the last number that there is.
TEST(NumberIndexTest, EachNumberHasThePlaceThatItGotFirst) {
    std::mt19937_64 random(7);
    const std::vector<std::function<std::uint64_t(std::uint64_t)>> kinds = {
        [](std::uint64_t i) { return i; },
        [](std::uint64_t i) { return i * 4; },
        [](std::uint64_t i) { return i * 1000; },
        [](std::uint64_t i) { return i << 40; },
        [](std::uint64_t i) { return ~i; },
        [&](std::uint64_t) { return random(); },
        [&](std::uint64_t) { return random() % 3000; },
        [](std::uint64_t i) { return i % 7 < 4 ? 1'000'000 + i : 999'990 + i / 2; },
        [](std::uint64_t i) { return i % 1000 < 600 ? i / 1000 * 2000 + i : i / 1000 * 1900 + i; },
        [&](std::uint64_t i) { return i % 2 == 0 ? i : random() % (i + 1); },
        [](std::uint64_t i) { return ~std::uint64_t{0} - 20'000 + i; },
        [](std::uint64_t i) { return i / 20 * 30 + i % 20; },
    };
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        NumberIndex index;
        for (int use = 0; use < 3; ++use) {
            index.Clear();
            std::unordered_map<std::uint64_t, std::uint32_t> known;
            for (std::uint64_t i = 0; i < 50'000; ++i) {
                const auto number = kinds[kind](i);
                const auto next = static_cast<std::uint32_t>(known.size());
                index.Prefetch(number);
                ASSERT_EQ(index.PlaceOf(number, next), known.emplace(number, next).first->second)
                    << "kind " << kind << ", use " << use << ", number " << number;
            }
            for (const auto& [number, place] : known) {
                ASSERT_EQ(index.PlaceOf(number, 1'000'000), place) << "kind " << kind;
            }
        }
    }
}

TEST(NumberIndexTest, PlacesMayHaveGaps) {
    NumberIndex index;
    for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(index.PlaceOf(i, i + i / 10), i + i / 10);
    for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(index.PlaceOf(i, 5000), i + i / 10);
}

TEST(NumberIndexTest, AfterAClearNothingIsKnown) {
    NumberIndex index;
    EXPECT_EQ(index.PlaceOf(7, 0), 0u);
    EXPECT_EQ(index.PlaceOf(0, 1), 1u);
    index.Clear();
    index.Prefetch(7);
    EXPECT_EQ(index.PlaceOf(7, 5), 5u);
    EXPECT_EQ(index.PlaceOf(0, 6), 6u);
}

}  // namespace
}  // namespace biwa
