#include "warehouse/duckdb/shadow_schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/text.h"

namespace biwa {
namespace {

class ShadowSchemaTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto made = duck::MakeShadowSchema();
        ASSERT_TRUE(made.has_value()) << made.error().ToString();
        schema_ = std::move(*made);
        Define({"app", "answers"}, {{"id", "BIGINT", {}},
                                    {"student_id", "INTEGER", {}},
                                    {"ok", "BOOLEAN", {}},
                                    {"ts", "TIMESTAMP", {}},
                                    {"tags", "VARCHAR[]", {}},
                                    {"place", "STRUCT(x INTEGER, y VARCHAR)", {}}});
        Define({"app", "students"}, {{"id", "INTEGER", {}},
                                     {"name", "VARCHAR", {}},
                                     {"friend", "INTEGER", {}},
                                     {"学年", "ENUM('一', '二')", {}}});
    }

    void Define(const TableName& table, const std::vector<BoundColumn>& columns) {
        const auto defined = schema_->Define(table, columns);
        ASSERT_TRUE(defined.has_value()) << defined.error().ToString();
    }

    static std::string Show(const std::vector<ColumnSource>& sources) {
        std::vector<std::string> texts;
        for (const auto& source : sources) {
            texts.push_back(fmt::format("{}{}.{}", source.is_copied ? "" : "~", source.table.name,
                                        source.column));
        }
        return Join(texts, " ");
    }

    // One line a column: name = sources; what is computed has a ~. Last: | conditions.
    std::string Lineage(std::string_view sql) {
        const auto bound = schema_->Bind(sql);
        if (!bound) return bound.error().message;
        std::string text;
        for (const auto& column : bound->columns) {
            text += fmt::format("{} = {}\n", column.name, Show(column.sources));
        }
        return text + "| " + Show(bound->conditions);
    }

    std::unique_ptr<ShadowSchema> schema_;
};

TEST_F(ShadowSchemaTest, ColumnsAreCopiedOrComputed) {
    EXPECT_EQ(Lineage("SELECT name, upper(name) AS big, id + friend, 1 AS one, now() AS t "
                      "FROM app.students -- all"),
              "name = students.name\nbig = ~students.name\n(id + friend) = ~students.friend "
              "~students.id\none = \nt = \n| ");
    EXPECT_EQ(Lineage("SELECT \"学年\" AS 年 FROM app.students;"), "年 = students.学年\n| ");
    EXPECT_EQ(
        Lineage("SELECT CASE WHEN ok THEN id END AS a, ts::DATE AS d, place.x FROM app.answers"),
        "a = ~answers.id ~answers.ok\nd = ~answers.ts\nx = ~answers.place\n| ");
}

TEST_F(ShadowSchemaTest, TypesAreTheEngines) {
    const auto bound = schema_->Bind(
        "SELECT \"学年\", tags, count(*) AS n, sum(id) AS s FROM app.answers, app.students s2 "
        "GROUP BY ALL");
    ASSERT_FALSE(bound.has_value()) << "id is in both";
    EXPECT_NE(bound.error().message.find("Ambiguous"), std::string::npos);
    const auto good =
        schema_->Bind("SELECT \"学年\", count(*) AS n FROM app.students GROUP BY ALL");
    ASSERT_TRUE(good.has_value()) << good.error().ToString();
    EXPECT_EQ(good->columns[0].type, "ENUM('一', '二')");
    EXPECT_EQ(good->columns[1].type, "BIGINT");
}

TEST_F(ShadowSchemaTest, JoinsFiltersAndGroupsAreConditions) {
    EXPECT_EQ(Lineage("SELECT s.name, count(*) AS n, max(a.ts) AS last FROM app.answers a "
                      "JOIN app.students s ON s.id = a.student_id WHERE a.ok GROUP BY s.name "
                      "HAVING count(DISTINCT a.id) > 1 ORDER BY n LIMIT 3"),
              "name = students.name\nn = \nlast = ~answers.ts\n| ~answers.id ~answers.ok "
              "~answers.student_id ~students.id ~students.name");
    EXPECT_EQ(Lineage("SELECT s.id FROM app.students s LEFT JOIN app.answers a "
                      "ON s.id < a.id AND s.friend = a.student_id"),
              "id = students.id\n| ~answers.id ~answers.student_id ~students.friend ~students.id");
    EXPECT_EQ(Lineage("SELECT DISTINCT ON (name) id FROM app.students"),
              "id = students.id\n| ~students.name");
    EXPECT_EQ(Lineage("SELECT a.id FROM app.answers a ASOF JOIN app.students s "
                      "ON a.student_id = s.id AND a.id >= s.friend"),
              "id = answers.id\n| ~answers.id ~answers.student_id ~students.friend ~students.id");
    EXPECT_EQ(Lineage("FROM app.students SEMI JOIN app.answers USING (id)"),
              "id = students.id\nname = students.name\nfriend = students.friend\n学年 = "
              "students.学年\n| ~answers.id ~students.id");
}

