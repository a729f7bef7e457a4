// JSON, CSV and the table for terminals.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "query/csv_writer.h"
#include "query/json_writer.h"
#include "query/table_writer.h"
#include "query/testing.h"

namespace biwa {
namespace {

using nlohmann::json;

json RowOf(const std::string& select) {
    const auto warehouse = testing::OpenWarehouse();
    return json::parse(testing::Render<JsonSink>(*warehouse, select)).at("rows").at(0);
}

TEST(JsonSinkTest, NamesColumnsAndCountsRows) {
    const auto warehouse = testing::OpenWarehouse();
    const auto result = json::parse(testing::Render<JsonSink>(
        *warehouse, "SELECT i AS \"番\"\"号\", 'あ' AS t FROM range(5000) r(i)"));
    EXPECT_EQ(result["columns"], json::parse(R"([{"name": "番\"号", "type": "BIGINT"},
                                                 {"name": "t", "type": "VARCHAR"}])"));
    EXPECT_EQ(result["row_count"], 5000);
    EXPECT_EQ(result["truncated"], false);
    ASSERT_EQ(result["rows"].size(), 5000U);
    EXPECT_EQ(result["rows"][4999], json::parse(R"([4999, "あ"])"));
    EXPECT_GT(result["seconds"], 0.0);
}

TEST(JsonSinkTest, AResultWithoutRowsIsStillJson) {
    const auto warehouse = testing::OpenWarehouse();
    const auto result =
        json::parse(testing::Render<JsonSink>(*warehouse, "SELECT 1 AS a WHERE false"));
    EXPECT_EQ(result["rows"], json::array());
    EXPECT_EQ(result["row_count"], 0);
}

TEST(JsonSinkTest, NumbersThatJavaScriptWouldRoundAreStrings) {
    EXPECT_EQ(RowOf("SELECT 9007199254740992::BIGINT, 9007199254740993::BIGINT, "
                    "(-9007199254740993)::BIGINT, sum(i)::HUGEINT, "
                    "36893488147419103232::HUGEINT, 1.50::DECIMAL(5,2) FROM range(10) r(i)"),
              json::parse(R"([9007199254740992, "9007199254740993", "-9007199254740993", 45,
                              "36893488147419103232", "1.50"])"));
    EXPECT_EQ(RowOf("SELECT 0.1::DOUBLE, 1e300::DOUBLE, 'nan'::DOUBLE, 'inf'::FLOAT, "
                    "'-inf'::DOUBLE"),
              json::parse(R"([0.1, 1e300, "NaN", "Infinity", "-Infinity"])"));
}

TEST(JsonSinkTest, EveryOtherTypeHasItsForm) {
    EXPECT_EQ(RowOf("SELECT true, NULL, DATE '2026-11-23', TIMESTAMP '2026-11-23 05:06:07.5', "
                    "TIMESTAMPTZ '2026-11-23 05:06:07+00', '\\x00\\xFF\\x10\\x20'::BLOB, "
                    "[[1, NULL], []], ['a\"b'], '{\"k\": 1}'::JSON, INTERVAL '1 day', "
                    "UUID '00112233-4455-6677-8899-aabbccddeeff'"),
              json::parse(R"([true, null, "2026-11-23", "2026-11-23T05:06:07.5",
                              "2026-11-23T05:06:07Z", "AP8QIA==", [[1, null], []], ["a\"b"],
                              "{\"k\": 1}", "1 day", "00112233-4455-6677-8899-aabbccddeeff"])"));
}

TEST(JsonSinkTest, TextIsEscapedAndWhatIsNotUtf8IsReplaced) {
    std::string out;
    AppendJsonString("a\"\\\n\t\x01日本", out);
    EXPECT_EQ(out, R"("a\"\\\n\t\u0001日本")");
    for (const std::string bad :
         {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\x97"}) {
        out.clear();
        AppendJsonString("x" + bad + "\"y", out);
        const auto parsed = json::parse(out).get<std::string>();
        EXPECT_EQ(parsed.substr(0, 4), "x\xef\xbf\xbd");
        EXPECT_EQ(parsed.substr(parsed.size() - 2), "\"y");
    }
}

TEST(JsonSinkTest, AnErrorAfterTheFirstRowsTakesTheCountsPlace) {
    std::string text;
    JsonSink sink([&](std::string_view bytes) -> Status {
        text += bytes;
        return {};
    });
    ASSERT_TRUE(sink.Begin({{"a", {TypeId::kInt32}, true, ""}}));
    EXPECT_TRUE(sink.silent());
    ASSERT_TRUE(sink.EndWith({ErrorKind::kUser, "no \"good\"", ""}));
    EXPECT_EQ(json::parse(text), json::parse(R"({"columns": [{"name": "a", "type": "INTEGER"}],
        "rows": [], "error": {"kind": "user", "message": "no \"good\"", "hint": null}})"));
}

TEST(CsvSinkTest, QuotesWhatMustBeAndTellsNullFromEmpty) {
    const auto warehouse = testing::OpenWarehouse();
    EXPECT_EQ(testing::Render<CsvSink>(
                  *warehouse,
                  "SELECT * FROM (VALUES (1, 'plain', 'a,b'), (2, '', 'say \"hi\"'), "
                  "(3, NULL, E'two\\nlines'), (4, '日本 語', ' x')) t(id, \"a,b\", c) ORDER BY id"),
              "id,\"a,b\",c\n1,plain,\"a,b\"\n2,\"\",\"say \"\"hi\"\"\"\n3,,\"two\nlines\"\n"
              "4,日本 語,\" x\"\n");
}

TEST(TableSinkTest, AlignsJapaneseByTheCellsItTakes) {
    const auto warehouse = testing::OpenWarehouse();
    auto text = testing::Render<TableSink>(
        *warehouse,
        "SELECT * FROM (VALUES (1, '算数ドリル', 1.5), (12361, 'ab', NULL)) t(id, \"名前\", v) "
        "ORDER BY id");
    EXPECT_EQ(text.substr(0, text.find("(2 rows")),
              "    id | 名前       |    v\n"
              "-------+------------+------\n"
              "     1 | 算数ドリル |  1.5\n"
              " 12361 | ab         | NULL\n");
}

TEST(TableSinkTest, CutsLongValuesAndShowsControlCharacters) {
    const auto warehouse = testing::OpenWarehouse();
    const auto text = testing::Render<TableSink>(
        *warehouse, "SELECT repeat('長', 100) AS a, chr(27) || '[31m' || chr(10) AS b");
    std::string cut;
    for (int i = 0; i < 29; ++i) cut += "長";
    EXPECT_NE(text.find(" " + cut + "… "), std::string::npos) << text;
    EXPECT_NE(text.find("\\x1b[31m\\n"), std::string::npos) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(TableSinkTest, RowsBeyondTheMeasuredOnesFlowInTheSameWidths) {
    const auto warehouse = testing::OpenWarehouse();
    const auto text =
        testing::Render<TableSink>(*warehouse,
                                   "SELECT CASE WHEN i = 2999 THEN 'much longer' ELSE 'x' END AS a "
                                   "FROM range(3000) r(i) ORDER BY i");
    EXPECT_NE(text.find("\n …\n(3,000 rows, "), std::string::npos) << text.substr(text.size() - 60);
}

TEST(DisplayWidthTest, CountsCells) {
    EXPECT_EQ(DisplayWidth("abc"), 3U);
    EXPECT_EQ(DisplayWidth("日本"), 4U);
    EXPECT_EQ(DisplayWidth("ｱｲｳ"), 3U);             // halfwidth
    EXPECT_EQ(DisplayWidth("か\xe3\x82\x99"), 2U);  // with a combining mark
    EXPECT_EQ(DisplayWidth("🎉"), 2U);
    EXPECT_EQ(CutToWidth("日本語", 6), "日本語");
    EXPECT_EQ(CutToWidth("日本語", 5), "日本…");
    EXPECT_EQ(CutToWidth("日本語", 4), "日…");
    EXPECT_EQ(CutToWidth("abc", 0), "…");
}

}  // namespace
}  // namespace biwa
