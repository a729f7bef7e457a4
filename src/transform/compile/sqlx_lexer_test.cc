#include "transform/compile/sqlx_lexer.h"

#include <gtest/gtest.h>

#include <string>

namespace biwa::transform {
namespace {

// "text|{placeholder}|text"
std::string Show(const SqlStatement& statement) {
    std::string shown;
    for (const auto& part : statement) {
        if (!shown.empty()) shown += '|';
        shown += part.kind == SqlPart::Kind::kText ? std::string(part.source.text)
                                                   : "{" + std::string(part.source.text) + "}";
    }
    return shown;
}

std::string ShowOnly(std::string_view text) {
    const auto file = LexSqlx(text);
    if (!file) return "error: " + file.error().message;
    if (file->statements.size() != 1) return std::to_string(file->statements.size());
    return Show(file->statements[0]);
}

TEST(SqlxLexerTest, PartsTheBlocksOfAFile) {
    const auto file = LexSqlx(
        "config {\n  type: \"table\",\n  columns: {a: \"}\"}\n}\n"
        "js { const a = {b: `}${'}'}`}; }\n"
        "SELECT 1\n"
        "pre_operations {\n  SELECT {'a': 1}\n  ---\n  SELECT '}'\n}\n"
        "post_operations { SELECT 2 }\n");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->config->text, "{\n  type: \"table\",\n  columns: {a: \"}\"}\n}");
    ASSERT_EQ(file->js.size(), 1u);
    EXPECT_EQ(file->js[0].text, " const a = {b: `}${'}'}`}; ");
    ASSERT_EQ(file->pre_operations.size(), 2u);
    EXPECT_EQ(Show(file->pre_operations[0]), "\n  SELECT {'a': 1}\n  ");
    EXPECT_EQ(Show(file->pre_operations[1]), "\n  SELECT '}'\n");
    ASSERT_EQ(file->post_operations.size(), 1u);
    ASSERT_EQ(file->statements.size(), 1u);
}

TEST(SqlxLexerTest, FindsPlaceholdersInSqlAndStringsAndNotInComments) {
    EXPECT_EQ(ShowOnly("SELECT ${a} FROM b"), "SELECT |{a}| FROM b");
    EXPECT_EQ(ShowOnly("SELECT '${a}'"), "SELECT '|{a}|'");
    EXPECT_EQ(ShowOnly("SELECT \"${a}\""), "SELECT \"|{a}|\"");
    EXPECT_EQ(ShowOnly("SELECT 1 -- ${a}"), "SELECT 1 -- ${a}");
    EXPECT_EQ(ShowOnly("SELECT 1 /* ${a} */"), "SELECT 1 /* ${a} */");
    EXPECT_EQ(ShowOnly("SELECT '--', ${a}"), "SELECT '--', |{a}");
    EXPECT_EQ(ShowOnly("${when(x, `a ${ref({name: \"}\"})} b`)}"),
              "{when(x, `a ${ref({name: \"}\"})} b`)}");
    EXPECT_EQ(ShowOnly("SELECT '日本 ${語}'"), "SELECT '日本 |{語}|'");
}

TEST(SqlxLexerTest, ReadsStringsAsTheWarehouseDoes) {
    EXPECT_EQ(ShowOnly("SELECT '''', ${a} -- it's"), "SELECT '''', |{a}| -- it's");
    EXPECT_EQ(ShowOnly("SELECT '\\', ${a} -- it's"), "SELECT '\\', |{a}| -- it's");
    EXPECT_EQ(ShowOnly("SELECT E'\\'', ${a} -- it's"), "SELECT E'\\'', |{a}| -- it's");
    // Escapes count behind a doubled quote as before it.
    EXPECT_EQ(ShowOnly("SELECT E'a''b\\'${x}' -- '"), "SELECT E'a''b\\'|{x}|' -- '");
    EXPECT_EQ(ShowOnly("SELECT E'''' || '${x}' || ''''"), "SELECT E'''' || '|{x}|' || ''''");
    EXPECT_FALSE(LexSqlx("SELECT E'a''\\'"));
    EXPECT_EQ(ShowOnly("SELECT $$it's$$ -- '"), "SELECT $$it's$$ -- '");
    // BigQuery's quoted names.
    EXPECT_EQ(ShowOnly("SELECT `l'an --`, `${a}` -- '${b}"), "SELECT `l'an --`, `|{a}|` -- '${b}");
    EXPECT_FALSE(LexSqlx("SELECT `a"));
}

TEST(SqlxLexerTest, SeparatesStatementsByALineThatEndsInThreeDashes) {
    const auto file = LexSqlx("SELECT 1\n---\nSELECT 2 ---  \n\n---\n--- a comment\nSELECT 3");
    ASSERT_TRUE(file);
    ASSERT_EQ(file->statements.size(), 3u);
    EXPECT_EQ(Show(file->statements[1]), "\nSELECT 2 ");
    EXPECT_EQ(Show(file->statements[2]), "\n--- a comment\nSELECT 3");
}

TEST(SqlxLexerTest, KnowsBlocksOnlyWhereTheyCanBe) {
    EXPECT_EQ(ShowOnly("SELECT 'config { }', my_config {}"), "SELECT 'config { }', my_config {}");
    EXPECT_EQ(ShowOnly("SELECT js, config FROM input"), "SELECT js, config FROM input");
}

TEST(SqlxLexerTest, NamesTheBeginningOfWhatNeverEnds) {
    const struct {
        std::string text;
        std::size_t offset;
    } kBad[] = {{"SELECT 'a", 7},           {"SELECT \"a", 7},
                {"SELECT /* a", 7},         {"SELECT ${a", 8},
                {"config { a: {}", 7},      {"pre_operations { SELECT '}'", 15},
                {"SELECT ${when(`a)}", 14}, {"SELECT $$ a", 7}};
    for (const auto& bad : kBad) {
        const auto file = LexSqlx(bad.text);
        ASSERT_FALSE(file) << bad.text;
        EXPECT_NE(file.error().message.find("never closed"), std::string::npos) << bad.text;
        EXPECT_EQ(file.error().offset, bad.offset) << bad.text;
    }
}

TEST(SqlxLexerTest, ReadsConditionsAndInputs) {
    const auto file = LexSqlx(
        "incremental_where { a > ${b} }\nSELECT 1\n"
        "input \"t\" { SELECT {'a': 1} }\ninput \"d\",\n  \"t\" {\n SELECT 2 }\n");
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_EQ(file->incremental_where.size(), 1u);
    EXPECT_EQ(Show(file->incremental_where[0]), " a > |{b}| ");
    ASSERT_EQ(file->inputs.size(), 2u);
    EXPECT_EQ(file->inputs[0].names[0].text, "t");
    EXPECT_EQ(Show(file->inputs[0].statements[0]), " SELECT {'a': 1} ");
    ASSERT_EQ(file->inputs[1].names.size(), 2u);
    EXPECT_EQ(file->inputs[1].names[1].text, "t");
    ASSERT_EQ(file->statements.size(), 1u);
    EXPECT_EQ(Show(file->statements[0]), "\nSELECT 1\n|\n|\n");
    for (const auto* sql :
         {"SELECT input \"t\" FROM a", "SELECT input", "SELECT 1 AS input, \"a\""})
        EXPECT_EQ(ShowOnly(sql), sql);
    EXPECT_FALSE(LexSqlx("input \"a\" { SELECT 1"));
}

TEST(SqlxLexerTest, KnowsCommentsFromSql) {
    for (const auto* text : {"-- a", "/* a */ -- b\n", "-- a\n/*\n*/\n--"})
        EXPECT_FALSE(HasSql(LexSqlx(text)->statements.at(0))) << text;
    for (const auto* text : {"-- a\nSELECT", "/* a */ ${b}", "1 -- a"})
        EXPECT_TRUE(HasSql(LexSqlx(text)->statements.at(0))) << text;
}

TEST(SqlxLexerTest, RefusesASecondConfig) {
    EXPECT_FALSE(LexSqlx("config {} config {}"));
    std::string deep;
    for (int i = 0; i < 10'000; ++i) deep += "${`";
    EXPECT_FALSE(LexSqlx(deep));
}

}  // namespace
}  // namespace biwa::transform
