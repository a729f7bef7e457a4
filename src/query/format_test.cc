#include "model/format.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "query/testing.h"

namespace biwa {
namespace {

// The expectations are what PostgreSQL 15 printed for the same values.
std::string TextOf(Warehouse& warehouse, const std::string& expression,
                   TimeStyle style = TimeStyle::kSpace) {
    const auto session = warehouse.OpenSession();
    const auto stream = (*session)->Query("SELECT " + expression);
    if (!stream) return "error: " + stream.error().message;
    const auto block = (*stream)->Next();
    if (!block || *block == nullptr) return "no row";
    std::string text;
    AppendText((*block)->columns[0], 0, text, style);
    return text;
}

using Expectations = std::vector<std::pair<std::string, std::string>>;

void ExpectTexts(const Expectations& expectations) {
    const auto warehouse = testing::OpenWarehouse();
    for (const auto& [expression, text] : expectations) {
        EXPECT_EQ(TextOf(*warehouse, expression), text) << expression;
    }
}

TEST(FormatTest, FloatsHaveTheShortestDigitsThatReadBackTheSame) {
    ExpectTexts({{"1e15::DOUBLE", "1e+15"},
                 {"1e14::DOUBLE", "100000000000000"},
                 {"123456789012345678::DOUBLE", "1.2345678901234568e+17"},
                 {"0.0001::DOUBLE", "0.0001"},
                 {"0.00001::DOUBLE", "1e-05"},
                 {"-0.0::DOUBLE", "-0"},
                 {"1e-310::DOUBLE", "1e-310"},
                 {"0.1::FLOAT", "0.1"},
                 {"1e6::FLOAT", "1e+06"},
                 {"123456::FLOAT", "123456"},
                 {"1.5e300::DOUBLE", "1.5e+300"},
                 {"-1234567.5::DOUBLE", "-1234567.5"},
                 {"0::DOUBLE", "0"},
                 {"'nan'::DOUBLE", "NaN"},
                 {"'-inf'::FLOAT", "-Infinity"}});
}

TEST(FormatTest, WholeNumbersAndDecimalsKeepEveryDigit) {
    ExpectTexts(
        {{"(-32768)::SMALLINT", "-32768"},
         {"(-9223372036854775807-1)::BIGINT", "-9223372036854775808"},
         {"170141183460469231731687303715884105727::HUGEINT",
          "170141183460469231731687303715884105727"},
         {"(-170141183460469231731687303715884105727-1)::HUGEINT",
          "-170141183460469231731687303715884105728"},
         {"0::HUGEINT", "0"},
         {"(-0.05)::DECIMAL(4,2)", "-0.05"},
         {"0::DECIMAL(9,3)", "0.000"},
         {"1234567890.12::DECIMAL(18,2)", "1234567890.12"},
         {"(-12345678901234567890.123456789)::DECIMAL(38,9)", "-12345678901234567890.123456789"},
         {"7::DECIMAL(3,0)", "7"},
         {"true", "true"}});
}

TEST(FormatTest, DatesReachFromBeforeChristToInfinity) {
    ExpectTexts({{"DATE '2026-11-23'", "2026-11-23"},
                 {"DATE '1969-12-31'", "1969-12-31"},
                 {"DATE '1600-02-29'", "1600-02-29"},
                 {"DATE '0044-03-15 (BC)'", "0044-03-15 BC"},
                 {"DATE '12345-01-02'", "12345-01-02"},
                 {"DATE 'infinity'", "infinity"},
                 {"DATE '-infinity'", "-infinity"},
                 {"TIME '23:59:59.9'", "23:59:59.9"},
                 {"TIME '00:00:00.000001'", "00:00:00.000001"}});
}

TEST(FormatTest, TimestampsReachFromBeforeChristToInfinity) {
    ExpectTexts({{"TIMESTAMP '2026-11-23 05:06:07.123456'", "2026-11-23 05:06:07.123456"},
                 {"TIMESTAMP '1969-12-31 23:59:59.25'", "1969-12-31 23:59:59.25"},
                 {"TIMESTAMP '294246-12-31 23:59:59.999999'", "294246-12-31 23:59:59.999999"},
                 {"TIMESTAMPTZ '4713-01-01 (BC) 00:00:00+00'", "4713-01-01 00:00:00+00 BC"},
                 {"TIMESTAMPTZ '2026-11-23 05:06:07+09'", "2026-11-22 20:06:07+00"},
                 {"TIMESTAMP 'infinity'", "infinity"},
                 {"TIMESTAMPTZ '-infinity'", "-infinity"}});
    const auto warehouse = testing::OpenWarehouse();
    EXPECT_EQ(TextOf(*warehouse, "TIMESTAMPTZ '2026-11-23 05:06:07.5+00'", TimeStyle::kIso),
              "2026-11-23T05:06:07.5Z");
    EXPECT_EQ(TextOf(*warehouse, "TIMESTAMP '2026-11-23 05:06:07'", TimeStyle::kIso),
              "2026-11-23T05:06:07");
}

TEST(FormatTest, IntervalsSayTheSignOfEachPart) {
    ExpectTexts(
        {{"INTERVAL '-14 months' + INTERVAL '3 days' - INTERVAL '4 hours 5 minutes 6.7 seconds'",
          "-1 years -2 mons +3 days -04:05:06.7"},
         {"INTERVAL '1 month' - INTERVAL '1 day'", "1 mon -1 days"},
         {"INTERVAL '1 second' - INTERVAL '1 day'", "-1 days +00:00:01"},
         {"INTERVAL '0 days'", "00:00:00"},
         {"INTERVAL '25 hours'", "25:00:00"},
         {"INTERVAL '1 year'", "1 year"},
         {"INTERVAL '-1 months'", "-1 mons"}});
}

TEST(FormatTest, BytesAndUuidsAreHexadecimal) {
    ExpectTexts(
        {{"'\\xDE\\xAD\\x00'::BLOB", "\\xdead00"},
         {"''::BLOB", "\\x"},
         {"UUID '00112233-4455-6677-8899-aabbccddeeff'", "00112233-4455-6677-8899-aabbccddeeff"},
         {"UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff'", "ffffffff-ffff-ffff-ffff-ffffffffffff"}});
}

TEST(FormatTest, ListsAreWrittenAsPostgresWritesArrays) {
    ExpectTexts({{"['a b','NULL','null','','q\"\\',NULL,'x,y','日本']",
                  R"({"a b","NULL","null","","q\"\\",NULL,"x,y",日本})"},
                 {"[[1,2],[3,4]]", "{{1,2},{3,4}}"},
                 {"[TIMESTAMP '2020-01-01 00:00:00']", "{\"2020-01-01 00:00:00\"}"},
                 {"['\\xDE'::BLOB]", R"({"\\xde"})"},
                 {"[]::INTEGER[]", "{}"}});
}

}  // namespace
}  // namespace biwa
