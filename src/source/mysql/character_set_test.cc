#include "source/mysql/character_set.h"

#include <gtest/gtest.h>

namespace biwa::mysql {
namespace {

std::string Converted(const CharacterSet& set, std::string_view text) {
    std::string utf8;
    return ToUtf8(set, text, utf8) ? utf8 : "(refused)";
}

TEST(IsUtf8Test, KnowsWhatIsWellFormed) {
    for (const char* good : {"", "abc", "é", "日本", "𠮷", "ascii before é", "12345678日12345678",
                             "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(IsUtf8(good)) << good;
    }
    for (const char* bad :
         {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xe6\x97",
          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "12345678\xff"}) {
        EXPECT_FALSE(IsUtf8(bad));
    }
}

TEST(ToUtf8Test, TakesTheLongestCharacterThatTheTableHas) {
    CharacterSet set;
    set.form = CharacterSet::Form::kTable;
    set.single.fill("?");
    set.single['a'] = "a";
    set.single[0xb1] = "ｱ";
    set.longer[0x93fa] = "日";
    set.longer[0x8fb0a1] = "丂";
    EXPECT_EQ(Converted(set, "a\x93\xfa\xb1"), "a日ｱ");
    EXPECT_EQ(Converted(set, "\x8f\xb0\xa1"), "丂");
    EXPECT_EQ(Converted(set, "\x93"), "?");
    EXPECT_EQ(Converted(set, "\x93z"), "??");
}

TEST(ToUtf8Test, ReadsWideCharacters) {
    CharacterSet set;
    set.form = CharacterSet::Form::kUtf16;
    EXPECT_EQ(Converted(set, std::string_view("\0a\x65\xe5\xd8\x42\xdf\xb7", 8)), "a日𠮷");
    EXPECT_EQ(Converted(set, "\xd8\x42\x65\xe5"), "?日");
    EXPECT_EQ(Converted(set, "\xdf\xb7"), "?");
    set.form = CharacterSet::Form::kUtf16Le;
    EXPECT_EQ(Converted(set, "\xe5\x65"), "日");
    set.form = CharacterSet::Form::kUtf32;
    EXPECT_EQ(Converted(set, std::string_view("\0\2\x0b\xb7", 4)), "𠮷");
    EXPECT_EQ(Converted(set, "\xff\xff\xff\xff"), "?");
    set.form = CharacterSet::Form::kUtf8;
    EXPECT_EQ(Converted(set, "\xff"), "(refused)");
}

}  // namespace
}  // namespace biwa::mysql
