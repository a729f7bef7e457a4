#include "replication/stream_pace.h"

#include <gtest/gtest.h>

namespace biwa {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// From the beginning of a commit that takes so long, and works for a part of it, to when the next
// is due.
milliseconds IntervalAfter(milliseconds took, int parts = 1, bool is_read = true) {
    StreamPace pace(milliseconds(100));
    const StreamPace::Time begin(seconds(1000));
    pace.Committed(begin, begin + took, parts);
    return std::chrono::duration_cast<milliseconds>(pace.next_commit(is_read) - begin);
}

TEST(StreamPaceTest, TheFirstCommitIsDueAtOnce) {
    StreamPace pace(milliseconds(100));
    const StreamPace::Time now(seconds(1000));
    pace.Begin(now);
    EXPECT_EQ(pace.next_commit(true), now);
    EXPECT_EQ(pace.next_commit(false), now);
}

TEST(StreamPaceTest, CommitsAreTheRarerTheDearerTheyAre) {
    EXPECT_EQ(IntervalAfter(milliseconds(0)), milliseconds(100));
    EXPECT_EQ(IntervalAfter(milliseconds(2)), milliseconds(100));
    EXPECT_EQ(IntervalAfter(milliseconds(10)), milliseconds(210));
    EXPECT_EQ(IntervalAfter(milliseconds(13)), milliseconds(273));
    // Nobody waits for longer than this because of the rest.
    EXPECT_EQ(IntervalAfter(milliseconds(15)), milliseconds(300));
    EXPECT_EQ(IntervalAfter(milliseconds(100)), milliseconds(300));
    // Half of the time at most.
    EXPECT_EQ(IntervalAfter(milliseconds(150)), milliseconds(300));
    EXPECT_EQ(IntervalAfter(milliseconds(300)), milliseconds(600));
    EXPECT_EQ(IntervalAfter(seconds(3)), seconds(6));
}

TEST(StreamPaceTest, WhatACommitRestedDoesNotMakeItDear) {
    EXPECT_EQ(IntervalAfter(milliseconds(8), 4), milliseconds(100));
    EXPECT_EQ(IntervalAfter(milliseconds(40), 4), milliseconds(240));
    EXPECT_EQ(IntervalAfter(milliseconds(100), 4), milliseconds(300));
    EXPECT_EQ(IntervalAfter(seconds(4), 4), seconds(5));
}

TEST(StreamPaceTest, CommitsAreRarerYetWhileNobodyReads) {
    const auto unread = [](milliseconds took, int parts = 1) {
        return IntervalAfter(took, parts, false);
    };
    EXPECT_EQ(unread(milliseconds(0)), milliseconds(100));
    EXPECT_EQ(unread(milliseconds(2)), milliseconds(402));
    EXPECT_EQ(unread(milliseconds(10)), milliseconds(2'010));
    EXPECT_EQ(unread(milliseconds(20)), milliseconds(4'020));
    EXPECT_EQ(unread(milliseconds(80), 4), milliseconds(4'080));
    EXPECT_EQ(unread(milliseconds(2'080), 26), milliseconds(10'000));
    EXPECT_EQ(unread(seconds(6)), seconds(12));
}

TEST(StreamPaceTest, ACommitOfManyDoesNotMakeTheLastFewWait) {
    StreamPace pace(milliseconds(100));
    const StreamPace::Time begin(seconds(1000));
    for (const bool is_read : {true, false}) {
        pace.Committed(begin, begin + milliseconds(20));
        EXPECT_GT(pace.next_commit(is_read), begin + milliseconds(100));
        pace.CommittedMany(begin);
        EXPECT_EQ(pace.next_commit(is_read), begin + milliseconds(100));
    }
}

TEST(StreamPaceTest, WhoeverBeginsToReadFindsTheCommitDueSooner) {
    StreamPace pace(milliseconds(100));
    const StreamPace::Time begin(seconds(1000));
    pace.Committed(begin, begin + milliseconds(20));
    EXPECT_LT(pace.next_commit(true), pace.next_commit(false));
}

TEST(StreamPaceTest, AStreamUnderSteadyLoadKeepsUpThoughThereIsAlwaysSomethingToCome) {
    StreamPace pace(milliseconds(100));
    EXPECT_FALSE(pace.KeepsUp(false, seconds(3600)));
    EXPECT_FALSE(pace.KeepsUp(false, seconds(6)));
    EXPECT_TRUE(pace.KeepsUp(false, seconds(4)));
    // A little behind for a moment.
    EXPECT_TRUE(pace.KeepsUp(false, seconds(30)));
    EXPECT_FALSE(pace.KeepsUp(false, seconds(61)));
    EXPECT_FALSE(pace.KeepsUp(false, seconds(30)));
    EXPECT_TRUE(pace.KeepsUp(false, milliseconds(300)));
}

TEST(StreamPaceTest, AStreamThatHasEverythingKeepsUpWhateverTheSourcesClockSays) {
    StreamPace pace(milliseconds(100));
    EXPECT_TRUE(pace.KeepsUp(true, seconds(7200)));
    // Ahead of ours.
    StreamPace other(milliseconds(100));
    EXPECT_TRUE(other.KeepsUp(false, seconds(-7200)));
}

}  // namespace
}  // namespace biwa