TEST_F(ShadowSchemaTest, SubqueriesAreFollowedIntoTheirTables) {
    EXPECT_EQ(Lineage("SELECT s.name, (SELECT max(a.ts) FROM app.answers a WHERE a.student_id = "
                      "s.id) AS last FROM app.students s"),
              "name = students.name\nlast = ~answers.ts\n| ~answers.student_id ~students.id");
    EXPECT_EQ(Lineage("SELECT id FROM app.students WHERE friend IN (SELECT student_id FROM "
                      "app.answers WHERE ok)"),
              "id = students.id\n| ~answers.ok ~answers.student_id ~students.friend");
    EXPECT_EQ(Lineage("SELECT s.id FROM app.students s WHERE EXISTS (SELECT 1 FROM app.answers a "
                      "WHERE a.student_id = s.friend)"),
              "id = students.id\n| ~answers.student_id ~students.friend");
    // Correlated over two levels.
    EXPECT_EQ(Lineage("SELECT s.id, (SELECT count(*) FROM app.answers a WHERE a.student_id = s.id "
                      "AND EXISTS (SELECT 1 FROM app.students t WHERE t.friend = s.friend AND t.id "
                      "= a.id)) AS n FROM app.students s"),
              "id = students.id\nn = \n| ~answers.id ~answers.student_id ~students.friend "
              "~students.id");
    EXPECT_EQ(Lineage("SELECT s.name, l.m FROM app.students s, LATERAL (SELECT max(a.ts) FROM "
                      "app.answers a WHERE a.student_id = s.id) AS l(m)"),
              "name = students.name\nm = ~answers.ts\n| ~answers.student_id ~students.id");
}

TEST_F(ShadowSchemaTest, WithTablesAndSetsAreFollowed) {
    EXPECT_EQ(Lineage("WITH x AS MATERIALIZED (SELECT id, name AS who FROM app.students) "
                      "SELECT x1.who, x2.id FROM x AS x1, x AS x2"),
              "who = students.name\nid = students.id\n| ");
    EXPECT_EQ(Lineage("WITH RECURSIVE r(a, b) AS (SELECT id, friend FROM app.students UNION ALL "
                      "SELECT r.b, s.friend + 1 FROM r JOIN app.students s ON s.id = r.b) "
                      "SELECT * FROM r"),
              "a = ~students.friend students.id\nb = ~students.friend\n| ~students.friend "
              "~students.id");
    EXPECT_EQ(Lineage("SELECT id FROM app.answers UNION SELECT friend FROM app.students"),
              "id = answers.id ~students.friend\n| ~answers.id ~students.friend");
    EXPECT_EQ(Lineage("SELECT id FROM app.students EXCEPT SELECT student_id FROM app.answers"),
              "id = students.id\n| ~answers.student_id ~students.id");
}

TEST_F(ShadowSchemaTest, WindowsListsAndPivotsAreFollowed) {
    EXPECT_EQ(Lineage("SELECT id, row_number() OVER (PARTITION BY student_id ORDER BY ts) AS rn "
                      "FROM app.answers QUALIFY rn = 1"),
              "id = answers.id\nrn = ~answers.student_id ~answers.ts\n| ~answers.student_id "
              "~answers.ts");
    EXPECT_EQ(Lineage("SELECT id, tag FROM app.answers, unnest(tags) AS t(tag)"),
              "id = answers.id\ntag = ~answers.tags\n| ");
    EXPECT_EQ(Lineage("SELECT unnest(tags) AS tag FROM app.answers"), "tag = ~answers.tags\n| ");
    EXPECT_EQ(Lineage("SELECT list_transform(tags, t -> t || student_id) AS l FROM app.answers"),
              "l = ~answers.student_id ~answers.tags\n| ");
    EXPECT_EQ(Lineage("PIVOT app.students ON name IN ('x', 'y') USING sum(friend) GROUP BY id"),
              "id = students.id\nx = ~students.friend ~students.name\ny = ~students.friend "
              "~students.name\n| ~students.id");
    EXPECT_EQ(
        Lineage("SELECT v.k, s.id FROM (VALUES (1, 'a')) AS v(k, l), app.students s, range(3)"),
        "k = \nid = students.id\n| ");
}

TEST_F(ShadowSchemaTest, ATableThatAQueryMakesIsThereForTheNext) {
    const auto made = schema_->Define(
        {"mart", "daily"},
        "SELECT ts::DATE AS day, count(*) AS n FROM app.answers GROUP BY 1 -- by day");
    ASSERT_TRUE(made.has_value()) << made.error().ToString();
    EXPECT_EQ(Lineage("SELECT max(day) AS d FROM mart.daily"), "d = ~daily.day\n| ");
    // And gives way to another.
    Define({"mart", "daily"}, {{"n", "INTEGER", {}}});
    EXPECT_EQ(Lineage("SELECT * FROM mart.daily"), "n = daily.n\n| ");
}

TEST_F(ShadowSchemaTest, WhatIsWrongIsSaidAndFilesAreOutOfReach) {
    EXPECT_NE(Lineage("SELECT nothing FROM app.students").find("nothing"), std::string::npos);
    EXPECT_NE(Lineage("SELEC 1").find("syntax"), std::string::npos);
    EXPECT_NE(Lineage("SELECT 1; SELECT 2").find("not one plan"), std::string::npos);
    EXPECT_NE(Lineage("SELECT * FROM read_csv('/etc/passwd')").find("disabled"), std::string::npos);
    EXPECT_FALSE(schema_->Bind("DROP TABLE app.students").has_value());
    EXPECT_EQ(Lineage("SELECT id FROM app.students"), "id = students.id\n| ");
}

}  // namespace
}  // namespace biwa
