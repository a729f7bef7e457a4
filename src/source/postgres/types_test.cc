#include "source/postgres/types.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "model/row_store.h"
#include "source/postgres/wire_testing.h"

namespace biwa::postgres {
namespace {

constexpr Oid kInt4Array = 1007, kTextArray = 1009, kNumericArray = 1231, kMood = 16'400,
              kMoodArray = 16'401, kPrice = 16'402, kPriceArray = 16'403, kPoint3 = 16'404,
              kPoint3Array = 16'405, kPrices = 16'406, kTable = 16'407, kOdd = 16'408,
              kOddArray = 16'409, kNoBinary = 16'410, kBoxArray = 1020, kPricesArray = 16'411;

const TypeCatalog kTypes = {
    {kInt4Array, {kInt4Array, "_int4", 'b', 0, -1, 23}},
    {kTextArray, {kTextArray, "_text", 'b', 0, -1, 25}},
    {kNumericArray, {kNumericArray, "_numeric", 'b', 0, -1, 1700}},
    {kMood, {kMood, "mood", 'e', 0, -1, 0}},
    {kMoodArray, {kMoodArray, "_mood", 'b', 0, -1, kMood}},
    {kPrice, {kPrice, "price", 'd', 1700, (10 << 16 | 2) + 4, 0}},
    {kPriceArray, {kPriceArray, "_price", 'b', 0, -1, kPrice}},
    {kPrices, {kPrices, "prices", 'd', kPriceArray, -1, 0}},
    {kPoint3, {kPoint3, "point3", 'c', 0, -1, 0}},
    {kPoint3Array, {kPoint3Array, "_point3", 'b', 0, -1, kPoint3}},
    {kTable, {kTable, "table_of_ints", 'd', kInt4Array, -1, 0, 2}},
    {kOdd, {kOdd, "odd", 'b'}},
    {kOddArray, {kOddArray, "_odd", 'b', 0, -1, kOdd}},
    {kNoBinary, {kNoBinary, "no_binary", 'b', 0, -1, 0, 0, ',', ""}},
    {603, {603, "box", 'b', 0, -1, 0, 0, ';'}},
    {kBoxArray, {kBoxArray, "_box", 'b', 0, -1, 603, 0, ';'}},
    {kPricesArray, {kPricesArray, "_prices", 'b', 0, -1, kPrices}},
};

constexpr std::int32_t Numeric(int precision, int scale) {
    return (precision << 16 | (scale & 0x7ff)) + 4;
}

std::string ShowInt128(__int128 value) {
    if (value == 0) return "0";
    const bool negative = value < 0;
    std::string digits;
    for (; value != 0; value /= 10) {
        const int digit = static_cast<int>(value % 10);
        digits.insert(digits.begin(), static_cast<char>('0' + (digit < 0 ? -digit : digit)));
    }
    return (negative ? "-" : "") + digits;
}

std::string Show(const Cells& cells, std::size_t row) {
    if (cells.IsNull(row)) return "NULL";
    switch (cells.type.id) {
        case TypeId::kBool:
            return cells.Get<std::uint8_t>(row) == 1 ? "true" : "false";
        case TypeId::kInterval: {
            const auto interval = cells.Get<IntervalCell>(row);
            return fmt::format("{} {} {}", interval.months, interval.days, interval.micros);
        }
        case TypeId::kFloat:
            return fmt::format("{}", cells.Get<float>(row));
        case TypeId::kDouble:
            return fmt::format("{}", cells.Get<double>(row));
        case TypeId::kText:
        case TypeId::kBytes:
        case TypeId::kJson:
            return std::string(cells.GetString(row));
        case TypeId::kList: {
            const auto list = cells.Get<ListCell>(row);
            std::string text = "[";
            for (std::size_t i = 0; i < list.length; ++i) {
                text += (i == 0 ? "" : ",") + Show(*cells.child, list.offset + i);
            }
            return text + "]";
        }
        default:
            break;
    }
    switch (CellBytes(cells.type)) {
        case 2:
            return fmt::format("{}", cells.Get<std::int16_t>(row));
        case 4:
            return fmt::format("{}", cells.Get<std::int32_t>(row));
        case 8:
            return fmt::format("{}", cells.Get<std::int64_t>(row));
        default: {
            const auto value = cells.Get<Int128>(row);
            return ShowInt128(static_cast<__int128>(value.high) << 64 | value.low);
        }
    }
}

struct Decoded {
    bool good = false;
    std::string shown;
    std::uint64_t unrepresentable = 0;
};

Decoded Decode(const ColumnDecoder& decoder, DecodeFunction function, std::string_view bytes) {
    RowStore store({{"c", decoder.type, true, ""}});
    const auto row = store.AddRow();
    DecodeContext context{&store.arena()};
    Decoded decoded;
    decoded.good = function(decoder, bytes, store.cells(0), row, context);
    if (decoded.good) decoded.shown = Show(store.cells(0), row);
    decoded.unrepresentable = context.unrepresentable;
    return decoded;
}

struct Value {
    Oid oid;
    std::int32_t modifier;
    std::string text;
    std::string binary;
    std::string cell;  // "NULL": cannot be represented
};

const std::int64_t kMin64 = std::numeric_limits<std::int64_t>::min();
const std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();
const std::int32_t kMin32 = std::numeric_limits<std::int32_t>::min();
const std::int32_t kMax32 = std::numeric_limits<std::int32_t>::max();

const std::string kNines38(38, '9');

const std::vector<Value> kValues = {
    {16, -1, "t", std::string(1, '\1'), "true"},
    {16, -1, "f", std::string(1, '\0'), "false"},
    {17, -1, "\\x00ff41", std::string("\0\xff\x41", 3), std::string("\0\xff\x41", 3)},
    {17, -1, "\\x", "", ""},
    {18, -1, "a", "a", "a"},
    {18, -1, "", std::string(1, '\0'), ""},
    {18, -1, "\\377", "\xff", "\\377"},
    {19, -1, "pg_class", "pg_class", "pg_class"},
    {20, -1, "-9223372036854775808", Int64(kMin64), "-9223372036854775808"},
    {21, -1, "-32768", Int16(-32768), "-32768"},
    {23, -1, "2147483647", Int32(kMax32), "2147483647"},
    {26, -1, "4294967295", Int32(-1), "4294967295"},
    {25, -1, "", "", ""},
    {25, -1, "日本語の長い文字列です", "日本語の長い文字列です", "日本語の長い文字列です"},
    {1042, 9, "ab   ", "ab   ", "ab   "},
    {114, -1, "{\"a\": 1}", "{\"a\": 1}", "{\"a\": 1}"},
    {3802, -1, "{\"a\": 1}", "\1{\"a\": 1}", "{\"a\": 1}"},
    {700, -1, "1.5", Int32(0x3fc00000), "1.5"},
    {701, -1, "-Infinity", Int64(static_cast<std::int64_t>(0xfff0000000000000)), "-inf"},
    {701, -1, "5e-324", Int64(1), "5e-324"},
    {701, -1, "NaN", Int64(0x7ff8000000000000), "nan"},
    // Numerics: as exact text without a precision, else as decimals.
    {1700, -1, "0", NumericBytes({}, 0, 0, 0), "0"},
    {1700, -1, "0.00", NumericBytes({}, 0, 0, 2), "0.00"},
    {1700, -1, "12345.6780", NumericBytes({1, 2345, 6780}, 1, 0, 4), "12345.6780"},
    {1700, -1, "-0.00010000", NumericBytes({1}, -1, 0x4000, 8), "-0.00010000"},
    {1700, -1, "0.00000001", NumericBytes({1}, -2, 0, 8), "0.00000001"},
    {1700, -1, "1" + std::string(16, '0'), NumericBytes({1}, 4, 0, 0), "1" + std::string(16, '0')},
    {1700, -1, "NaN", NumericBytes({}, 0, 0xC000, 0), "NaN"},
    {1700, -1, "Infinity", NumericBytes({}, 0, 0xD000, 0), "Infinity"},
    {1700, -1, "-Infinity", NumericBytes({}, 0, 0xF000, 0), "-Infinity"},
    {1700, Numeric(4, 2), "-99.99", NumericBytes({99, 9900}, 0, 0x4000, 2), "-9999"},
    {1700, Numeric(9, 0), "100000000", NumericBytes({1}, 2, 0, 0), "100000000"},
    {1700, Numeric(10, 2), "12345678.90", NumericBytes({1234, 5678, 9000}, 1, 0, 2), "1234567890"},
    {1700, Numeric(18, 6), "0.000001", NumericBytes({100}, -2, 0, 6), "1"},
    {1700, Numeric(38, 0), kNines38,
     NumericBytes({99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999}, 9, 0, 0), kNines38},
    {1700, Numeric(38, 38), "-0." + kNines38,
     NumericBytes({9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900}, -1, 0x4000, 38),
     "-" + kNines38},
    {1700, Numeric(10, 2), "NaN", NumericBytes({}, 0, 0xC000, 0), "NULL"},
    {1700, Numeric(5, -2), "1234500", NumericBytes({123, 4500}, 1, 0, 0), "1234500"},
    {1700, Numeric(3, 5), "0.00999", NumericBytes({99, 9000}, -1, 0, 5), "999"},
    {1700, Numeric(40, 2), "1.25", NumericBytes({1, 2500}, 0, 0, 2), "1.25"},
    // Dates and times.
    {1082, -1, "2000-01-01", Int32(0), "10957"},
    {1082, -1, "1970-01-01", Int32(-10957), "0"},
    {1082, -1, "0001-01-01", Int32(-730119), "-719162"},
    {1082, -1, "0001-12-31 BC", Int32(-730120), "-719163"},
    {1082, -1, "4714-11-24 BC", Int32(-2451545), "-2440588"},
    {1082, -1, "2024-02-29", Int32(8825), "19782"},
    {1082, -1, "5874897-12-31", Int32(2145031948), "2145042905"},
    {1082, -1, "infinity", Int32(kMax32), "2147483647"},
    {1082, -1, "-infinity", Int32(kMin32), "-2147483647"},
    {1083, -1, "00:00:00", Int64(0), "0"},
    {1083, -1, "23:59:59.999999", Int64(86'399'999'999), "86399999999"},
    {1083, -1, "24:00:00", Int64(86'400'000'000), "86400000000"},
    {1114, -1, "2000-01-01 00:00:00", Int64(0), "946684800000000"},
    {1114, -1, "1999-12-31 23:59:59.5", Int64(-500'000), "946684799500000"},
    {1114, -1, "0001-12-31 23:00:00 BC", Int64(-63'082'285'200'000'000), "-62135600400000000"},
    {1114, -1, "infinity", Int64(kMax64), "9223372036854775807"},
    {1114, -1, "-infinity", Int64(kMin64), "-9223372036854775807"},
    {1114, -1, "294276-12-31 23:59:59.999999", Int64(9'223'371'331'199'999'999), "NULL"},
    {1184, -1, "2000-01-01 00:00:00+00", Int64(0), "946684800000000"},
    {1184, -1, "2000-01-01 09:30:00+09:30", Int64(0), "946684800000000"},
    {1184, -1, "1999-12-31 23:00:00-01", Int64(0), "946684800000000"},
    {1186, -1, "PT0S", IntervalBytes(0, 0, 0), "0 0 0"},
    {1186, -1, "P1Y-2M3DT4H5M-6.7S", IntervalBytes(10, 3, 14'693'300'000), "10 3 14693300000"},
    {1186, -1, "PT-0.5S", IntervalBytes(0, 0, -500'000), "0 0 -500000"},
    {1186, -1, "P-178956970Y-8M-2147483648DT-2562047788H-54.775808S",
     IntervalBytes(kMin32, kMin32, kMin64), "NULL"},
    {1186, -1, "P178956970Y7M2147483647D", IntervalBytes(kMax32, kMax32, 0),
     "2147483647 2147483647 0"},
    {1186, -1, "infinity", IntervalBytes(kMax32, kMax32, kMax64), "NULL"},
    {2950, -1, "80000000-0000-0000-0000-000000000001",
     "\x80" + std::string(14, '\0') + std::string(1, '\1'), "1"},
    // Arrays.
    {kInt4Array, -1, "{}", ArrayEmpty(23), "[]"},
    {kInt4Array, -1, "{1,NULL,-3}", Array1(23, {Int32(1), std::nullopt, Int32(-3)}), "[1,NULL,-3]"},
    {kInt4Array, -1, "[5:6]={1,2}", Array1(23, {Int32(1), Int32(2)}, 5), "[1,2]"},
    {kInt4Array, -1, "{{1,2},{3,4}}", Array2(23, {Int32(1), Int32(2), Int32(3), Int32(4)}, 2),
     "NULL"},
    {kTextArray, -1, "{\"\",\"a,b\",\"NULL\",NULL,\"q\\\"\\\\\",日本}",
     Array1(25, {"", "a,b", "NULL", std::nullopt, "q\"\\", "日本"}), "[,a,b,NULL,NULL,q\"\\,日本]"},
    {kNumericArray, Numeric(6, 2), "{1.50,NaN}",
     Array1(1700, {NumericBytes({1, 5000}, 0, 0, 2), NumericBytes({}, 0, 0xC000, 0)}),
     "[150,NULL]"},
    // Types that users make.
    {kMood, -1, "楽しい", "楽しい", "楽しい"},
    {kMoodArray, -1, "{sad,ok}", Array1(kMood, {"sad", "ok"}), "[sad,ok]"},
    {kPrice, -1, "19.99", NumericBytes({19, 9900}, 0, 0, 2), "1999"},
    {kPriceArray, -1, "{19.99}", Array1(kPrice, {NumericBytes({19, 9900}, 0, 0, 2)}), "[1999]"},
    {kPrices, -1, "{0.01}", Array1(kPrice, {NumericBytes({100}, -1, 0, 2)}), "[1]"},
    {kPricesArray, -1, "{NULL,\"{0.01}\"}",
     Array1(kPrices, {std::nullopt, Array1(kPrice, {NumericBytes({100}, -1, 0, 2)})}),
     "[NULL,[1]]"},
    {kTable, -1, "{}", ArrayEmpty(23), "[]"},
    {kTable, -1, "{{1,NULL},{3,4},{5,6}}",
     Array2(23, {Int32(1), std::nullopt, Int32(3), Int32(4), Int32(5), Int32(6)}, 2),
     "[[1,NULL],[3,4],[5,6]]"},
    {kTable, -1, "[0:0][2:3]={{1,2}}", Array2(23, {Int32(1), Int32(2)}, 2), "[[1,2]]"},
    {kTable, -1, "{1,2}", Array1(23, {Int32(1), Int32(2)}), "NULL"},
    {kBoxArray, -1, "{(0,0),(0,0);NULL}", Array1(603, {std::string(32, '\0'), std::nullopt}),
     "[(0,0),(0,0),NULL]"},
    {790, -1, "-$92,233,720,368,547,758.08", Int64(kMin64), "-9223372036854775808"},
    {790, -1, "$0.01", Int64(1), "1"},
};

TEST(TypesTest, BothFormsOfAValueGiveTheSameCell) {
    for (const auto& value : kValues) {
        const auto decoder = DecoderFor(value.oid, value.modifier, kTypes);
        const auto what = fmt::format("oid {} {}", value.oid, value.text);
        const auto text = Decode(decoder, decoder.text, value.text);
        const auto binary = Decode(decoder, decoder.binary, value.binary);
        EXPECT_TRUE(text.good) << what;
        EXPECT_TRUE(binary.good) << what;
        // The least interval of PostgreSQL 16 is the -infinity of 17: only the binary form says so.
        if (value.binary == IntervalBytes(kMin32, kMin32, kMin64)) {
            EXPECT_EQ(binary.shown, "NULL");
            EXPECT_EQ(text.shown, "-2147483648 -2147483648 -9223372036854775808");
            continue;
        }
        EXPECT_EQ(text.shown, value.cell) << what;
        EXPECT_EQ(binary.shown, value.cell) << what;
        EXPECT_EQ(text.unrepresentable, binary.unrepresentable) << what;
        EXPECT_EQ(binary.unrepresentable > 0,
                  value.text.find("NaN}") != std::string::npos || value.cell == "NULL")
            << what;
    }
}

// As pg_dump writes them; the list above has the other style.
TEST(TypesTest, IntervalsAreReadInPostgresOwnStyleToo) {
    const auto decoder = DecoderFor(1186, -1, kTypes);
    for (const auto& [text, cell] : std::initializer_list<std::pair<const char*, const char*>>{
             {"00:00:00", "0 0 0"},
             {"1 year -2 mons +3 days -04:05:06.7", "10 3 -14706700000"},
             {"-1 days +00:00:00.5", "0 -1 500000"},
             {"-00:00:00.5", "0 0 -500000"},
             {"2 years", "24 0 0"},
             {"-178956970 years -8 mons -2147483648 days -2562047788:00:54.775808",
              "-2147483648 -2147483648 -9223372036854775808"},
             {"100:00:00", "0 0 360000000000"}}) {
        const auto read = Decode(decoder, decoder.text, text);
        EXPECT_TRUE(read.good) << text;
        EXPECT_EQ(read.shown, cell) << text;
    }
    for (const auto* bad :
         {"", " ", "1", "1 ", "1 year ", "1 week", "1 day 2", "00:60:00", "00:00:60", "00:00",
          "00:00:00 ", "P", "1 year  1 mon", "--1 days", "99999999999 years", "2562047789:00:00"}) {
        EXPECT_FALSE(Decode(decoder, decoder.text, bad).good) << bad;
    }
}

TEST(TypesTest, AFixedValueOfTheWrongLengthIsRefused) {
    for (const auto& value : kValues) {
        const auto decoder = DecoderFor(value.oid, value.modifier, kTypes);
        const bool any_length =
            IsString(decoder.type) && value.oid != 18 && value.oid != 3802 && value.oid != 1700;
        // An array of other dimensions than the column's is not looked into.
        const bool is_table = decoder.dimensions > 0 && value.cell == "NULL";
        if (any_length || is_table) continue;
        for (std::size_t size = 0; size < value.binary.size(); ++size) {
            EXPECT_FALSE(Decode(decoder, decoder.binary, value.binary.substr(0, size)).good)
                << value.oid << " " << value.text << " " << size;
            if (value.oid == 3802) break;  // any text after the version will do
        }
        if (value.oid == 3802) continue;
        EXPECT_FALSE(Decode(decoder, decoder.binary, value.binary + '\0').good)
            << value.oid << " " << value.text;
    }
}

TEST(TypesTest, BinaryValuesThatPostgresCannotHaveSentAreRefused) {
    const std::vector<std::pair<Value, std::string>> bad = {
        {{3802, -1, "", "\2{}", ""}, "a jsonb of another version"},
        {{1083, -1, "", Int64(-1), ""}, "a time before midnight"},
        {{1083, -1, "", Int64(86'400'000'001), ""}, "a time after the day"},
        {{1700, -1, "", NumericBytes({10'000}, 0, 0, 0), ""}, "a digit above 9999"},
        {{1700, -1, "", NumericBytes({-1}, 0, 0, 0), ""}, "a negative digit"},
        {{1700, Numeric(10, 2), "", NumericBytes({-1}, 0, 0, 0), ""}, "a negative digit"},
        {{1700, Numeric(10, 2), "", NumericBytes({1}, 0, 0x1234, 0), ""}, "an unknown sign"},
        {{1700, Numeric(4, 2), "", NumericBytes({100}, 0, 0, 2), ""}, "too large for the width"},
        {{1700, Numeric(4, 2), "", NumericBytes({1, 1}, 0, 0, 4), ""}, "too fine for the scale"},
        {{1700, Numeric(38, 0), "", NumericBytes({1}, 1000, 0, 0), ""}, "far too large"},
        {{1700, Numeric(38, 0), "",
          NumericBytes({9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999}, 9, 0, 0), ""},
         "40 digits"},
        {{kInt4Array, -1, "", Int32(-1) + Int32(0) + Int32(23), ""}, "negative dimensions"},
        {{kInt4Array, -1, "", Int32(7) + Int32(0) + Int32(23) + std::string(64, '\0'), ""},
         "seven dimensions"},
        {{kInt4Array, -1, "",
          Int32(1) + Int32(0) + Int32(23) + Int32(kMax32) + Int32(1) + Int32(4) + Int32(1), ""},
         "more elements than bytes"},
        {{kInt4Array, -1, "", Array1(23, {Int16(1)}), ""}, "an element of the wrong length"},
        {{kTable, -1, "",
          Int32(2) + Int32(0) + Int32(23) + Int32(kMax32) + Int32(1) + Int32(0) + Int32(1), ""},
         "very many lists of nothing"},
    };
    for (const auto& [value, why] : bad) {
        const auto decoder = DecoderFor(value.oid, value.modifier, kTypes);
        EXPECT_FALSE(Decode(decoder, decoder.binary, value.binary).good) << why;
    }
}

TEST(TypesTest, TextThatIsNotOfTheTypeIsRefused) {
    const std::vector<std::pair<Value, std::vector<std::string>>> bad = {
        {{16, -1, "", "", ""}, {"", "true", "x"}},
        {{17, -1, "", "", ""}, {"", "00", "\\x0", "\\xzz"}},
        {{21, -1, "", "", ""}, {"", "32768", "1.5", " 1", "1 "}},
        {{20, -1, "", "", ""}, {"9223372036854775808", "--1"}},
        {{701, -1, "", "", ""}, {"", "1.5x", "."}},
        {{1082, -1, "", "", ""},
         {"", "2026", "2026-13-01", "2026-00-01", "2026-01-32", "2026-01-01 AD",
          "99999999999999999999-01-01", "10000001-01-01"}},
        {{1083, -1, "", "", ""},
         {"", "24:00:01", "25:00:00", "1:00:00", "00:60:00", "00:00:00.", "00:00:00.1234567"}},
        {{1114, -1, "", "", ""}, {"2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00x"}},
        {{1184, -1, "", "", ""},
         {"2026-01-01 00:00:00+", "2026-01-01 00:00:00+99", "2026-01-01 00:00:00+09:99",
          "2026-01-01 00:00:00+9223372036854775807"}},
        {{1186, -1, "", "", ""},
         {"", "P", "1 fortnight", "P1H", "PT1Y", "P1.5Y", "PTT1S", "P2147483648D", "PT2562047789H",
          "P999999999999Y", "PT999999999999S9"}},
        {{1700, Numeric(10, 2), "", "", ""},
         {"", "-", ".", "1.2.3", "1.234", "123456789.00", "1e5", std::string(60, '9')}},
        {{1700, Numeric(38, 0), "", "", ""}, {"9" + kNines38, "1" + std::string(200, '0')}},
        {{790, -1, "", "", ""},
         {"", "12.34", "$", "-$", "$92,233,720,368,547,758.080", "$1x", "1 $"}},
        {{kTable, -1, "", "", ""}, {"{{1,2},3}", "{{1,2}", "{{1,2}}}", "{{1}{2}}", "{{1,2},}"}},
        {{kBoxArray, -1, "", "", ""}, {"{(0,0),(0,0);}", "{;}"}},
        {{2950, -1, "", "", ""},
         {"", "3f333df6-90a4-4fda-8dd3-9485d27cee3", "g", std::string(33, '1')}},
        {{kInt4Array, -1, "", "", ""},
         {"", "{", "}", "1", "{1,}", "{,1}", "{1,,2}", "{x}", "[1:2]", "{\"1}", "{\"1\\",
          "{\"1\"2}"}},
    };
    for (const auto& [value, texts] : bad) {
        const auto decoder = DecoderFor(value.oid, value.modifier, kTypes);
        for (const auto& text : texts) {
            EXPECT_FALSE(Decode(decoder, decoder.text, text).good) << value.oid << " " << text;
        }
    }
}

TEST(TypesTest, ATypeBecomesTheNearestOfTheWarehouse) {
    const std::vector<std::tuple<Oid, std::int32_t, std::string>> expected = {
        {1700, Numeric(10, 2), "DECIMAL(10,2)"},
        {1700, Numeric(5, -2), "DECIMAL(7,0)"},
        {1700, Numeric(3, 5), "DECIMAL(5,5)"},
        {1700, Numeric(39, 0), "VARCHAR"},
        {1700, -1, "VARCHAR"},
        {kPrice, -1, "DECIMAL(10,2)"},
        {kPriceArray, -1, "DECIMAL(10,2)[]"},
        {kPrices, -1, "DECIMAL(10,2)[]"},
        {kMoodArray, -1, "VARCHAR[]"},
        {kTable, -1, "INTEGER[][]"},
        {kPricesArray, -1, "DECIMAL(10,2)[][]"},
        {kOddArray, -1, "VARCHAR[]"},
        {790, -1, "DECIMAL(19,2)"},
        {3802, -1, "JSON"},
        {869, -1, "VARCHAR"},
        {kPoint3, -1, "VARCHAR"},
    };
    for (const auto& [oid, modifier, sql] : expected) {
        EXPECT_EQ(ToSql(DecoderFor(oid, modifier, kTypes).type), sql) << oid;
    }
}

TEST(TypesTest, AnArrayHasTheListsThatItsColumnWasDeclaredWith) {
    EXPECT_EQ(ToSql(DecoderFor(kInt4Array, -1, kTypes, 0).type), "INTEGER[]");
    EXPECT_EQ(ToSql(DecoderFor(kInt4Array, -1, kTypes, 3).type), "INTEGER[][][]");
    EXPECT_EQ(DimensionsOf(DecoderFor(kInt4Array, -1, kTypes, 3).type), 3);
    // PostgreSQL stores any number that is written, and no value has more than six.
    EXPECT_EQ(DimensionsOf(DecoderFor(kInt4Array, -1, kTypes, 40).type), 6);
}

TEST(TypesTest, MoneyHasTheDecimalsOfTheDatabase) {
    auto types = kTypes;
    types[790] = {790, "money", 'b'};
    types[790].money_digits = 0;
    EXPECT_EQ(ToSql(DecoderFor(790, -1, types).type), "DECIMAL(19,0)");
}

TEST(TypesTest, AnUnknownTypeAndArraysOfItAreAskedForAsText) {
    for (const Oid oid : {kPoint3, kPoint3Array, kOdd, kOddArray}) {
        const auto decoder = DecoderFor(oid, -1, kTypes);
        EXPECT_TRUE(decoder.text_only && decoder.forces_text) << oid;
        EXPECT_NE(decoder.note, "") << oid;
    }
    const auto odd = DecoderFor(kOdd, -1, kTypes);
    EXPECT_EQ(Decode(odd, odd.text, "{(1,2)}").shown, "{(1,2)}");
    const auto array = DecoderFor(kOddArray, -1, kTypes);
    EXPECT_EQ(Decode(array, array.text, "{\"a,b\",c}").shown, "[a,b,c]");
}

TEST(TypesTest, WhatHasNoBinaryFormDoesNotMakeTheWholeStreamText) {
    const auto decoder = DecoderFor(kNoBinary, -1, kTypes);
    EXPECT_TRUE(decoder.text_only);
    EXPECT_FALSE(decoder.forces_text);
    // Unlike a built-in type, of which there is nothing to ask for.
    EXPECT_FALSE(DecoderFor(869, -1, kTypes).text_only);
}

}  // namespace
}  // namespace biwa::postgres
