#include "juku/history.h"

#include <gtest/gtest.h>

#include <map>

#include "juku/calendar.h"

namespace juku {
namespace {

constexpr biwa::Micros kUntil = 1'795'000'000 * kSecond;  // 2026-11-18 11:06:40 UTC, 20:06 in Tokyo

struct Whole {
    explicit Whole(const HistoryOptions& options) : history(options) {
        std::vector<Session> s;
        std::vector<Answer> a;
        while (history.Next(s, a)) {
            sessions.insert(sessions.end(), s.begin(), s.end());
            answers.insert(answers.end(), a.begin(), a.end());
        }
    }
    History history;
    std::vector<Session> sessions;
    std::vector<Answer> answers;
};

HistoryOptions Small(std::uint64_t seed = 1) { return {seed, 40'000, 60, kUntil}; }

TEST(HistoryTest, TheSameSeedGivesTheSameHistoryAndAnotherSeedAnother) {
    const Whole one(Small()), again(Small()), other(Small(2));
    ASSERT_EQ(one.answers.size(), again.answers.size());
    bool differs = false;
    for (std::size_t i = 0; i < one.answers.size(); ++i) {
        ASSERT_EQ(one.answers[i].answered_at, again.answers[i].answered_at);
        ASSERT_EQ(one.answers[i].problem, again.answers[i].problem);
        ASSERT_EQ(one.answers[i].correct, again.answers[i].correct);
        differs |= one.answers[i].answered_at != other.answers[i].answered_at;
    }
    EXPECT_TRUE(differs);
}

TEST(HistoryTest, HoldsAsManyAnswersAsAskedForInOrderOfTimeUntilTheEnd) {
    for (const std::int64_t answers : {1'000, 40'000}) {
        const Whole all({3, answers, 30, kUntil});
        ASSERT_EQ(static_cast<std::int64_t>(all.answers.size()), answers);
        for (std::size_t i = 1; i < all.answers.size(); ++i) {
            ASSERT_LE(all.answers[i - 1].answered_at, all.answers[i].answered_at);
        }
        EXPECT_LT(all.answers.back().answered_at, kUntil);
        EXPECT_GE(all.answers.front().answered_at, kUntil - 30 * kDay);
    }
}

TEST(HistoryTest, AnswersLieInTheirSessionAndSessionsOfAPupilDoNotOverlap) {
    const Whole all(Small());
    std::map<std::int64_t, const Session*> by_id;
    int open = 0;
    for (const auto& session : all.sessions) {
        ASSERT_TRUE(by_id.emplace(session.id, &session).second);
        open += session.ended_at == 0;
    }
    EXPECT_GT(open, 0);
    EXPECT_LT(open, 60);
    for (const auto& answer : all.answers) {
        const Session& session = *by_id.at(answer.session_id);
        ASSERT_EQ(session.pupil, answer.pupil);
        ASSERT_EQ(session.unit, UnitOfProblem(answer.problem));
        ASSERT_GE(answer.answered_at, session.started_at);
        if (session.ended_at != 0) {
            ASSERT_LE(answer.answered_at, session.ended_at);
        }
    }
}

TEST(HistoryTest, MostAnswersAreRightAndPupilsDiffer) {
    const Whole all(Small());
    double right = 0;
    std::map<int, std::pair<double, double>> by_pupil;
    for (const auto& answer : all.answers) {
        right += answer.correct;
        auto& [hits, count] = by_pupil[answer.pupil];
        hits += answer.correct;
        ++count;
    }
    const double rate = right / static_cast<double>(all.answers.size());
    EXPECT_GT(rate, 0.55);
    EXPECT_LT(rate, 0.85);
    double low = 1, high = 0;
    for (const auto& [pupil, tally] : by_pupil) {
        if (tally.second < 200) continue;
        low = std::min(low, tally.first / tally.second);
        high = std::max(high, tally.first / tally.second);
    }
    EXPECT_LT(low, 0.6);
    EXPECT_GT(high, 0.8);
}

TEST(HistoryTest, EveningsAreBusyAndNightsAreQuiet) {
    const Whole all(Small());
    std::array<int, 24> by_hour{};
    for (const auto& answer : all.answers)
        ++by_hour[static_cast<std::size_t>(TokyoHour(answer.answered_at))];
    EXPECT_GT(by_hour[20], 5 * by_hour[9]);
    EXPECT_LT(by_hour[3], 20);
}

}  // namespace
}  // namespace juku
