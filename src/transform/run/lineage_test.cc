#include "transform/run/lineage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "transform/compile/compile.h"
#include "transform/compile/prepare.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::transform {
namespace {

class LineageTest : public testing::Test {
  protected:
    void SetUp() override {
        warehouse_ = OpenDuckDb({}).value();
        Exec(
            "CREATE SCHEMA app; CREATE TABLE app.students (id INTEGER, name VARCHAR, school "
            "INTEGER)");
    }

    void Exec(const std::string& sql) {
        const auto transaction = warehouse_->BeginBeside().value();
        ASSERT_TRUE(transaction->Execute(sql));
        ASSERT_TRUE(transaction->Commit());
    }

    Lineage Read(const std::map<std::string, std::string>& files) {
        CompileInput input;
        for (const auto& [name, text] : files)
            input.files.push_back({"definitions/" + name + ".sqlx", text});
        input.settings.default_dataset = "mart";
        input.stream_datasets = {"app", "app_history"};
        const auto graph = Compile(input);
        EXPECT_TRUE(graph) << graph.error().message;
        auto lineage = ReadLineage(PrepareForEngine(*graph), *warehouse_);
        EXPECT_TRUE(lineage) << lineage.error().message;
        return lineage ? std::move(*lineage) : Lineage();
    }

    static std::string Show(const std::vector<ColumnSource>& sources) {
        std::vector<std::string> texts;
        for (const auto& source : sources) {
            texts.push_back(fmt::format("{}{}.{}", source.is_copied ? "" : "~",
                                        source.table.ToString(), source.column));
        }
        return Join(texts, " ");
    }
    static std::string Show(const TableLineage& table) {
        std::string text;
        for (const auto& column : table.columns) {
            text += fmt::format("{} {} = {}\n", column.name, column.type, Show(column.sources));
        }
        return text;
    }

