#include "workflow/refresh_schedule.h"

#include <gtest/gtest.h>

#include "transform/compile/compile.h"

namespace biwa::workflow {
namespace {

using transform::ActionResult;
using transform::RunState;

constexpr Micros kSecond = 1'000'000;

class RefreshScheduleTest : public testing::Test {
  protected:
    // Models by name: their files' text. The interval is five seconds where they say nothing.
    void Make(const std::map<std::string, std::string>& files) {
        transform::CompileInput input;
        for (const auto& [name, text] : files) input.files.push_back({name + ".sqlx", text});
        input.stream_datasets = {"app"};
        auto graph = transform::Compile(input);
        ASSERT_TRUE(graph) << graph.error().message;
        graph_ = std::move(*graph);
        schedule_.emplace(graph_, std::chrono::seconds(5));
    }

    std::string Due() const {
        std::string names;
        for (const auto& action : graph_.actions) {
            if (!schedule_->Due(now_).contains(action.target)) continue;
            if (!names.empty()) names += ' ';
            names += action.target.name;
        }
        return names;
    }

    void Build(const std::string& name, RunState state = RunState::kOk,
               ErrorKind kind = ErrorKind::kUser, Micros takes = 0,
               std::optional<Micros> due_again = {}) {
        for (const auto& action : graph_.actions) {
            if (action.target.name != name) continue;
            ActionResult result;
            result.target = action.target;
            result.state = state;
            result.due_again = due_again;
            if (state == RunState::kFailed) result.error = Error{kind, "wrong", ""};
            if (state != RunState::kSkipped) schedule_->OnStarted(action.target, now_);
            now_ += takes;
            schedule_->OnFinished(result, now_);
        }
    }
    void BuildAll() {
        for (const auto& action : graph_.actions) Build(action.target.name);
    }
    void Change(const std::string& table) { schedule_->OnChanged({{"app", table}}, now_); }

    // Seconds before now, -1 for never.
    double Age(const std::string& name) const {
        const auto fresh = schedule_->FreshAsOf(now_);
        for (std::size_t i = 0; i < graph_.actions.size(); ++i) {
            if (graph_.actions[i].target.name == name)
                return fresh[i] ? static_cast<double>(now_ - *fresh[i]) / kSecond : -1;
        }
        return -2;
    }

