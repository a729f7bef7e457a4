#include "source/mysql/json_binary.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace biwa::mysql {
namespace {

std::string Bytes(std::initializer_list<int> bytes) {
    std::string text;
    for (const int byte : bytes) text += static_cast<char>(byte);
    return text;
}

TEST(JsonTextTest, WritesScalarsAsMySqlDoes) {
    EXPECT_EQ(JsonText(Bytes({4, 0})), "null");
    EXPECT_EQ(JsonText(Bytes({4, 1})), "true");
    EXPECT_EQ(JsonText(Bytes({5, 0xff, 0xff})), "-1");
    EXPECT_EQ(JsonText(Bytes({6, 0xff, 0xff})), "65535");
    EXPECT_EQ(JsonText(Bytes({9, 0, 0, 0, 0, 0, 0, 0, 0x80})), "-9223372036854775808");
    EXPECT_EQ(JsonText(Bytes({10, 255, 255, 255, 255, 255, 255, 255, 255})),
              "18446744073709551615");
    EXPECT_EQ(JsonText(Bytes({11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f})), "1.0");
    EXPECT_EQ(JsonText(Bytes({12, 4, 'a', '"', '\n', 1})), "\"a\\\"\\n\\u0001\"");
    EXPECT_EQ(JsonText(Bytes({12, 0})), "\"\"");
    EXPECT_EQ(JsonText(""), "null");
}

TEST(JsonTextTest, WritesObjectsAndArrays) {
    const auto seed = ReadFile("fuzz/mysql_values_seeds/json");
    ASSERT_TRUE(seed);
    EXPECT_EQ(JsonText(std::string_view(*seed).substr(1)),
              "{\"a\": [1, 2.5, null], \"b\": \"x\\n\"}");
    EXPECT_EQ(JsonText(Bytes({0, 0, 0, 4, 0})), "{}");
    EXPECT_EQ(JsonText(Bytes({2, 0, 0, 4, 0})), "[]");
}

TEST(JsonTextTest, WritesDecimalsDatesAndBytes) {
    // DECIMAL(3,2) of 1.25; 2015-01-15 23:24:25; bytes of a BLOB.
    EXPECT_EQ(JsonText(Bytes({15, 246, 4, 3, 2, 0x81, 0x19})), "1.25");
    EXPECT_EQ(JsonText(Bytes({15, 12, 8, 0, 0, 0, 0x19, 0x76, 0x1f, 0x95, 0x19})),
              "\"2015-01-15 23:24:25.000000\"");
    EXPECT_EQ(JsonText(Bytes({15, 252, 4, 'a', 'b', 'c', 'd'})), "\"base64:type252:YWJjZA==\"");
}

TEST(JsonTextTest, RefusesWhatIsNoDocument) {
    for (const auto& bad :
         {Bytes({4, 3}), Bytes({4}), Bytes({5, 1}), Bytes({7, 1, 2}), Bytes({12, 5, 'a'}),
          Bytes({12, 1, 0xff}), Bytes({13}), Bytes({0, 1, 0, 4, 0}), Bytes({2, 0xff, 0xff, 4, 0}),
          Bytes({15, 246, 2, 3, 9}), Bytes({11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f})}) {
        EXPECT_EQ(JsonText(bad), std::nullopt);
    }
    // A time of which there is no negative; found by the fuzzer.
    EXPECT_EQ(JsonText(Bytes({15, 11, 8, 0, 0, 0, 0, 0, 0, 0, 0x80})), std::nullopt);
    // An array that holds itself.
    EXPECT_EQ(JsonText(Bytes({2, 1, 0, 7, 0, 2, 0, 0})), std::nullopt);
}

}  // namespace
}  // namespace biwa::mysql
