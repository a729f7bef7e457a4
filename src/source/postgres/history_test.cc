#include "source/postgres/history.h"

#include <gtest/gtest.h>

namespace biwa::postgres {
namespace {

TEST(HistoryTest, ReadsWhatItWrote) {
    const History history{"7301234567890123456", 3};
    const auto read = ParseHistory(history.ToString());
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->server, history.server);
    EXPECT_EQ(read->timeline, 3u);
    EXPECT_EQ(ParseHistory("/1")->server, "");
    for (const auto* bad : {"", "1", "1/", "1/0", "1/x", "1/2/3", "1/99999999999"}) {
        EXPECT_FALSE(ParseHistory(bad).has_value()) << bad;
    }
}

TEST(EndOfTimelineTest, IsWhereTheNextOneBegan) {
    const auto* const file =
        "# a comment\n1\t0/3000000\tno recovery target specified\n\n"
        "2\t16/B374D848\tbefore 2026-01-01 00:00:00+00\n";
    EXPECT_EQ(*EndOfTimeline(file, 1), 0x3000000u);
    EXPECT_EQ(*EndOfTimeline(file, 2), 0x16B374D848u);
    EXPECT_EQ(*EndOfTimeline(file, 3), 0u);
    EXPECT_EQ(*EndOfTimeline("", 1), 0u);
    for (const auto* bad : {"1", "x\t0/1\t", "1\tzero\twhy", "0\t0/1\twhy"}) {
        EXPECT_FALSE(EndOfTimeline(bad, 1).has_value()) << bad;
    }
}

}  // namespace
}  // namespace biwa::postgres
