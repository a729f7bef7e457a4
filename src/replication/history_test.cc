#include "replication/history.h"

#include <gtest/gtest.h>

#include "replication/history_session.h"
#include "replication/testing.h"

namespace biwa {
namespace {

using namespace replication_testing;

// Of the first column, one a line.
std::vector<std::string> Ask(Warehouse& warehouse, const std::string& sql) {
    std::vector<std::string> lines;
    const auto session = warehouse.OpenSession();
    const auto stream = (*session)->Query(sql);
    if (!stream) return {stream.error().message};
    for (;;) {
        const auto block = (*stream)->Next();
        if (!block) return {block.error().message};
        if (*block == nullptr) return lines;
        for (std::size_t row = 0; row < (*block)->rows; ++row) {
            lines.emplace_back((*block)->columns[0].GetString(row));
        }
    }
}

std::vector<std::string> AsOf(Warehouse& warehouse, Micros moment) {
    return Stored(warehouse, fmt::format("raw_history.t(make_timestamptz({}))", moment));
}

std::map<std::string, HistoryKey> Kept(const TableSchema& schema) {
    return {{"public.t", HistoryKey::Of(schema)}};
}

// Random changes in batches that end within transactions and without; appliers come and go. The
// rows of each commit's time are those that the source had then.
void Play(KeyShape shape, std::uint64_t seed, bool has_key_changes_in_parts) {
    SCOPED_TRACE(fmt::format("key shape {} seed {}", static_cast<int>(shape), seed));
    World world(shape);
    world.state.commit_time = 1;
    world.state.position.order = 1;
    History history(seed);
    std::map<Micros, std::vector<std::string>> moments{{1, {}}};
    std::uint64_t changes_made = 0, keys_changed = 0;
    std::unique_ptr<Applier> applier;
    std::uint64_t position = 1;
    for (int commit = 0; commit < 10; ++commit) {
        if (!applier || history.Roll(4) == 0) {
            applier = world.NewApplier();
            ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
        }
        const int transactions = 1 + history.Roll(3);
        for (int i = 0; i < transactions; ++i) {
            ++position;
            std::vector<Change> changes;
            for (int change = history.Roll(8); change >= 0; --change) {
                changes.push_back(history.Next());
                ++changes_made;
                const auto& last = changes.back();
                keys_changed +=
                    last.kind == Change::Kind::kUpdate && last.old_key != last.row.key ? 1 : 0;
            }
            if (has_key_changes_in_parts && changes.size() > 2) {
                const std::vector<Change> first(changes.begin(), changes.begin() + 2);
                const std::vector<Change> rest(changes.begin() + 2, changes.end());
                ChangeBatch batch;
                batch.tables = PartsOf(shape, first, world.schema, position);
                ASSERT_TRUE(applier->Add(std::move(batch)));
                batch = ChangeBatch();
                batch.tables = PartsOf(shape, rest, world.schema, position, first.size());
                batch.commit = Position{position, ""};
                batch.commit_time = static_cast<Micros>(position);
                ASSERT_TRUE(applier->Add(std::move(batch)));
            } else {
                const auto added = applier->Add(BatchOf(shape, changes, world.schema, position));
                ASSERT_TRUE(added) << added.error().message;
            }
            moments[static_cast<Micros>(position)] = Lines(history.rows());
        }
        const auto applied = applier->Commit();
        ASSERT_TRUE(applied) << applied.error().message;
        world.state.position = applied->position;
        world.state.commit_time = applied->commit_time;
    }
    for (const auto& [moment, rows] : moments) {
        ASSERT_EQ(AsOf(*world.warehouse, moment), rows) << "at " << moment;
    }
    EXPECT_EQ(Stored(*world.warehouse), moments.rbegin()->second);
    EXPECT_EQ(Ask(*world.warehouse,
                  "SELECT count(*) FILTER (_op NOT IN ('copy', 'moved')) || ' ' || count(*) FILTER "
                  "(_op = 'moved') || ' ' || count(DISTINCT (_commit, _sequence)) FILTER (_op <> "
                  "'copy') FROM raw_changes.t"),
              std::vector<std::string>{
                  fmt::format("{} {} {}", changes_made, keys_changed, changes_made)});
}

TEST(HistoryTest, TheRowsOfAnyMomentAreThoseThatTheSourceHadThen) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        for (const auto shape : {KeyShape::kInt, KeyShape::kText, KeyShape::kComposite}) {
            Play(shape, seed, seed % 2 == 0);
        }
    }
}

