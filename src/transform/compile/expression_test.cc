#include "transform/compile/expression.h"

#include <gtest/gtest.h>

#include <string>

namespace biwa::transform {
namespace {

using Kind = Expression::Kind;

std::string Text(std::string_view source) {
    const auto expression = ParseExpression(source, 0);
    if (!expression) return "error: " + expression.error().message;
    return expression->text;
}

TEST(ExpressionTest, ReadsAnObjectAsJavaScriptDoes) {
    const auto object = ParseExpression(R"({
        // a comment
        type: "table", 'tags': ["a", 'b',], /* another */
        nested: {n: -1.5e2, yes: true, none: null},
        text: `two
lines`,
    })",
                                        0);
    ASSERT_TRUE(object) << object.error().message;
    EXPECT_EQ(object->Find("type")->text, "table");
    ASSERT_EQ(object->Find("tags")->items.size(), 2u);
    EXPECT_EQ(object->Find("tags")->items[1].text, "b");
    EXPECT_EQ(object->Find("nested")->Find("n")->number, -150);
    EXPECT_TRUE(object->Find("nested")->Find("yes")->truth);
    EXPECT_EQ(object->Find("nested")->Find("none")->kind, Kind::kNull);
    EXPECT_EQ(object->Find("text")->text, "two\nlines");
    EXPECT_EQ(object->Find("absent"), nullptr);
}

TEST(ExpressionTest, ReadsEscapesOfStrings) {
    EXPECT_EQ(Text(R"('it\'s')"), "it's");
    EXPECT_EQ(Text(R"("a\tb\\c\
d")"),
              "a\tb\\cd");
    EXPECT_EQ(Text(R"("\u65e5\u{672c}\x41\uD83D\uDE00")"), "日本A😀");
    EXPECT_EQ(Text(R"(`\`\${a}`)"), "`${a}");
    for (const auto* bad : {R"("\u12")", R"("\u{110000}")", R"("\xg0")", R"("\uD83D")", R"("\1")"})
        EXPECT_EQ(Text(bad), "error: this is no escape that JavaScript knows") << bad;
}

TEST(ExpressionTest, ReadsCallsNamesAndTemplates) {
    const auto call = ParseExpression("when(incremental(), `a ${ref('b')} c`)", 100);
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_EQ(call->kind, Kind::kCall);
    EXPECT_EQ(call->text, "when");
    ASSERT_EQ(call->items.size(), 2u);
    EXPECT_EQ(call->items[1].kind, Kind::kTemplate);
    EXPECT_EQ(call->items[1].texts[1].text, " c");
    EXPECT_EQ(call->items[1].items[0].items[0].text, "b");
    EXPECT_EQ(call->items[1].offset, 120u);
    EXPECT_EQ(Text("dataform.projectConfig.vars['a']"), "dataform.projectConfig.vars.a");
}

TEST(ExpressionTest, TellsWhatIsBeyondIt) {
    for (const auto* bad : {"a + b", "() => 1", "f()()", "f(x).y", "a ? b : c", "{...a}", "{a}", "",
                            "1n", "[1 2]", "ref(\"a\"", "`${a b}`"}) {
        EXPECT_FALSE(ParseExpression(bad, 0)) << bad;
    }
    const auto plus = ParseExpression("ref('a') + 1", 10);
    EXPECT_EQ(plus.error().offset, 19u);
    EXPECT_NE(plus.error().message.find("found \"+ 1\", expected a literal"), std::string::npos)
        << plus.error().message;
}

TEST(ExpressionTest, RefusesBrokenLiterals) {
    for (const auto* bad :
         {"\"a", "'a\nb'", "`a", "{a: 1", "{a: 1, a: 2}", "{a 1}", "[1,", "\"a\" \"b\""})
        EXPECT_FALSE(ParseExpression(bad, 0)) << bad;
    EXPECT_FALSE(ParseExpression(std::string(10'000, '['), 0));
    EXPECT_FALSE(ParseExpression(std::string(10'000, '!'), 0));
}

}  // namespace
}  // namespace biwa::transform