    transform::CompiledGraph graph_;
    std::optional<RefreshSchedule> schedule_;
    Micros now_ = 1'000 * kSecond;
};

const std::map<std::string, std::string> kChain{
    {"a_view", "config {type: 'view'} SELECT * FROM ${ref('app', 't')}"},
    {"b", "config {type: 'table'} SELECT * FROM ${ref('a_view')}"},
    {"c", "config {type: 'table', refresh: '1m'} SELECT * FROM ${ref('b')}"},
    {"other", "config {type: 'table'} SELECT * FROM ${ref('app', 'u')}"}};

TEST_F(RefreshScheduleTest, BuildsEverythingOnceItsTablesAreThere) {
    Make(kChain);
    EXPECT_EQ(Due(), "");
    EXPECT_TRUE(schedule_->WaitsForTables());
    schedule_->AddTables({{"app", "u"}});
    EXPECT_EQ(Due(), "other");
    Change("t");
    EXPECT_EQ(Due(), "a_view b c other");
    EXPECT_EQ(Age("b"), -1);
    BuildAll();
    EXPECT_EQ(Due(), "");
    EXPECT_FALSE(schedule_->WaitsForTables());
    EXPECT_FALSE(schedule_->NextDue(now_));
}

TEST_F(RefreshScheduleTest, AChangeWakesItsReadersThroughViewsAtTheirOwnIntervals) {
    Make(kChain);
    Change("t");
    Change("u");
    BuildAll();
    now_ += kSecond;
    Change("t");
    EXPECT_EQ(Due(), "");
    EXPECT_EQ(schedule_->NextDue(now_), now_ + 4 * kSecond);
    now_ += 4 * kSecond;
    EXPECT_EQ(Due(), "b");
    Build("b");
    EXPECT_EQ(Due(), "");
    EXPECT_EQ(schedule_->NextDue(now_), now_ + 55 * kSecond);
    now_ += 55 * kSecond;
    EXPECT_EQ(Due(), "c");
}

TEST_F(RefreshScheduleTest, AChangeDuringABuildIsNotLost) {
    Make({{"b", "config {type: 'table'} SELECT * FROM ${ref('app', 't')}"}});
    Change("t");
    schedule_->OnStarted({"main", "b"}, now_);
    now_ += kSecond;
    Change("t");
    ActionResult result;
    result.target = {"main", "b"};
    schedule_->OnFinished(result, now_);
    now_ += 4 * kSecond;
    EXPECT_EQ(Due(), "b");
    EXPECT_EQ(Age("b"), 4);
}

TEST_F(RefreshScheduleTest, AFailureWaitsForAChangeUnlessItMayPass) {
    Make(kChain);
    Change("t");
    Change("u");
    Build("a_view");
    Build("b", RunState::kFailed);
    Build("c", RunState::kSkipped);
    Build("other", RunState::kFailed, ErrorKind::kUnavailable);
    now_ += 100 * kSecond;
    EXPECT_EQ(Due(), "other");
    Change("t");
    EXPECT_EQ(Due(), "b c other");
    Build("b");
    EXPECT_EQ(Due(), "c other");
}

TEST_F(RefreshScheduleTest, AFailedViewIsMadeAgainWhenItsTableChanges) {
    Make(kChain);
    Change("t");
    Build("a_view", RunState::kFailed);
    EXPECT_EQ(Due(), "");
    now_ += 10 * kSecond;
    Change("t");
    EXPECT_EQ(Due(), "a_view b c");
}

TEST_F(RefreshScheduleTest, AnAssertionHoldsUpWhatWaitsForIt) {
    Make({{"a",
           "config {type: 'table', assertions: {nonNull: 'x'}} SELECT * FROM "
           "${ref('app', 't')}"},
          {"b",
           "config {type: 'table', dependOnDependencyAssertions: true} SELECT * FROM "
           "${ref('a')}"}});
    Change("t");
    EXPECT_EQ(Due(), "a main_a_assertions_rowConditions b");
    Build("a");
    Build("main_a_assertions_rowConditions", RunState::kFailed);
    Build("b", RunState::kSkipped);
    now_ += 10 * kSecond;
    EXPECT_EQ(Due(), "");
    Change("t");
    EXPECT_EQ(Due(), "a");
    Build("a");
    EXPECT_EQ(Due(), "main_a_assertions_rowConditions b");
}

TEST_F(RefreshScheduleTest, ALongBuildLeavesAsMuchTimeForOthers) {
    Make({{"b", "config {type: 'table'} SELECT * FROM ${ref('app', 't')}"}});
    Change("t");
    Build("b", RunState::kOk, ErrorKind::kUser, 20 * kSecond);
    Change("t");
    EXPECT_EQ(schedule_->NextDue(now_), now_ + 20 * kSecond);
}

TEST_F(RefreshScheduleTest, FreshnessIsThatOfTheOldestInput) {
    Make(kChain);
    Change("t");
    BuildAll();
    now_ += 30 * kSecond;
    EXPECT_EQ(Age("c"), 0);
    Change("t");
    now_ += 2 * kSecond;
    EXPECT_EQ(Age("a_view"), 0);
    EXPECT_EQ(Age("b"), 2);
    EXPECT_EQ(Age("c"), 2);
    Build("b");
    EXPECT_EQ(Age("b"), 0);
    now_ += kSecond;
    EXPECT_EQ(Age("c"), 1);
}

TEST_F(RefreshScheduleTest, NeverRunsOperationsWithoutOutputOrWhatIsDisabled) {
    Make(
        {{"a", "config {type: 'operations'} DROP TABLE IF EXISTS x"},
         {"b", "config {type: 'table', disabled: true} SELECT 1 AS n"},
         {"c", "config {type: 'table', dependencies: ['a', 'b']} SELECT 1 AS n"},
         {"d", "config {type: 'operations', hasOutput: true} CREATE TABLE ${self()} AS SELECT 1"}});
    EXPECT_EQ(Due(), "c d");
}

TEST_F(RefreshScheduleTest, AnIntervalThatHasPassedMakesItsModelDueThoughNothingChanges) {
    Make({{"days", "config {type: 'table'} SELECT 1 AS n"},
          {"over", "config {type: 'table'} SELECT * FROM ${ref('days')}"}});
    Build("days", RunState::kOk, ErrorKind::kUser, 0, now_ + 60 * kSecond);
    Build("over");
    EXPECT_EQ(Due(), "");
    EXPECT_EQ(schedule_->NextDue(now_), now_ + 60 * kSecond);
    now_ += 60 * kSecond;
    EXPECT_EQ(Due(), "days");
    Build("days");
    EXPECT_EQ(Due(), "over");
    EXPECT_EQ(schedule_->NextDue(now_), now_);
    Build("over");
    EXPECT_FALSE(schedule_->NextDue(now_));
}

}  // namespace
}  // namespace biwa::workflow
