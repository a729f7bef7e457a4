#include "transform/run/table_size.h"

#include <gtest/gtest.h>

#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::transform {
namespace {

std::uint64_t BytesOf(const std::string& query, std::uint64_t rows) {
    const auto warehouse = OpenDuckDb({});
    EXPECT_TRUE(warehouse);
    const auto transaction = (*warehouse)->BeginBeside();
    EXPECT_TRUE(transaction);
    EXPECT_TRUE((*transaction)->Execute("CREATE TABLE t AS " + query)) << query;
    const auto bytes = TableBytes(**transaction, {"main", "t"}, rows);
    EXPECT_TRUE(bytes) << bytes.error().ToString();
    return bytes.value_or(0);
}

TEST(TableBytesTest, CountsNumbersByTheirWidthAndTextsByTheirLength) {
    EXPECT_EQ(BytesOf("SELECT 1::BIGINT AS a, true AS b, DATE '2026-01-01' AS c", 1), 13u);
    EXPECT_EQ(BytesOf("SELECT 1.5::DECIMAL(4,1) AS a, 1::DECIMAL(18,0) AS b, 1::DECIMAL(38,2)", 1),
              26u);
    EXPECT_EQ(BytesOf("SELECT unnest(['生徒', 'ab', NULL, '']) AS name", 4), 8u);
    EXPECT_EQ(BytesOf("SELECT 'ab'::BLOB AS b, [1, 23] AS list", 1), 2u + 7u);
    EXPECT_EQ(BytesOf("SELECT 1 AS a WHERE false", 0), 0u);
    EXPECT_EQ(BytesOf("SELECT uuid() AS id, INTERVAL 1 DAY AS i, now() AS at FROM range(3)", 3),
              120u);
}

TEST(TableBytesTest, ALargeTableIsToldByItsFirstRows) {
    EXPECT_EQ(BytesOf("SELECT i AS id, 'abcd' AS text FROM range(1000000) AS r(i)", 1'000'000),
              12'000'000u);
}

}  // namespace
}  // namespace biwa::transform
