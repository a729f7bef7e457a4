#include "instance/freshness.h"

#include <gtest/gtest.h>

#include "transform/compile/compile.h"

namespace biwa {
namespace {

using namespace std::chrono_literals;
using State = ModelFreshness::State;

constexpr Micros kSecond = 1'000'000;
constexpr Micros kNow = 1'000'000 * kSecond;

class FreshnessTest : public testing::Test {
  protected:
    FreshnessTest() {
        transform::CompileInput input;
        input.stream_datasets = {"app"};
        input.files = {{"a.sqlx", "config {type: 'view'} SELECT * FROM ${ref('app', 't')}"},
                       {"m.sqlx", "config {type: 'table'} SELECT * FROM ${ref('a')}"}};
        graph_ = transform::Compile(input).value();
        model_.name = {"main", "m"};
        model_.freshness = {10min, 1h};
        model_.fresh_as_of = kNow;
        stream_.name = "s";
        stream_.state = StreamStatus::State::kStreaming;
        stream_.commit_time = kNow - 7200 * kSecond;
    }
    ModelFreshness Judged() const {
        return JudgeFreshness(graph_, {model_}, {stream_}, {{"s", "app"}}, kNow).at(model_.name);
    }

    transform::CompiledGraph graph_;
    workflow::ModelStatus model_;
    StreamStatus stream_;
};

TEST_F(FreshnessTest, AQuietSourceIsFresh) {
    EXPECT_EQ(Judged().state, State::kFresh);
    EXPECT_EQ(Judged().as_of, kNow);
}

TEST_F(FreshnessTest, AStreamThatLagsMakesModelsBehindViewsOld) {
    stream_.lag_seconds = 601;
    EXPECT_EQ(Judged().state, State::kWarn);
    EXPECT_DOUBLE_EQ(Judged().age_seconds, 601);
    stream_.lag_seconds = 3601;
    EXPECT_EQ(Judged().state, State::kError);
}

TEST_F(FreshnessTest, AStreamThatDoesNotFollowHasWhatItCommittedLast) {
    stream_.state = StreamStatus::State::kFailed;
    EXPECT_EQ(Judged().state, State::kError);
    stream_.state = StreamStatus::State::kStreaming;
    StreamStatus::Table table;
    table.name = "t";
    table.state = StreamStatus::TableState::kPaused;
    table.last_change_at = kNow - 900 * kSecond;
    stream_.tables.push_back(table);
    EXPECT_EQ(Judged().state, State::kWarn);
}

TEST_F(FreshnessTest, AModelThatWasNotBuiltSinceIsOldToo) {
    model_.fresh_as_of = kNow - 700 * kSecond;
    EXPECT_EQ(Judged().state, State::kWarn);
}

TEST_F(FreshnessTest, WhatIsNotKnownIsNotFresh) {
    model_.fresh_as_of.reset();
    EXPECT_EQ(Judged().state, State::kUnknown);
    model_.fresh_as_of = kNow;
    stream_.state = StreamStatus::State::kStarting;
    stream_.commit_time = 0;
    EXPECT_EQ(Judged().state, State::kUnknown);
}

TEST_F(FreshnessTest, WhoPromisesNothingIsNotJudged) {
    model_.freshness = {};
    EXPECT_TRUE(JudgeFreshness(graph_, {model_}, {stream_}, {{"s", "app"}}, kNow).empty());
}

}  // namespace
}  // namespace biwa
