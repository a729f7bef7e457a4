#include "transform/syntax/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "transform/compile/compile.h"
#include "transform/syntax/sqlx_outline.h"

namespace biwa::transform {
namespace {

// What comes of a text, having looked that it stays so.
std::string Format(std::string_view text) {
    const auto formatted = FormatSqlx(text);
    if (!formatted) return formatted.error().message;
    EXPECT_EQ(FormatSqlx(*formatted).value_or("(a problem)"), *formatted);
    return *formatted;
}

TEST(FormatTest, ConfigAndClausesGetTheirPlaces) {
    EXPECT_EQ(Format("config{type:\"table\",\n  tags:['a','b'] , assertions : {nonNull:[\"id\"]}}\n"
                     "\n\n\nselect   a,\n  b\n    from ${ref(\"t\")}   \n  where a\n  and b\n\n\n"),
              "config { type: \"table\", tags: ['a', 'b'], assertions: { nonNull: [\"id\"] } }\n\n"
              "select   a,\n  b\nfrom ${ref(\"t\")}\nwhere a\n  and b\n");
}

TEST(FormatTest, AnObjectBegunOnALineOfItsOwnStaysBroken) {
    EXPECT_EQ(
        Format("config {\ntype: \"view\", // 種類\n\n\n/* of each\ncolumn */\ncolumns: {\n a: "
               "'x', b: f(1,\n 2)},\ntags: [\"a\"]\n}\nSELECT 1"),
        "config {\n  type: \"view\", // 種類\n\n  /* of each\ncolumn */\n  columns: {\n    a: "
        "'x',\n    b: f(1,\n 2)\n  },\n  tags: [\"a\"]\n}\n\nSELECT 1\n");
}

TEST(FormatTest, ALongObjectIsBrokenItemByItem) {
    const std::string name(60, 'n');
    EXPECT_EQ(Format("config { type: \"table\", name: \"" + name + "\", description: \"" + name +
                     "\" }\nSELECT 1"),
              "config {\n  type: \"table\",\n  name: \"" + name + "\",\n  description: \"" + name +
                  "\"\n}\n\nSELECT 1\n");
}

TEST(FormatTest, ParenthesesAndCasesAreTwoFurtherIn) {
    EXPECT_EQ(Format("WITH a AS (\nSELECT *,\nCASE\nWHEN x THEN 1\nELSE (\n2\n)\nEND AS y\n"
                     "FROM t\n),\nb AS (\nSELECT 1\n)\nSELECT *\nFROM a\nLEFT JOIN b\n"
                     "ON a.x = b.x AND (\na.y\n)\nORDER BY 1"),
              "WITH a AS (\n  SELECT *,\n    CASE\n      WHEN x THEN 1\n      ELSE (\n        2\n"
              "      )\n    END AS y\n  FROM t\n),\nb AS (\n  SELECT 1\n)\nSELECT *\nFROM a\n"
              "LEFT JOIN b\n  ON a.x = b.x AND (\n    a.y\n  )\nORDER BY 1\n");
}

TEST(FormatTest, CommentsStandAsTheLineBelowAndWhenAsAClause) {
    EXPECT_EQ(
        Format("SELECT a,\n-- of b\nb -- 末尾  \n-- of FROM\nFROM t\n   ${when(incremental(), "
               "`WHERE x\n   > 1`)}\n"),
        "SELECT a,\n  -- of b\n  b -- 末尾\n-- of FROM\nFROM t\n${when(incremental(), "
        "`WHERE x\n   > 1`)}\n");
}

TEST(FormatTest, StatementsAreSetApart) {
    EXPECT_EQ(
        Format("config { type: \"operations\" }\nDELETE FROM a ---\n  DELETE FROM b\n---\n---\n"
               "DELETE FROM c"),
        "config { type: \"operations\" }\n\nDELETE FROM a\n\n---\n\nDELETE FROM b\n\n---\n\n"
        "---\n\nDELETE FROM c\n");
}

TEST(FormatTest, BlocksStandOnLinesOfTheirOwn) {
    EXPECT_EQ(Format("-- about\nconfig { type: \"table\" } js { const a = `x  \n  y`;  \n}\n"
                     "pre_operations{ SET x = {'a': 1} }\nSELECT 1 post_operations {\n}"),
              "-- about\nconfig { type: \"table\" }\n\njs { const a = `x  \n  y`;  \n}\n\n"
              "pre_operations {\n  SET x = {'a': 1}\n}\n\nSELECT 1\n\npost_operations {\n}\n");
}

TEST(FormatTest, StringsCommentsAndPlaceholdersStayAsTheyAre) {
    for (const std::string_view text :
         {"SELECT '  a\n  \t b  '\n", "SELECT E'it\\'s\n  x'\n", "SELECT $$ a\n  b $$\n",
          "SELECT \"a  \n  b\"\n", "/* a  \n      b */\nSELECT 1\n", "SELECT ${  ref( \"x\" )  }\n",
          "SELECT 'a${ `  \n  }` }b'\n", "SELECT 'it''s  \n    x'\n"}) {
        EXPECT_EQ(Format(text), text);
    }
}

TEST(FormatTest, LineEndsAreTheFilesOwn) {
    EXPECT_EQ(Format("SELECT a,\r\nb\r\n\r\n\r\nFROM t"), "SELECT a,\r\n  b\r\n\r\nFROM t\r\n");
    // "\n" inside of the string is not "\r\n", and must not become it.
    EXPECT_EQ(Format("SELECT\r\n'a\nb'"), "SELECT\n  'a\nb'\n");
    EXPECT_EQ(Format(""), "");
    EXPECT_EQ(Format(" \n\n"), "");
}

TEST(FormatTest, WhatIsNotWellFormedIsLeftAloneAndNamed) {
    EXPECT_EQ(Format("SELECT 'a"), "this string is never closed by '");
    EXPECT_EQ(Format("config { type: \"view\""), "this brace is never closed");
    EXPECT_EQ(Format("a${x}js { }b"),
              "this \"js\" block stands in the midst of SQL: put it on lines of its own");
}

TEST(FormatTest, ConfigsBeyondLiteralsAreTakenAsWritten) {
    EXPECT_EQ(Format("config { ...base, type: x ? \"a\" : \"b\", f() { return  1; } }\nSELECT 1"),
              "config { ...base, type: x ? \"a\" : \"b\", f() { return  1; } }\n\nSELECT 1\n");
    // A comment in front of a comma.
    EXPECT_EQ(Format("config { type: \"view\" // x\n , name: \"b\" }\nSELECT 1"),
              "config { type: \"view\" // x\n , name: \"b\" }\n\nSELECT 1\n");
    // A string that ends with its line: what would be put behind it would be in it.
    EXPECT_EQ(Format("config {a: x \"\n, b: 1 }\nSELECT 1"),
              "config {a: x \"\n, b: 1 }\n\nSELECT 1\n");
    EXPECT_EQ(Format("config {\"a\n: 1, b: 1 }\nSELECT 1"),
              "config {\"a\n: 1, b: 1 }\n\nSELECT 1\n");
}

TEST(MeansTheSameTest, SeesWhatMayNotChange) {
    EXPECT_TRUE(MeansTheSame("config {a:1}\nSELECT  1", "config { a: 1 }\n\nSELECT  1\n"));
    for (const std::string_view other :
         {"SELECT a  + b", "SELECT a +\nb", "SELECT a+ b", "SELECT a + c", "SELECT a + b --",
          "js {}\nSELECT a + b"}) {
        EXPECT_FALSE(MeansTheSame("SELECT a + b", other)) << other;
    }
    EXPECT_FALSE(MeansTheSame("SELECT a_ ${x}", "SELECT a_${x}"));
    EXPECT_FALSE(MeansTheSame("SELECT 1 -- c\n+ 1", "SELECT 1 -- c + 1"));
    EXPECT_FALSE(MeansTheSame("config { a: 1 }", "config { a: 2 }"));
}

// Without white space.
std::string Bare(std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
    return text;
}

// The models of the goldens and the examples: they compile to the same, white space aside.
TEST(FormatTest, RealModelsCompileToTheSame) {
    int files = 0;
    for (const std::filesystem::path root : {"tests/golden/compile", "examples"}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
            if (entry.path().extension() != ".sqlx") continue;
            const auto text = ReadFile(entry.path());
            ASSERT_TRUE(text);
            const auto formatted = FormatSqlx(*text);
            if (!formatted) continue;  // a golden of an error
            ++files;
            CompileInput before;
            before.files = {{"definitions/a.sqlx", *text}};
            before.stream_datasets = {"app", "staging", "mart"};
            auto after = before;
            after.files[0].text = *formatted;
            const auto one = Compile(before);
            const auto other = Compile(after);
            ASSERT_EQ(one.has_value(), other.has_value()) << entry.path();
            if (!one) continue;
            ASSERT_EQ(one->actions.size(), other->actions.size());
            for (std::size_t i = 0; i < one->actions.size(); ++i) {
                EXPECT_EQ(Bare(one->actions[i].full.query.sql),
                          Bare(other->actions[i].full.query.sql))
                    << entry.path();
            }
        }
    }
    EXPECT_GT(files, 20);
}

}  // namespace
}  // namespace biwa::transform
