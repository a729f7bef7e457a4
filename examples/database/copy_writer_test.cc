#include "database/copy_writer.h"

#include <gtest/gtest.h>

namespace biwa::examples {
namespace {

// The fields' bytes behind the header of 19.
std::string Bytes(const CopyBuffer& buffer) { return buffer.bytes().substr(19); }
std::string Literal(std::initializer_list<int> bytes) {
    std::string text;
    for (int byte : bytes) text.push_back(static_cast<char>(byte));
    return text;
}

TEST(CopyBufferTest, StartsWithTheSignatureAndEndsWithAMinusOne) {
    CopyBuffer buffer;
    buffer.Finish();
    EXPECT_EQ(buffer.bytes(),
              std::string("PGCOPY\n\377\r\n\0", 11) + std::string(8, '\0') + "\377\377");
}

TEST(CopyBufferTest, WritesNumericsInGroupsOfFourDigitsAroundThePoint) {
    // 12345.67: digits 1, 2345, 6700; the first weighs 10000^1
    CopyBuffer buffer;
    buffer.Numeric(1'234'567, 2);
    EXPECT_EQ(Bytes(buffer), Literal({0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 9, 41, 26, 44}));
}

TEST(CopyBufferTest, WritesNegativeAndZeroNumerics) {
    CopyBuffer negative;
    negative.Numeric(-5, 1);  // digit 5000 of weight -1
    EXPECT_EQ(Bytes(negative), Literal({0, 0, 0, 10, 0, 1, 255, 255, 64, 0, 0, 1, 19, 136}));
    CopyBuffer zero;
    zero.Numeric(0, 1);
    EXPECT_EQ(Bytes(zero).substr(0, 6), Literal({0, 0, 0, 8, 0, 0}));
}

TEST(CopyBufferTest, CountsTimesFromTheYear2000) {
    CopyBuffer buffer;
    buffer.Date(10'957).TimestampTz(946'684'800'000'001);
    EXPECT_EQ(Bytes(buffer), Literal({0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1}));
}

TEST(CopyBufferTest, WritesArraysWithTheirLength) {
    CopyBuffer empty;
    empty.TextArray({});
    EXPECT_EQ(Bytes(empty), Literal({0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25}));
    CopyBuffer one;
    one.TextArray({"ab"});
    EXPECT_EQ(Bytes(one), Literal({0,  0, 0, 26, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,   0,
                                   25, 0, 0, 0,  1, 0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b'}));
}

}  // namespace
}  // namespace biwa::examples
