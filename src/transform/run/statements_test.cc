#include "transform/run/statements.h"

#include <gtest/gtest.h>

namespace biwa::transform {
namespace {

TEST(TransactionWordTest, FindsWhatWouldBeginOrEndATransaction) {
    EXPECT_EQ(TransactionWord("COMMIT"), "COMMIT");
    EXPECT_EQ(TransactionWord("begin transaction"), "begin");
    EXPECT_EQ(TransactionWord("DELETE FROM t; /* ; */ -- ;\n Rollback;"), "Rollback");
    EXPECT_EQ(TransactionWord("SELECT ';' ;\nEND"), "END");
    EXPECT_EQ(TransactionWord("SELECT 'it''s'; abort"), "abort");
    EXPECT_EQ(TransactionWord("SELECT E'\\'; x'; START TRANSACTION"), "START");
}

TEST(TransactionWordTest, LeavesTheSameWordsElsewhereAlone) {
    for (const auto* sql :
         {"", "SELECT CASE WHEN a THEN 1\nEND", "SELECT 1 AS commit", "SELECT ';commit'",
          "SELECT \"; commit\"", "SELECT $$; commit$$", "SELECT $x$; commit $$ $x$", "-- ; commit",
          "/* ; */", "committed()", "SELECT E'\\'; commit'", "(commit)", "'x' commit",
          "INSERT INTO t SELECT 1;\n  ;"}) {
        EXPECT_EQ(TransactionWord(sql), "") << sql;
    }
}

}  // namespace
}  // namespace biwa::transform
