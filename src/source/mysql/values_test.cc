// Values at their edges, in the form of the binary log and of a prepared statement's row. That both
// are what the server means is for tests/e2e/test_mariadb.py.
#include "source/mysql/values.h"

#include <gtest/gtest.h>

#include <cmath>

#include "source/mysql/binlog_testing.h"

namespace biwa::mysql {
namespace {

using std::string_literals::operator""s;

std::string Hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

struct Read {
    bool ok = false, is_null = false;
    std::uint64_t unrepresentable = 0;
    RowStore store;

    template <typename T>
    T As() const {
        return store.cells(0).Get<T>(0);
    }
    std::string Text() const { return std::string(store.cells(0).GetString(0)); }
};

Read ReadOne(ColumnInfo info, const std::string& bytes, bool is_result = false) {
    const auto decoder = DecoderFor(std::move(info));
    Read read;
    read.store = RowStore({{"v", decoder.type, true, "", {}}});
    DecodeContext context;
    context.arena = &read.store.arena();
    read.store.AddRow();
    read.ok = (is_result ? decoder.result : decoder.binlog)(decoder, bytes, read.store.cells(0), 0,
                                                            context);
    read.is_null = read.store.cells(0).IsNull(0);
    read.unrepresentable = context.unrepresentable;
    return read;
}

ColumnInfo Info(FieldType type, std::uint16_t meta = 0, bool is_unsigned = false) {
    ColumnInfo info;
    info.name = "v";
    info.type = type;
    info.meta = meta;
    info.is_unsigned = is_unsigned;
    return info;
}

TEST(ValuesTest, IntegersHaveTheirSign) {
    EXPECT_EQ(ReadOne(Info(FieldType::kTiny), Hex("80")).As<std::int16_t>(), -128);
    EXPECT_EQ(ReadOne(Info(FieldType::kTiny, 0, true), Hex("80")).As<std::int16_t>(), 128);
    EXPECT_EQ(ReadOne(Info(FieldType::kInt24), Hex("000080")).As<std::int32_t>(), -8'388'608);
    EXPECT_EQ(ReadOne(Info(FieldType::kInt24), Hex("000080ff"), true).As<std::int32_t>(),
              -8'388'608);
    EXPECT_EQ(ReadOne(Info(FieldType::kInt24, 0, true), Hex("000080")).As<std::int32_t>(),
              8'388'608);
    EXPECT_EQ(ReadOne(Info(FieldType::kLong, 0, true), Hex("ffffffff")).As<std::int64_t>(),
              4'294'967'295);
    EXPECT_EQ(ReadOne(Info(FieldType::kLongLong, 0, true), Hex("ffffffffffffffff")).As<Int128>(),
              (Int128{0xffff'ffff'ffff'ffffU, 0}));
}

TEST(ValuesTest, DecimalsOfEveryLength) {
    // 1234567890.1234 as DECIMAL(14,4), and its negative: the example of the server's decimal.c.
    const auto info = Info(FieldType::kDecimal, 14 << 8 | 4);
    EXPECT_EQ(ReadOne(info, Hex("810dfb38d204d2")).As<std::int64_t>(), 12'345'678'901'234);
    EXPECT_EQ(ReadOne(info, Hex("7ef204c72dfb2d")).As<std::int64_t>(), -12'345'678'901'234);
    EXPECT_EQ(ReadOne(info, "1234567890.1234", true).As<std::int64_t>(), 12'345'678'901'234);
    EXPECT_EQ(ReadOne(info, "-0.0001", true).As<std::int64_t>(), -1);
    EXPECT_FALSE(ReadOne(info, Hex("810dfb38d204")).ok);
    EXPECT_FALSE(ReadOne(info, Hex("ff0dfb38d204d2")).ok);  // more than nine in a group's place
    for (const char* bad : {"", "-", ".", "1.23", "1.23456", "1e5", "1.2.3", "12345678901.0000"}) {
        EXPECT_FALSE(ReadOne(info, bad, true).ok) << bad;
    }
    EXPECT_EQ(DecimalBytes(65, 30), 30u);
}

TEST(ValuesTest, DatesThatDoNotExistAreNullAndCounted) {
    const auto date = Info(FieldType::kDate);
    EXPECT_EQ(ReadOne(date, Hex("79d50f")).As<std::int32_t>(), 20'782);  // 2026-11-25
    for (const char* none : {"000000", "00d40f", "5fd40f"}) {  // 0000-00-00, 2026-00-00, 2026-02-31
        const auto read = ReadOne(date, Hex(none));
        EXPECT_TRUE(read.ok && read.is_null && read.unrepresentable == 1) << none;
    }
    const auto zero = ReadOne(Info(FieldType::kTimestamp2, 0), Hex("00000000"));
    EXPECT_TRUE(zero.ok && zero.is_null && zero.unrepresentable == 1);
    EXPECT_TRUE(ReadOne(date, "", true).is_null);
    EXPECT_FALSE(ReadOne(date, Hex("79d5")).ok);
}

TEST(ValuesTest, TimesMayBeNegativeAndHaveFractions) {
    const auto micros = [](std::uint16_t decimals, const char* hex) {
        return ReadOne(Info(FieldType::kTime2, decimals), Hex(hex)).As<IntervalCell>().micros;
    };
    EXPECT_EQ(micros(0, "800001"), 1'000'000);
    EXPECT_EQ(micros(0, "7fffff"), -1'000'000);
    EXPECT_EQ(micros(2, "7fffffff"), -10'000);
    EXPECT_EQ(micros(6, "7fffffffffff"), -1);
    EXPECT_EQ(micros(6, "800000000001"), 1);
    EXPECT_EQ(micros(0, "b46efb"), 838 * 3'600'000'000LL + 59 * 60'000'000LL + 59'000'000);
    EXPECT_FALSE(ReadOne(Info(FieldType::kTime2, 6), Hex("800000")).ok);
}

TEST(ValuesTest, BytesAreFilledUpAndTextIsConverted) {
    EXPECT_EQ(ReadOne(Info(FieldType::kString, 4), "a").Text(), std::string("a\0\0\0", 4));
    EXPECT_EQ(ReadOne(Info(FieldType::kVarchar, 4), "a").Text(), "a");
    EXPECT_FALSE(ReadOne(Info(FieldType::kString, 4), "abcde").ok);
    auto text = Info(FieldType::kVarchar, 40);
    text.characters = AnyTable::Latin1();
    EXPECT_EQ(ReadOne(text, "caf\xe9 \x80").Text(), "café €");
    text.characters = AnyTable::Utf8();
    EXPECT_EQ(ReadOne(text, "日本").Text(), "日本");
    EXPECT_TRUE(ReadOne(text, "\xff").is_null);
}

TEST(ValuesTest, EnumsAndSetsByTheirNames) {
    auto info = Info(FieldType::kEnum, 1);
    info.values = {"a", "b"};
    EXPECT_EQ(ReadOne(info, Hex("02")).Text(), "b");
    EXPECT_EQ(ReadOne(info, Hex("00")).Text(), "");
    EXPECT_FALSE(ReadOne(info, Hex("03")).ok);
    info.type = FieldType::kSet;
    EXPECT_EQ(ReadOne(info, Hex("03")).Text(), "a,b");
    EXPECT_EQ(ReadOne(info, Hex("00")).Text(), "");
    EXPECT_FALSE(ReadOne(info, Hex("04")).ok);
}

TEST(TakeValueTest, TakesNoMoreThanThereIs) {
    using Form = ValueSize::Form;
    const auto take = [](ValueSize size, std::string_view rest) -> std::string {
        std::string_view value;
        if (!TakeValue(size, rest, value)) return "none";
        return std::string(value) + "," + std::string(rest);
    };
    EXPECT_EQ(take({Form::kFixed, 2}, "abc"), "ab,c");
    EXPECT_EQ(take({Form::kFixed, 4}, "abc"), "none");
    EXPECT_EQ(take({Form::kPrefix, 1}, "\2abc"), "ab,c");
    EXPECT_EQ(take({Form::kPrefix, 2}, std::string_view("\2\0abc", 5)), "ab,c");
    EXPECT_EQ(take({Form::kPrefix, 4}, "\2"), "none");
    EXPECT_EQ(take({Form::kPacked, 0}, "\2abc"), "ab,c");
    EXPECT_EQ(take({Form::kPacked, 0}, std::string_view("\xfc\2\0abc", 6)), "ab,c");
    EXPECT_EQ(take({Form::kPacked, 0}, "\xfe\1"), "none");
    EXPECT_EQ(take({Form::kPacked, 0}, ""), "none");
    EXPECT_EQ(take({Form::kPrefix, 1}, "\5abc"), "none");
}

TEST(ValuesTest, CompressedValuesAreUncompressed) {
    // "aaaa…", fifty of them, by zlib and by its deflate alone (Python's zlib); the length in a
    // byte.
    const auto zlib = Hex("789c4b4c24150000e35c12f3");
    const auto raw = zlib.substr(2, zlib.size() - 6);
    auto info = Info(FieldType::kBlobCompressed, 2);
    EXPECT_EQ(ReadOne(info, "\x81\x32"s + zlib).Text(), std::string(50, 'a'));
    EXPECT_EQ(ReadOne(info, "\x89\x32"s + raw).Text(), std::string(50, 'a'));
    EXPECT_EQ(ReadOne(info, "\0short"s).Text(), "short");
    EXPECT_EQ(ReadOne(info, "").Text(), "");
    EXPECT_EQ(ReadOne(info, "not compressed in a result", true).Text(),
              "not compressed in a result");
    for (const auto& broken : {"\x81\x31"s + zlib, "\x81\x33"s + zlib, "\x89\x32"s + zlib,
                               "\x91\x32"s + zlib, "\x80"s + zlib, "\x84\xff\xff\xff\xff"s + zlib,
                               "\x81\x32"s + zlib.substr(0, 9), "\x81"s, "\x01"s}) {
        EXPECT_FALSE(ReadOne(info, broken).ok) << broken.size();
    }
    info.characters = AnyTable::Latin1();
    const auto text = ReadOne(info, "\0\xe9"s);
    EXPECT_EQ(text.Text(), "é");
}

TEST(ValuesTest, VectorsAreListsOfFloats) {
    const auto info = Info(FieldType::kVector, 4);
    const auto read = ReadOne(info, "\0\0\xc0\x3f\0\0\0\x80"s);
    ASSERT_TRUE(read.ok);
    const auto list = read.As<ListCell>();
    ASSERT_EQ(list.length, 2u);
    const auto& child = *read.store.cells(0).child;
    EXPECT_EQ(child.Get<float>(list.offset), 1.5F);
    EXPECT_TRUE(std::signbit(child.Get<float>(list.offset + 1)));
    EXPECT_FALSE(ReadOne(info, "\0\0\xc0"s).ok);
}

}  // namespace
}  // namespace biwa::mysql