TEST(HistoryTest, WhatIsReadAgainAfterAnErrorIsWrittenOnce) {
    World world(KeyShape::kInt);
    world.state.commit_time = 1;
    const std::vector<Change> changes = {{Change::Kind::kInsert, 0, {1, 1, "a", "b"}},
                                         {Change::Kind::kUpdate, 1, {2, 1, "c", ""}, true}};
    {
        // Spent before its commit.
        auto applier = world.NewApplier();
        ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
        ASSERT_TRUE(applier->Add(BatchOf(KeyShape::kInt, changes, world.schema, 5)));
    }
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
    ASSERT_TRUE(applier->Add(BatchOf(KeyShape::kInt, changes, world.schema, 5)));
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(Ask(*world.warehouse,
                  "SELECT concat_ws(' ', _op, k, text, large) FROM raw_changes.t ORDER BY "
                  "_sequence, _op"),
              (std::vector<std::string>{"insert 1 a b", "moved", "update 2 c b"}));
}

TEST(HistoryTest, ItBeginsWithTheRowsThatAreThereAndSaysBetweenWhichMomentsItIsKnown) {
    World world(KeyShape::kInt);
    world.Store({{1, 1, "a", ""}});
    world.state.commit_time = 1000;
    world.state.position.order = 10;
    {
        auto applier = world.NewApplier();
        ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
        ASSERT_TRUE(applier->Add(
            BatchOf(KeyShape::kInt, {{Change::Kind::kDelete, 1, {}}}, world.schema, 2000)));
        ASSERT_TRUE(applier->Commit());
    }
    EXPECT_EQ(AsOf(*world.warehouse, 1500), std::vector<std::string>{"1 1 a "});
    EXPECT_TRUE(AsOf(*world.warehouse, 2500).empty());
    const auto before = AsOf(*world.warehouse, 999);
    ASSERT_EQ(before.size(), 1u);
    EXPECT_NE(before[0].find("there is no history of raw.t"), std::string::npos) << before[0];

    // Without a history from now on: what there was stays, and what comes is not of it.
    world.state.commit_time = 2000;
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->KeepHistory({}));
    EXPECT_TRUE(AsOf(*world.warehouse, 2000).empty());
    const auto after = AsOf(*world.warehouse, 2002);
    ASSERT_EQ(after.size(), 1u);
    EXPECT_NE(after[0].find("there is no history of raw.t"), std::string::npos) << after[0];
}

// Nothing is committed between the end of one and the beginning of the next.
TEST(HistoryTest, NoMomentIsOfTwoSpans) {
    World world(KeyShape::kInt);
    world.Store({{1, 1, "a", ""}});
    world.state.commit_time = 1000;
    world.state.position.order = 10;
    ASSERT_TRUE(world.NewApplier()->KeepHistory(Kept(*world.schema)));
    ASSERT_TRUE(world.NewApplier()->KeepHistory({}));
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
    for (const Micros moment : {1000, 1001, 1002}) {
        EXPECT_EQ(AsOf(*world.warehouse, moment), std::vector<std::string>{"1 1 a "}) << moment;
    }
    // A change of that very time comes behind what the span began with.
    ASSERT_TRUE(applier->Add(
        BatchOf(KeyShape::kInt, {{Change::Kind::kDelete, 1, {}}}, world.schema, 1000)));
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(AsOf(*world.warehouse, 1000), std::vector<std::string>{"1 1 a "});
    EXPECT_TRUE(AsOf(*world.warehouse, 1001).empty());
}

TEST(HistoryTest, ATableThatHasToBeCopiedAnewHasNoHistoryMeanwhile) {
    World world(KeyShape::kInt);
    world.state.commit_time = 1;
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
    auto lost = BatchOf(KeyShape::kInt, {}, world.schema, 20);
    lost.tables[0].recopy = "its rows were lost";
    ASSERT_TRUE(applier->Add(
        BatchOf(KeyShape::kInt, {{Change::Kind::kInsert, 0, {1, 1, "a", ""}}}, world.schema, 10)));
    ASSERT_TRUE(applier->Add(std::move(lost)));
    ASSERT_TRUE(applier->Commit());
    EXPECT_EQ(AsOf(*world.warehouse, 10), std::vector<std::string>{"1 1 a "});
    EXPECT_NE(AsOf(*world.warehouse, 20)[0].find("there is no history"), std::string::npos);
}

