#include <gtest/gtest.h>

#include <set>

#include "oulad/dataset.h"
#include "oulad/replay.h"

namespace oulad {
namespace {

TEST(ParseSubmissionsTest, ReadsRowsWithAndWithoutQuotesAndScores) {
    const auto rows = ParseSubmissions(
        "id_assessment,id_student,date_submitted,is_banked,score\n"
        "1752,11391,18,0,78\r\n"
        "\"1754\",\"6516\",\"-1\",\"1\",\"\"\n",
        "studentAssessment.csv");
    ASSERT_TRUE(rows.has_value()) << rows.error().message;
    ASSERT_EQ(rows->size(), 2u);
    EXPECT_EQ((*rows)[0].id_student, 11391);
    EXPECT_EQ((*rows)[0].score, 78);
    EXPECT_EQ((*rows)[1].date_submitted, -1);
    EXPECT_EQ((*rows)[1].is_banked, 1);
    EXPECT_EQ((*rows)[1].score, std::nullopt);
}

TEST(ParseSubmissionsTest, NamesFileAndLineOfWhatItCannotRead) {
    for (const auto* bad : {"1752,11391,18,0", "1752,11391,18,0,x", "1752,,18,0,3",
                            "1752,11391,18,0,78,9", "1752,11391,99999,0,78"}) {
        const auto rows =
            ParseSubmissions(std::string("header\n1,2,3,0,4\n") + bad + "\n", "a.csv");
        ASSERT_FALSE(rows.has_value()) << bad;
        EXPECT_EQ(rows.error().message.rfind("a.csv:3: ", 0), 0u) << rows.error().message;
    }
}

TEST(PresentationStartTest, KnowsFebruaryAndOctober) {
    EXPECT_EQ(PresentationStart("2013B"), 15737);  // 2013-02-01
    EXPECT_EQ(PresentationStart("2014J"), 16344);  // 2014-10-01
    for (const auto* bad : {"", "2013", "2013X", "B2013", "20131J"}) {
        EXPECT_EQ(PresentationStart(bad), std::nullopt) << bad;
    }
}

TEST(PlanReplayTest, SubmitsInOrderAndMarksEachScoredRowOnceAndLater) {
    std::vector<Submission> rows;
    for (int i = 0; i < 1000; ++i) {
        rows.push_back({i % 7, i, 1, 0, std::nullopt});
        if (i % 10 != 0) rows.back().score = 50;
    }
    const auto steps = PlanReplay(rows);
    std::set<int> submitted, marked;
    int expected = 0;
    for (const auto& step : steps) {
        if (step.mark) {
            EXPECT_TRUE(submitted.contains(step.row));
            EXPECT_TRUE(rows[static_cast<std::size_t>(step.row)].score.has_value());
            EXPECT_TRUE(marked.insert(step.row).second);
        } else {
            EXPECT_EQ(step.row, expected++);
            submitted.insert(step.row);
        }
    }
    EXPECT_EQ(submitted.size(), 1000u);
    EXPECT_EQ(marked.size(), 900u);
    EXPECT_TRUE(PlanReplay({}).empty());
}

}  // namespace
}  // namespace oulad
