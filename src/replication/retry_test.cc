#include "replication/retry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace biwa {
namespace {

using std::chrono::milliseconds;

// What would be waited for, without waiting.
std::vector<milliseconds> Waits(Retry& retry, int count) {
    std::stop_source stopped;
    stopped.request_stop();
    std::vector<milliseconds> waits;
    for (int i = 0; i < count; ++i) {
        waits.push_back(retry.Next());
        EXPECT_EQ(retry.Next(), waits.back()) << "what was said is what is waited for";
        EXPECT_FALSE(retry.Wait(stopped.get_token()));
    }
    return waits;
}

TEST(RetryTest, EachWaitIsUpToTwiceTheOneBeforeAndHalfAMinuteAtMost) {
    Retry retry(milliseconds(500));
    milliseconds longest{500};
    for (const auto wait : Waits(retry, 20)) {
        EXPECT_GE(wait, longest / 2);
        EXPECT_LE(wait, longest);
        longest = std::min(longest * 2, milliseconds(30'000));
    }
    EXPECT_EQ(longest, milliseconds(30'000));
    retry.Reset();
    EXPECT_LE(Waits(retry, 1).front(), milliseconds(500));
}

TEST(RetryTest, ThoseThatWereCutOffTogetherDoNotComeBackTogether) {
    Retry one(milliseconds(500)), other(milliseconds(500));
    EXPECT_NE(Waits(one, 20), Waits(other, 20));
}

TEST(RetryTest, AWaitTakesItsTime) {
    Retry retry(milliseconds(40));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(retry.Wait(std::stop_source().get_token()));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(20));
}

}  // namespace
}  // namespace biwa
