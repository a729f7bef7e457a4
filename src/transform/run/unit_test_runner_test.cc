#include "transform/run/unit_test_runner.h"

#include <gtest/gtest.h>

#include "transform/compile/compile.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::transform {
namespace {

class UnitTestRunnerTest : public testing::Test {
  protected:
    void Compile(const std::string& model) {
        CompileInput input;
        input.settings.default_dataset = "mart";
        input.stream_datasets = {"app"};
        input.files = {{"m.sqlx", model}};
        graph_ = transform::Compile(input).value();
        test_.name = "t";
        test_.model = {"mart", "m"};
        test_.location = {"t.sqlx", 1, 8};
    }
    void Given(const TableName& table, const std::string& sql) {
        test_.inputs.push_back({table, {sql, {7}}});
    }
    UnitTestResult Run(const std::string& expected) {
        test_.expected = {expected, {9}};
        return RunUnitTest([] { return OpenDuckDb({}); }, graph_, test_, clock_);
    }
    // The sample, a row a line.
    static std::string Shown(const UnitTestResult& result) {
        std::string text = result.error ? result.error->ToString() + "\n" : "";
        for (const auto& column : result.diff.columns) text += column + "\n";
        for (const auto& row : result.diff.sample) {
            for (std::size_t i = 0; i < row.size(); ++i)
                text += (i == 0 ? "" : "|") + row[i].value_or("NULL");
            text += "\n";
        }
        return text;
    }

    SystemClock clock_;
    CompiledGraph graph_;
    UnitTest test_;
};

TEST_F(UnitTestRunnerTest, BuildsATableFromGivenRows) {
    Compile(
        "config {type: 'table'} SELECT student, count(*) AS n FROM ${ref('app', 'answers')} GROUP "
        "BY 1");
    Given({"app", "answers"}, "SELECT * FROM (VALUES (1), (1), (NULL)) AS r(student)");
    const auto good = Run("SELECT * FROM (VALUES (NULL, 1), (1, 2)) AS r(student, n)");
    EXPECT_TRUE(good.ok()) << Shown(good);
    const auto bad = Run("SELECT * FROM (VALUES (NULL, 2), (1, 2), (1, 2)) AS r(student, n)");
    EXPECT_FALSE(bad.ok());
    EXPECT_EQ(Shown(bad), "missing|1|2\nmissing|NULL|2\nunexpected|NULL|1\n");
    EXPECT_EQ(bad.diff.left_rows, 3u);
    EXPECT_EQ(bad.diff.right_rows, 2u);
}

TEST_F(UnitTestRunnerTest, TellsTypesApartButNotNumbers) {
    Compile("config {type: 'table'} SELECT 1::BIGINT AS n, '2' AS text, 1.5::DOUBLE AS x");
    EXPECT_TRUE(Run("SELECT 1.5 AS x, '2' AS text, 1 AS n").ok());
    EXPECT_EQ(Shown(Run("SELECT 1 AS n, 2 AS text, 1.5 AS x")),
              "column text: expected INTEGER, got VARCHAR\n");
    EXPECT_EQ(Shown(Run("SELECT 1 AS n, '2' AS text, 1.5 AS x, 4 AS more")),
              "column more INTEGER is missing\n");
    EXPECT_EQ(Shown(Run("SELECT 1 AS n, '2' AS text")), "column x DOUBLE is unexpected\n");
}

TEST_F(UnitTestRunnerTest, AnIncrementalModelGoesOnFromTheRowsThatAreGiven) {
    Compile(
        "config {type: 'incremental', uniqueKey: ['id']} SELECT id, v FROM ${ref('app', 'x')} "
        "${when(incremental(), `WHERE id > (SELECT min(id) FROM ${self()})`)}");
    Given({"app", "x"}, "SELECT * FROM (VALUES (1, 'new'), (2, 'new'), (3, 'new')) AS r(id, v)");
    EXPECT_TRUE(Run("SELECT * FROM (VALUES (1, 'new'), (2, 'new'), (3, 'new')) AS r(id, v)").ok());
    Given({"mart", "m"}, "SELECT * FROM (VALUES (1, 'old'), (2, 'old'), (0, 'old')) AS r(id, v)");
    test_.is_incremental = true;
    const auto good =
        Run("SELECT * FROM (VALUES (0, 'old'), (1, 'new'), (2, 'new'), (3, 'new')) AS r(id, v)");
    EXPECT_TRUE(good.ok()) << Shown(good);
    const auto bad =
        Run("SELECT * FROM (VALUES (0, 'old'), (1, 'old'), (2, 'new'), (4, 'new')) AS r(id, v)");
    EXPECT_EQ(Shown(bad), "missing|4|new\nunexpected|3|new\nexpected|1|old\ngot|1|new\n");
    EXPECT_EQ(bad.diff.key, std::vector<std::string>{"id"});
}

TEST_F(UnitTestRunnerTest, ViewsOperationsAndAssertionsAreTestedToo) {
    Compile("config {type: 'view'} SELECT n * 2 AS n FROM ${ref('app', 'x')}");
    Given({"app", "x"}, "SELECT 4 AS n");
    EXPECT_TRUE(Run("SELECT 8 AS n").ok());
    Compile(
        "config {type: 'operations', hasOutput: true} CREATE OR REPLACE TABLE ${self()} AS SELECT "
        "n FROM ${ref('app', 'x')}\n---\nINSERT INTO ${self()} VALUES (5)");
    EXPECT_TRUE(Run("SELECT * FROM (VALUES (4), (5)) AS r(n)").ok());
    Compile(
        "config {type: 'assertion', schema: 'mart'} SELECT n FROM ${ref('app', 'x')} WHERE n > 3");
    EXPECT_TRUE(Run("SELECT 4 AS n").ok());
    EXPECT_EQ(Shown(Run("SELECT 4 AS n WHERE false")), "unexpected|4\n");
}

TEST_F(UnitTestRunnerTest, SaysWhatIsWrongAndWhere) {
    Compile("config {type: 'table'}\nSELECT n FROM ${ref('app', 'x')}");
    const auto no_input = Run("SELECT 1 AS n");
    ASSERT_TRUE(no_input.error);
    EXPECT_EQ(no_input.error->hint,
              "The test gives no rows for app.x: input \"app.x\" { SELECT … }");
    Given({"app", "x"}, "SELECT wrong AS n");
    EXPECT_TRUE(Run("SELECT 1 AS n").error->message.starts_with("t.sqlx:7: Binder Error"));
    test_.inputs.clear();
    Given({"app", "x"}, "SELECT 1 AS m");
    EXPECT_TRUE(Run("SELECT 1 AS n").error->message.starts_with("m.sqlx:2: Binder Error"));
    test_.inputs.clear();
    Given({"app", "x"}, "SELECT 1 AS n");
    EXPECT_TRUE(Run("SELEC 1 AS n").error->message.starts_with("t.sqlx:9: Parser Error"));
}

}  // namespace
}  // namespace biwa::transform
