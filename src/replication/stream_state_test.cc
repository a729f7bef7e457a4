#include "replication/stream_state.h"

#include <gtest/gtest.h>

#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa {
namespace {

class StreamBooksTest : public testing::Test {
  protected:
    void Execute(const std::string& sql) {
        const auto transaction = warehouse_->Begin().value();
        ASSERT_TRUE(transaction->Execute(sql));
        ASSERT_TRUE(transaction->Commit());
    }
    std::int64_t Number(const std::string& sql) {
        const auto session = warehouse_->OpenSession().value();
        const auto rows = session->Query(sql).value();
        return rows->Next().value()->columns[0].Get<std::int64_t>(0);
    }

    const std::unique_ptr<Warehouse> warehouse_ = OpenDuckDb({}).value();
};

TEST_F(StreamBooksTest, BooksFromBeforeTablesHadPhasesAreCompleted) {
    Execute(R"(
CREATE SCHEMA _biwa;
CREATE TABLE _biwa.streams (stream VARCHAR NOT NULL, phase VARCHAR NOT NULL,
    position VARCHAR NOT NULL, position_order UBIGINT NOT NULL, commit_time TIMESTAMPTZ);
INSERT INTO _biwa.streams VALUES ('s', 'streaming', '0/9', 9, NULL);
CREATE TABLE _biwa.stream_tables (stream VARCHAR NOT NULL, source_schema VARCHAR NOT NULL,
    source_table VARCHAR NOT NULL, copied BOOLEAN NOT NULL, overlap_until UBIGINT NOT NULL);
INSERT INTO _biwa.stream_tables VALUES ('s', 'public', 'done', true, 7), ('s', 'public', 'left', false, 0);
)");
    ASSERT_TRUE(PrepareStateTables(*warehouse_));
    const auto state = ReadStreamState(*warehouse_, "s").value();
    EXPECT_EQ(state.phase, StreamPhase::kStreaming);
    EXPECT_EQ(state.position.order, 9u);
    EXPECT_FALSE(state.is_paused);
    ASSERT_EQ(state.tables.size(), 2u);
    EXPECT_EQ(state.tables[0].phase, TablePhase::kLive);
    EXPECT_EQ(state.tables[0].overlap_until, 7u);
    EXPECT_EQ(state.tables[1].phase, TablePhase::kCopying);
}

// Each of a thousand streams asks whenever it connects.
TEST_F(StreamBooksTest, BooksThatAreAsTheyHaveToBeNeedNoWriter) {
    ASSERT_TRUE(PrepareStateTables(*warehouse_));
    const auto writer = warehouse_->Begin().value();
    EXPECT_TRUE(PrepareStateTables(*warehouse_));
    EXPECT_EQ(Number("SELECT count(*) FROM _biwa.stream_books"), 1);
}

TEST_F(StreamBooksTest, BooksOfANewerBiwaAreRefused) {
    ASSERT_TRUE(PrepareStateTables(*warehouse_));
    Execute("UPDATE _biwa.stream_books SET version = 1000");
    const auto prepared = PrepareStateTables(*warehouse_);
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().kind, ErrorKind::kUser);
    EXPECT_NE(prepared.error().message.find("version 1000"), std::string::npos);
    EXPECT_EQ(Number("SELECT version FROM _biwa.stream_books"), 1000);
}

TEST_F(StreamBooksTest, ALineThatIsNotInTheBooksIsNew) {
    ASSERT_TRUE(PrepareStateTables(*warehouse_));
    const auto state = ReadStreamState(*warehouse_, "s").value();
    EXPECT_EQ(state.phase, StreamPhase::kNew);
    EXPECT_TRUE(state.tables.empty());
}

}  // namespace
}  // namespace biwa
