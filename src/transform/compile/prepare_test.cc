#include "transform/compile/prepare.h"

#include <gtest/gtest.h>

#include "transform/compile/compile.h"

namespace biwa::transform {
namespace {

TEST(PrepareTest, FoldsTheConditionIntoTheIncrementalQuery) {
    CompileInput input;
    input.files = {{"definitions/m.sqlx",
                    "config {type: 'incremental'}\nincremental_where { a > 1 -- new }\n}\n"
                    "SELECT 1 AS a\nFROM t -- all\n"}};
    const auto compiled = Compile(input);
    ASSERT_TRUE(compiled) << compiled.error().message;
    const auto graph = PrepareForEngine(*compiled);
    const auto& action = graph.actions[0];
    EXPECT_EQ(action.full.query.sql, "SELECT 1 AS a\nFROM t -- all");
    EXPECT_EQ(action.incremental.query.sql,
              "SELECT * FROM (\nSELECT 1 AS a\nFROM t -- all\n) AS insertions WHERE (\n"
              "a > 1 -- new }\n)");
    EXPECT_EQ(action.incremental.query.FileLine(3), 5);
    EXPECT_EQ(action.incremental.query.FileLine(5), 2);
    EXPECT_FALSE(action.incremental_where);
}

}  // namespace
}  // namespace biwa::transform
