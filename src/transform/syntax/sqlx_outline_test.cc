#include "transform/syntax/sqlx_outline.h"

#include <gtest/gtest.h>

#include <string>

#include "transform/syntax/js_tokens.h"

namespace biwa::transform {
namespace {

// "config|sql|…", having looked that nothing is lost.
std::string Kinds(std::string_view text) {
    std::string kinds;
    std::string all;
    for (const auto& section : OutlineSqlx(text)) {
        kinds += std::string(ToString(section.kind)) + (section.closed ? "|" : "…|");
        all += section.text;
        std::string body;
        for (const auto& token : section.sql) body += token.text;
        if (section.HoldsSql()) {
            EXPECT_EQ(body, section.body);
        }
    }
    EXPECT_EQ(all, text);
    return kinds;
}

TEST(OutlineSqlxTest, BlocksAndSqlStandOneBehindAnother) {
    EXPECT_EQ(Kinds("config { a: {b: 1} }\nSELECT 'config {' js { `}` } pre_operations { {} }"),
              "config|sql|js|sql|pre_operations|");
    EXPECT_EQ(Kinds("input \"a\", \"b\" { SELECT 1 } incremental_where { x > 1 }"),
              "input|sql|incremental_where|");
    EXPECT_EQ(Kinds("SELECT input, config, my_config {"), "sql|");
}

TEST(OutlineSqlxTest, WhatIsBeingTypedHasSectionsToo) {
    EXPECT_EQ(Kinds("config {\n  type: \"ta"), "config…|");
    EXPECT_EQ(Kinds("SELECT 'abc\nFROM x"), "sql|");
    EXPECT_EQ(Kinds("SELECT ${ref(\"\nFROM ${ref(\"a\")}"), "sql|");
    EXPECT_EQ(Kinds("pre_operations { SELECT"), "pre_operations…|");
}

TEST(OutlineSqlxTest, AnOpenPlaceholderEndsWithItsLine) {
    const std::string text = "SELECT ${ref(\"\nFROM 生徒";
    const auto sections = OutlineSqlx(text);
    ASSERT_EQ(sections.size(), 1u);
    const auto& tokens = sections[0].sql;
    ASSERT_GT(tokens.size(), 4u);
    EXPECT_EQ(tokens[2].kind, SqlToken::Kind::kPlaceholder);
    EXPECT_EQ(tokens[2].text, "${ref(\"");
    EXPECT_FALSE(tokens[2].closed);
    EXPECT_EQ(tokens.back().text, "生徒");
}

TEST(OutlineSqlxTest, NamesInBackticksAreNames) {
    const auto sections = OutlineSqlx("SELECT `l'an`, 'b'");
    ASSERT_EQ(sections.size(), 1u);
    EXPECT_EQ(sections[0].sql.at(2).kind, SqlToken::Kind::kName);
    EXPECT_EQ(sections[0].sql.at(2).text, "`l'an`");
}

TEST(ScanJsTest, TemplatesHoldTheirPlaceholdersAndStringsEndWithTheirLine) {
    const std::string text = "a(`x ${ref(\"b\")} `, 'open\n) // c";
    const auto tokens = ScanJs(text, 10);
    std::string all;
    for (const auto& token : tokens) all += token.text;
    EXPECT_EQ(all, text);
    EXPECT_EQ(tokens[2].kind, JsToken::Kind::kTemplate);
    const auto pieces = FindPlaceholders(tokens[2].text, tokens[2].offset);
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0].text, "ref(\"b\")");
    EXPECT_EQ(pieces[0].offset, 10 + text.find("ref"));
    EXPECT_EQ(ValueOfString(tokens[5]), "open");
    EXPECT_FALSE(tokens[5].closed);
}

}  // namespace
}  // namespace biwa::transform
