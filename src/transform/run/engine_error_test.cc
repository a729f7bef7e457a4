#include "transform/run/engine_error.h"

#include <gtest/gtest.h>

namespace biwa::transform {
namespace {

std::string Told(const std::string& message, const SqlText& sql, int lines_before) {
    Action action;
    action.location = {"definitions/m.sqlx", 1, 8};
    return InFile(Error{ErrorKind::kUser, message, ""}, action, sql, lines_before).message;
}

TEST(EngineErrorTest, SaysTheFilesLineAndKeepsTheCaretInPlace) {
    const SqlText sql{"SELECT\n  a", {9, 10}};
    EXPECT_EQ(Told("Binder Error: no a\n\nLINE 3:   a\n          ^", sql, 1),
              "definitions/m.sqlx:10: Binder Error: no a\n\nLINE 10:   a\n           ^");
    const SqlText moved{std::string(20, '\n'), std::vector<int>(21, 5)};
    EXPECT_EQ(Told("Binder Error: no a\n\nLINE 12: a\n         ^", moved, 0),
              "definitions/m.sqlx:5: Binder Error: no a\n\nLINE 5: a\n        ^");
}

TEST(EngineErrorTest, NamesTheFileAloneWhereTheLineIsNotOfTheFile) {
    const SqlText sql{"SELECT 1", {4}};
    EXPECT_EQ(Told("Out of Memory Error", sql, 1), "definitions/m.sqlx: Out of Memory Error");
    EXPECT_EQ(Told("Parser Error: x\n\nLINE 1: CREATE\n        ^", sql, 1),
              "definitions/m.sqlx: Parser Error: x\n\nLINE 1: CREATE\n        ^");
    EXPECT_EQ(Told("Parser Error: x\n\nLINE ?: CREATE", sql, 1),
              "definitions/m.sqlx: Parser Error: x\n\nLINE ?: CREATE");
    EXPECT_EQ(Told("Parser Error: x\n\nLINE 2: a", sql, 1),
              "definitions/m.sqlx:4: Parser Error: x\n\nLINE 4: a");
}

}  // namespace
}  // namespace biwa::transform