    std::unique_ptr<Warehouse> warehouse_;
};

TEST_F(LineageTest, ModelsThatWereNeverBuiltAreFollowedColumnByColumn) {
    const auto lineage =
        Read({{"pupils",
               "config { type: \"view\" } SELECT id, upper(name) AS name, school FROM "
               "${ref('app', 'students')}"},
              {"schools",
               "config { type: \"table\" } SELECT school, count(*) AS pupils, min(name) AS "
               "first FROM ${ref('pupils')} GROUP BY school"},
              {"grown",
               "config { type: \"incremental\" } SELECT id FROM ${ref('pupils')} "
               "${when(incremental(), `WHERE id > (SELECT max(id) FROM ${self()})`)}"}});
    EXPECT_EQ(Show(lineage.at({"mart", "pupils"})),
              "id INTEGER = app.students.id\nname VARCHAR = ~app.students.name\n"
              "school INTEGER = app.students.school\n");
    // Of the model before it, not of what that one reads.
    EXPECT_EQ(Show(lineage.at({"mart", "schools"})),
              "school INTEGER = mart.pupils.school\npupils BIGINT = \n"
              "first VARCHAR = ~mart.pupils.name\n");
    EXPECT_EQ(Show(lineage.at({"mart", "grown"})), "id INTEGER = mart.pupils.id\n");
    EXPECT_EQ(Show(lineage.at({"app", "students"})),
              "id INTEGER = \nname VARCHAR = \nschool INTEGER = \n");

    EXPECT_EQ(Show(ColumnsDownstream(lineage, {"app", "students"}, "name")),
              "~mart.pupils.name ~mart.schools.first");
    EXPECT_EQ(Show(ColumnsDownstream(lineage, {"app", "students"}, "id")),
              "mart.grown.id mart.pupils.id");
    EXPECT_EQ(Show(ColumnsDownstream(lineage, {"mart", "schools"}, "pupils")), "");
}

TEST_F(LineageTest, HistoriesHaveTheirInstantsToo) {
    Exec(
        "CREATE SCHEMA app_history; CREATE TABLE app_history.students (id INTEGER, name VARCHAR, "
        "valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ); CREATE TABLE app.dated (id INTEGER, moment "
        "TIMESTAMP)");
    const auto lineage = Read(
        {{"dim",
          "config { type: \"incremental\", uniqueKey: \"id\", history: { updatedAt: \"moment\" } } "
          "SELECT id, moment FROM ${ref('app', 'dated')}"},
         {"found",
          "config { type: \"incremental\", uniqueKey: \"id\", history: {} } "
          "SELECT id FROM ${ref('app', 'students')}"},
         {"reader",
          "config { type: \"view\" } SELECT id, valid_from FROM ${ref('dim')} WHERE valid_to IS "
          "NULL"},
         {"kept",
          "config { type: \"view\", uniqueKey: \"id\", history: {} } SELECT id, name, valid_from, "
          "valid_to FROM ${ref('app_history', 'students')}"}});
    EXPECT_EQ(Show(lineage.at({"mart", "dim"})),
              "id INTEGER = app.dated.id\nmoment TIMESTAMP = app.dated.moment\n"
              "valid_from TIMESTAMP WITH TIME ZONE = ~app.dated.moment\n"
              "valid_to TIMESTAMP WITH TIME ZONE = \n");
    EXPECT_EQ(Show(lineage.at({"mart", "found"})),
              "id INTEGER = app.students.id\nvalid_from TIMESTAMP WITH TIME ZONE = \n"
              "valid_to TIMESTAMP WITH TIME ZONE = \n");
    EXPECT_EQ(Show(lineage.at({"mart", "reader"})),
              "id INTEGER = mart.dim.id\nvalid_from TIMESTAMP WITH TIME ZONE = "
              "mart.dim.valid_from\n");
    const auto& kept = lineage.at({"mart", "kept"});
    EXPECT_FALSE(kept.unknown) << kept.unknown->message;
    ASSERT_EQ(kept.columns.size(), 4u);
    EXPECT_EQ(Show(kept.columns[1].sources), "app_history.students.name");
    EXPECT_EQ(Show(kept.columns[2].sources), "app_history.students.valid_from");
    EXPECT_NE(Show(kept.columns[3].sources).find("app_history.students.valid_to"),
              std::string::npos);
}

TEST_F(LineageTest, AModelThatCannotBeBoundSaysWhyAndTheOthersAreFollowed) {
    Exec(
        "CREATE SCHEMA mart; CREATE TABLE mart.made AS SELECT 1 AS one; "
        "CREATE TABLE mart.broken AS SELECT 2 AS two");
    const auto lineage = Read(
        {{"broken", "config { type: \"table\" } SELECT nothing FROM ${ref('app', 'students')}"},
         {"made",
          "config { hasOutput: true } CREATE OR REPLACE TABLE ${self()} AS SELECT 1 AS one"},
         {"behind",
          "config { type: \"table\" } SELECT two, one FROM ${ref('broken')}, ${ref('made')}"},
         {"missing", "config { type: \"table\" } SELECT * FROM ${ref('app', 'not_yet')}"}});
    const auto& broken = lineage.at({"mart", "broken"});
    ASSERT_TRUE(broken.unknown);
    EXPECT_NE(broken.unknown->message.find("nothing"), std::string::npos);
    // As it was built last.
    EXPECT_EQ(Show(broken), "two INTEGER = \n");
    EXPECT_TRUE(lineage.at({"mart", "made"}).unknown);
    EXPECT_EQ(Show(lineage.at({"mart", "behind"})),
              "two INTEGER = mart.broken.two\none INTEGER = mart.made.one\n");
    const auto& missing = lineage.at({"mart", "missing"});
    ASSERT_TRUE(missing.unknown);
    EXPECT_NE(missing.unknown->message.find("not_yet"), std::string::npos);
    EXPECT_TRUE(missing.columns.empty());
}

}  // namespace
}  // namespace biwa::transform