TEST(HistoryTest, AColumnCalledLikeThoseOfTheHistoryHasNoneKept) {
    auto columns = SchemaOf(KeyShape::kInt);
    EXPECT_EQ(HistoryClash(columns), "");
    columns.columns.push_back({"_OP", {TypeId::kText}, true, ""});
    EXPECT_NE(HistoryClash(columns), "");
}

TEST(HistoryTest, ASessionOfThePastSaysWhatHasNoHistory) {
    World world(KeyShape::kInt);
    world.Store({{1, 1, "a", ""}});
    world.state.commit_time = 1'000'000;
    auto applier = world.NewApplier();
    ASSERT_TRUE(applier->KeepHistory(Kept(*world.schema)));
    ASSERT_TRUE(applier->Add(
        BatchOf(KeyShape::kInt, {{Change::Kind::kDelete, 1, {}}}, world.schema, 2'000'000)));
    ASSERT_TRUE(applier->Commit());
    {
        auto transaction = world.warehouse->Begin();
        ASSERT_TRUE((*transaction)
                        ->Execute("CREATE SCHEMA mart; CREATE TABLE mart.one AS FROM "
                                  "raw.t; CREATE VIEW mart.z AS SELECT text FROM raw.t; CREATE "
                                  "VIEW mart.a AS FROM mart.z; CREATE VIEW "
                                  "mart.both AS SELECT m.id FROM mart.one AS m, raw.t"));
        ASSERT_TRUE((*transaction)->Commit());
    }
    const auto count = [&](const std::string& moment, const std::string& sql) -> std::string {
        auto session = OpenSessionAsOf(*world.warehouse, moment);
        if (!session) return session.error().message;
        const auto rows = (*session)->Query(sql);
        if (!rows) return rows.error().message;
        const auto block = (*rows)->Next();
        if (!block) return block.error().message;
        return std::to_string((*block)->columns[0].Get<std::int64_t>(0));
    };
    const auto* const then = "1970-01-01 00:00:01.5+00";
    EXPECT_EQ(count(then, "SELECT count(*) FROM raw.t"), "1");
    EXPECT_EQ(count("1970-01-01 00:00:02+00", "SELECT count(*) FROM raw.t"), "0");
    // A view is one of the tables of then.
    EXPECT_EQ(count(then, "SELECT count(*) FROM mart.a"), "1");
    const auto fails = [&](const std::string& moment, const std::string& sql,
                           const std::string& with) {
        const auto said = count(moment, sql);
        EXPECT_NE(said.find(with), std::string::npos) << sql << ": " << said;
    };
    fails("1970-01-01 00:00:00+00", "SELECT count(*) FROM raw.t", "raw.t has no history of");
    for (const auto* sql :
         {"SELECT count(*) FROM mart.one", "SELECT count(*) FROM mart.one WHERE id = 17",
          "SELECT count(*) FROM mart.both",
          "SELECT count(*) FROM raw.t LEFT JOIN mart.one USING "
          "(id)"}) {
        fails(then, sql, "mart.one has no history");
    }
    fails(then, "SELECT count(*) FROM memory.raw.t", "names the warehouse itself");
    fails(then, "SELECT count(*) FROM _biwa.streams", "does not exist");
    fails("yesterday or so", "SELECT 1", "is no time to look back to");
    // The source writes its name otherwise by now.
    {
        auto transaction = world.warehouse->Begin();
        ASSERT_TRUE((*transaction)->Execute("UPDATE _biwa.histories SET table_name = 'T'"));
        ASSERT_TRUE((*transaction)->Commit());
    }
    EXPECT_EQ(count(then, "SELECT count(*) FROM raw.t"), "1");
    // And nothing of it is left behind.
    EXPECT_EQ(
        Ask(*world.warehouse, "SELECT database_name FROM duckdb_databases() WHERE NOT internal"),
        std::vector<std::string>{"memory"});
}

}  // namespace
}  // namespace biwa
