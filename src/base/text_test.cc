#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/clock.h"

namespace biwa {
namespace {

TEST(TextTest, QuotesNamesAndLiterals) {
    EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
    EXPECT_EQ(QuoteIdentifier(""), "\"\"");
    EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
}

TEST(TextTest, SuggestsOnlyWhatCanHaveBeenMeant) {
    const std::vector<std::string> names = {"answers", "students", "学習記録"};
    EXPECT_EQ(DidYouMean("anwsers", names), "answers");
    EXPECT_EQ(DidYouMean("student", names), "students");
    EXPECT_EQ(DidYouMean("学習記緑", names), "学習記録");
    EXPECT_EQ(DidYouMean("invoices", names), "");
    EXPECT_EQ(DidYouMean("x", {}), "");
}

TEST(TextTest, SplitsJoinsAndTrims) {
    EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
    EXPECT_EQ(Split("", ','), std::vector<std::string>{""});
    EXPECT_EQ(Join(Split("a,,b", ','), "-"), "a--b");
    EXPECT_EQ(Trim(" \t a b \r\n"), "a b");
    EXPECT_EQ(Trim(" \n "), "");
}

TEST(TextTest, KnowsValidUtf8) {
    for (auto good :
         {"", "a", "é", "日本語", "\xF0\x9F\x98\x80", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"})
        EXPECT_TRUE(IsValidUtf8(good)) << good;
    for (auto bad :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE6\x97", "a\xE6", "\xE6\x97z"})
        EXPECT_FALSE(IsValidUtf8(bad)) << bad;
}

TEST(TextTest, WritesNumbersForPeople) {
    EXPECT_EQ(HumanCount(0), "0");
    EXPECT_EQ(HumanCount(-1234), "-1,234");
    EXPECT_EQ(HumanCount(123), "123");
    EXPECT_EQ(HumanCount(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
    EXPECT_EQ(HumanBytes(999), "999 B");
    EXPECT_EQ(HumanBytes(1'500'000), "1.5 MB");
    EXPECT_EQ(HumanBytes(999'960), "1.0 MB");
    EXPECT_EQ(HumanBytes(std::numeric_limits<std::uint64_t>::max()), "18447 PB");
    EXPECT_EQ(HumanSeconds(0.0324), "32 ms");
    EXPECT_EQ(HumanSeconds(0.9999), "1.0 s");
    EXPECT_EQ(HumanSeconds(59.99), "1 min 0 s");
    EXPECT_EQ(HumanSeconds(200), "3 min 20 s");
    EXPECT_EQ(HumanSeconds(90'000), "1 d 1 h");
}

TEST(TextTest, HidesPasswordsWhereverTheyStand) {
    EXPECT_EQ(HidePasswords("postgres://u:secret@h/db"), "postgres://u:***@h/db");
    EXPECT_EQ(HidePasswords("postgres://u:se@cr/e:t@h/db rest"), "postgres://u:***@h/db rest");
    EXPECT_EQ(HidePasswords("postgres://u@h/db"), "postgres://u@h/db");
    EXPECT_EQ(HidePasswords("http://h:8080/a"), "http://h:8080/a");
    EXPECT_EQ(HidePasswords("two a://u:x@h b://u:y@h"), "two a://u:***@h b://u:***@h");
    EXPECT_EQ(HidePasswords("host=h password=secret user=u"), "host=h password=*** user=u");
    EXPECT_EQ(HidePasswords("PASSWORD = 'a \\' b' user=u"), "PASSWORD = *** user=u");
    EXPECT_EQ(HidePasswords("?password=a%20b&user=u"), "?password=***&user=u");
    EXPECT_EQ(HidePasswords("password='unclosed secret"), "password=***");
    EXPECT_EQ(HidePasswords("password authentication failed"), "password authentication failed");
    EXPECT_EQ(HidePasswords(std::string(1 << 20, 'a') + "password=x").size(), (1u << 20) + 12);
}

TEST(ClockTest, WritesInstantsOfAnyAge) {
    EXPECT_EQ(ToIso8601(0), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(ToIso8601(-1), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(ToIso8601(1'795'410'367'123'456), "2026-11-23T05:06:07.123456Z");
    EXPECT_NE(ToIso8601(std::numeric_limits<Micros>::min()), "");
}

}  // namespace
}  // namespace biwa
