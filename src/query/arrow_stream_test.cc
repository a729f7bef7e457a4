#include "query/arrow_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "query/testing.h"

namespace biwa {
namespace {

using nlohmann::json;

// What an Arrow reader that is not ours makes of the stream. Run from the project's folder.
json ReadElsewhere(const std::string& stream) {
    const auto file = std::filesystem::temp_directory_path() /
                      ("biwa_arrow_" + std::to_string(::getpid()) + ".arrows");
    EXPECT_TRUE(WriteFileAtomically(file, stream));
    const auto here = std::filesystem::current_path();
    const auto reader = here / "third_party/npm/node_modules/@uwdata/flechette/dist/flechette.mjs";
    const auto command =
        "node src/query/arrow_to_json.mjs '" + reader.string() + "' '" + file.string() + "'";
    std::string output;
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    while (const auto bytes = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        output.append(buffer.data(), bytes);
    }
    EXPECT_EQ(::pclose(pipe), 0) << command;
    std::filesystem::remove(file);
    return json::parse(output, nullptr, false);
}

json Read(const std::string& sql) {
    const auto warehouse = testing::OpenWarehouse();
    return ReadElsewhere(testing::Render<ArrowSink>(*warehouse, sql));
}

TEST(ArrowSinkTest, AnotherReaderFindsEveryType) {
    const auto found = Read(
        "SELECT * FROM (VALUES "
        "(true, 1::SMALLINT, -2::INTEGER, 9007199254740993::BIGINT, 1.5::FLOAT, -0.25::DOUBLE, "
        " 12.34::DECIMAL(4,2), -1234567890123.5::DECIMAL(18,1), 18446744073709551617::HUGEINT, "
        " '日本語テキスト、長い', '\\x00\\xFF'::BLOB, DATE '1969-12-31', TIME '00:00:01.5', "
        " TIMESTAMP '1970-01-01 00:00:01.25', TIMESTAMPTZ '1969-12-31 23:59:59+00', "
        " INTERVAL '1 day', UUID '00112233-4455-6677-8899-aabbccddeeff', '[1]'::JSON, "
        " [[1, NULL], [], NULL, [3]]), "
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        " NULL, NULL, NULL, NULL, NULL), "
        "(false, 3, 4, 5, 'nan'::FLOAT, 'inf'::DOUBLE, -0.01, 0, -1, '', ''::BLOB, "
        " DATE '2026-11-23', TIME '23:59:59', TIMESTAMP '2026-11-23 00:00:00', "
        " TIMESTAMPTZ '2026-11-23 00:00:00+00', INTERVAL '-1 month', "
        " UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null'::JSON, [])) "
        "t(bool, i16, i32, i64, f32, f64, dec4, dec18, huge, text, bytes, date, time, ts, tstz, "
        "span, uuid, js, list)");
    ASSERT_FALSE(found.is_discarded());
    EXPECT_EQ(found["types"], json::parse(R"json(["Bool()", "Int(bitWidth=16,signed=true)",
                  "Int(bitWidth=32,signed=true)", "Int(bitWidth=64,signed=true)",
                  "Float(precision=1)", "Float(precision=2)",
                  "Decimal(bitWidth=128,precision=4,scale=2)",
                  "Decimal(bitWidth=128,precision=18,scale=1)",
                  "Decimal(bitWidth=128,precision=38,scale=0)", "Utf8()", "Binary()",
                  "Date(unit=0)", "Time(bitWidth=64,unit=2)", "Timestamp(unit=2)",
                  "Timestamp(timezone=UTC,unit=2)", "Utf8()", "Utf8()", "Utf8()",
                  "List(item:List(item:Int(bitWidth=32,signed=true)))"])json"));
    EXPECT_EQ(found["names"][9], "text");
    EXPECT_EQ(found["rows"][0],
              json::parse(R"([true, 1, -2, "9007199254740993n", 1.5, -0.25, "1234n",
                  "-12345678901235n", "18446744073709551617n", "日本語テキスト、長い", [0, 255],
                  -86400000, "1500000n", 1250, -1000, "1 day",
                  "00112233-4455-6677-8899-aabbccddeeff", "[1]", [[1, null], [], null, [3]]])"));
    EXPECT_EQ(found["rows"][1], json::parse("[null, null, null, null, null, null, null, null, null,"
                                            "null, null, null, null, null, null, null, null, null,"
                                            "null]"));
    EXPECT_EQ(found["rows"][2],
              json::parse(R"([false, 3, 4, "5n", "NaN", "Infinity", "-1n", "0n", "-1n", "", [],
                  1795392000000, "86399000000n", 1795392000000, 1795392000000, "-1 mons",
                  "ffffffff-ffff-ffff-ffff-ffffffffffff", "null", []])"));
}

TEST(ArrowSinkTest, JoinsBlocksToLargeBatches) {
    const auto found = Read(
        "SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE 'text number ' || i END AS t, i % 2 = 0 AS "
        "b, "
        "[i] AS l FROM range(200001) r(i) ORDER BY i");
    ASSERT_FALSE(found.is_discarded());
    EXPECT_LE(found["batches"].size(), 4U);
    EXPECT_GE(found["batches"][0], static_cast<int>(ArrowSink::kBatchRows));
    EXPECT_EQ(found["rows"][0], json::parse(R"(["0n", null, true, ["0n"]])"));
    EXPECT_EQ(found["rows"][1],
              json::parse(R"(["200000n", "text number 200000", true, ["200000n"]])"));
}

TEST(ArrowSinkTest, AResultWithoutRowsStillHasItsColumns) {
    const auto found = Read("SELECT 1 AS a, 'x' AS b WHERE false");
    ASSERT_FALSE(found.is_discarded());
    EXPECT_EQ(found["names"], json::parse(R"(["a", "b"])"));
    EXPECT_EQ(found["rows"], json::array());
}

TEST(ArrowSinkTest, AHugeNumberBeyondItsTypeIsAnErrorAndNotAnotherNumber) {
    const auto warehouse = testing::OpenWarehouse();
    QueryService queries(*warehouse);
    const auto run = [&](const std::string& number) {
        ArrowSink sink([](std::string_view) -> Status { return {}; });
        return queries.Run({.sql = "SELECT " + number + "::HUGEINT AS n"}, sink);
    };
    EXPECT_TRUE(run("99999999999999999999999999999999999999"));
    EXPECT_TRUE(run("(-99999999999999999999999999999999999999)"));
    for (const auto* number :
         {"100000000000000000000000000000000000000", "(-100000000000000000000000000000000000000)",
          "170141183460469231731687303715884105727"}) {
        const auto stats = run(number);
        ASSERT_FALSE(stats) << number;
        EXPECT_NE(stats.error().message.find("38 digits"), std::string::npos);
    }
}

}  // namespace
}  // namespace biwa
