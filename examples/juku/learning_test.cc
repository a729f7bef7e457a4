#include "juku/learning.h"

#include <gtest/gtest.h>

#include <cmath>

#include "juku/calendar.h"

namespace juku {
namespace {

constexpr Problem kMiddling{0.0f, 1.0f, ProblemFormat::kChoice, 10};

TEST(LearningTest, ChanceIsAHalfWhereAbilityMeetsDifficulty) {
    EXPECT_DOUBLE_EQ(ChanceOfRight(0.0, kMiddling), 0.5);
    EXPECT_NEAR(ChanceOfRight(1.0, kMiddling), 0.7311, 1e-4);
    EXPECT_GT(ChanceOfRight(1.0, {0.0f, 2.0f, ProblemFormat::kChoice, 10}),
              ChanceOfRight(1.0, kMiddling));
    EXPECT_LT(ChanceOfRight(1.0, {2.0f, 1.0f, ProblemFormat::kChoice, 10}), 0.5);
}

TEST(LearningTest, PracticeGrowsWithAnswersAndMoreWithRightOnes) {
    Practice right, wrong;
    right.Add(true, kDay);
    wrong.Add(false, kDay);
    EXPECT_GT(right.At(kDay), wrong.At(kDay));
    EXPECT_GT(wrong.At(kDay), 0);
    right.Add(true, kDay);
    EXPECT_NEAR(right.At(kDay), 2 * kPracticeOfRight, 1e-6);
}

TEST(LearningTest, PracticeHalvesWithEachHalfLife) {
    const Practice practice(40, 0);
    const auto half_life = static_cast<biwa::Micros>(kHalfLifeDays * kDay);
    EXPECT_NEAR(practice.At(half_life), 20, 1e-4);
    EXPECT_NEAR(practice.At(3 * half_life), 5, 1e-4);
    EXPECT_LT(Ability(0.3, practice.At(half_life)), Ability(0.3, practice.At(0)));
    // Never below what the pupil is by talent.
    EXPECT_GE(Ability(0.3, practice.At(100 * half_life)), 0.3);
}

TEST(LearningTest, ResponsesTakeLongerWhenHarderAndFollowTheModel) {
    const Traits traits(1, 2);
    const Problem hard{2.0f, 1.0f, ProblemFormat::kText, 10};
    Random random(7);
    constexpr int kDraws = 20'000;
    double log_easy = 0, log_hard = 0;
    int right = 0;
    for (int i = 0; i < kDraws; ++i) {
        const Response easy = Respond(random, traits, 0.5, 1, kMiddling);
        right += easy.correct;
        log_easy += std::log(easy.milliseconds);
        log_hard += std::log(Respond(random, traits, 0.5, 1, hard).milliseconds);
        ASSERT_GE(easy.milliseconds, 1200);
        ASSERT_LE(easy.milliseconds, 900'000);
    }
    EXPECT_NEAR(static_cast<double>(right) / kDraws, ChanceOfRight(0.5, kMiddling), 0.015);
    EXPECT_NEAR((log_hard - log_easy) / kDraws, 0.44, 0.03);
}

TEST(LearningTest, TraitsFollowFromThePublicIdAlone) {
    EXPECT_EQ(Traits(5, 6).talent, Traits(5, 6).talent);
    EXPECT_NE(Traits(5, 6).talent, Traits(5, 7).talent);
    EXPECT_GT(Traits(5, 6).diligence, 0);
}

TEST(LearningTest, UnitsAreOfThePupilsGradeOrTheOneBefore) {
    Random random(3);
    for (int i = 0; i < 1000; ++i) {
        const int unit = ChooseUnit(random, 7, 0.6);
        ASSERT_TRUE(GradeOfUnit(unit) == 7 || GradeOfUnit(unit) == 6);
        if (GradeOfUnit(unit) == 7) {
            ASSERT_LE(PositionOfUnit(unit), 3);  // not ahead of class
        }
        ASSERT_EQ(GradeOfUnit(ChooseUnit(random, kGradeMin, 0.0)), kGradeMin);
    }
}

}  // namespace
}  // namespace juku
