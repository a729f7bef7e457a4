#include "replication/target_table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "replication/stream_state.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa {
namespace {

// How the texts of a table are compressed whose values are all alike, by the name of the column.
std::map<std::string, std::string> CompressionOf(const std::vector<Column>& columns,
                                                 TextStorage texts) {
    const auto path = std::filesystem::path(testing::TempDir()) / "target_table_test.duckdb";
    for (const auto* more : {"", ".wal"}) std::filesystem::remove(path.string() + more);
    DuckDbOptions options;
    options.path = path;
    const auto warehouse = OpenDuckDb(options).value();
    EXPECT_TRUE(PrepareStateTables(*warehouse));
    const TableName target{"app", "notes"};
    {
        const auto transaction = warehouse->Begin().value();
        EXPECT_EQ(PrepareTarget(*transaction, target, {columns, {}}, texts), "");
        std::string values;
        for (const auto& column : columns) {
            values += (values.empty() ? "" : ", ") + ("'\"the same\"'::" + ToSql(column.type));
        }
        EXPECT_TRUE(
            transaction->Execute("INSERT INTO app.notes SELECT " + values + " FROM range(5000)"));
        EXPECT_TRUE(transaction->Commit());
    }
    EXPECT_TRUE(warehouse->Checkpoint());
    const auto session = warehouse->OpenSession().value();
    const auto rows = session
                          ->Query(
                              "SELECT DISTINCT column_name, compression FROM "
                              "pragma_storage_info('app.notes') WHERE segment_type <> 'VALIDITY'")
                          .value();
    std::map<std::string, std::string> found;
    while (const auto* block = rows->Next().value()) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            found[std::string(block->columns[0].GetString(row))] = block->columns[1].GetString(row);
        }
    }
    return found;
}

std::vector<Column> SomeThatSeldomRepeat() {
    const auto column = [](const char* name, TypeId type, bool seldom_repeats) {
        Column made{name, {type}, true, ""};
        made.seldom_repeats = seldom_repeats;
        return made;
    };
    return {column("own", TypeId::kText, true), column("body", TypeId::kJson, true),
            column("topic", TypeId::kText, false), column("raw", TypeId::kBytes, true)};
}

TEST(PrepareTargetTest, TextsThatSeldomRepeatAreNotLookedThroughForThoseThatDo) {
    const auto found = CompressionOf(SomeThatSeldomRepeat(), TextStorage::kCompressed);
    EXPECT_EQ(found.at("own"), "FSST");
    EXPECT_EQ(found.at("body"), "FSST");
    // The engine's own choice.
    EXPECT_NE(found.at("topic"), "FSST");
    EXPECT_EQ(found.at("raw"), found.at("topic"));
}

TEST(PrepareTargetTest, PlainTextsAreThoseThatSeldomRepeat) {
    const auto found = CompressionOf(SomeThatSeldomRepeat(), TextStorage::kPlain);
    EXPECT_EQ(found.at("own"), "Uncompressed");
    EXPECT_EQ(found.at("body"), "Uncompressed");
    EXPECT_NE(found.at("topic"), "Uncompressed");
    EXPECT_EQ(found.at("raw"), found.at("topic"));
}

}  // namespace
}  // namespace biwa
