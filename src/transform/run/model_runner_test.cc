#include "transform/run/model_runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/testing.h"
#include "transform/compile/compile.h"
#include "transform/run/selection.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::transform {
namespace {

class Recorder final : public RunObserver {
  public:
    void OnStarted(const Action& action) override { lines.push_back("> " + action.target.name); }
    void OnFinished(const Action& action, const ActionResult& result) override {
        lines.push_back(fmt::format("{} {}", ToString(result.state), action.target.name));
    }
    std::vector<std::string> lines;
};

class ModelRunnerTest : public testing::Test {
  protected:
    void SetUp() override {
        warehouse_ = OpenDuckDb({}).value();
        Exec("CREATE SCHEMA app");
        Exec("CREATE TABLE app.answers AS SELECT i AS id, i % 3 AS student FROM range(9) r(i)");
    }

    void Exec(const std::string& sql) {
        const auto transaction = warehouse_->BeginBeside().value();
        const auto done = transaction->Execute(sql);
        ASSERT_TRUE(done) << done.error().message;
        ASSERT_TRUE(transaction->Commit());
    }

    // The first column, as text, parted by blanks.
    std::string Ask(const std::string& sql) {
        const auto session = warehouse_->OpenSession().value();
        auto stream = session->Query("SELECT COLUMNS(*)::VARCHAR FROM (" + sql + ")");
        if (!stream) return "error: " + stream.error().message;
        std::string answer;
        for (;;) {
            const auto block = (*stream)->Next();
            if (!block) return "error: " + block.error().message;
            if (*block == nullptr) return answer;
            for (std::size_t row = 0; row < (*block)->rows; ++row) {
                const auto& cells = (*block)->columns[0];
                if (!answer.empty()) answer += ' ';
                answer += cells.IsNull(row) ? "NULL" : std::string(cells.GetString(row));
            }
        }
    }

    // Models by name: their files' text.
    CompiledGraph CompileFiles(const std::map<std::string, std::string>& files) {
        CompileInput input;
        for (const auto& [name, text] : files)
            input.files.push_back({"definitions/" + name + ".sqlx", text});
        input.settings.default_dataset = "mart";
        input.stream_datasets = {"app"};
        auto graph = Compile(input);
        EXPECT_TRUE(graph) << graph.error().message;
        return graph ? std::move(*graph) : CompiledGraph();
    }

    RunResult RunGraph(const CompiledGraph& graph, RunOptions options = {},
                       std::vector<std::string> select = {}, std::stop_token stop = {}) {
        ModelRunner runner(*warehouse_, clock_);
        return runner.Run(graph, Select(graph, {select}).value(), options, &recorder_, stop);
    }
    RunResult RunFiles(const std::map<std::string, std::string>& files, RunOptions options = {}) {
        return RunGraph(CompileFiles(files), options);
    }

    std::unique_ptr<Warehouse> warehouse_;
    SystemClock clock_;
    Recorder recorder_;
};

std::string ErrorOf(const RunResult& result, const std::string& name) {
    const auto* found = result.Find({"mart", name});
    return found != nullptr && found->error ? found->error->ToString() : "none";
}

TEST_F(ModelRunnerTest, BuildsTablesAndViewsBehindWhatTheyRead) {
    const auto result = RunFiles({
        {"c_source", "config {type: 'view'} SELECT * FROM ${ref('app', 'answers')} WHERE id < 6"},
        {"b_counts",
         "config {type: 'table'} SELECT student, count(*) AS n FROM ${ref('c_source')} GROUP BY 1"},
        {"a_total", "config {type: 'table'} SELECT sum(n) AS n FROM ${ref('b_counts')}"},
    });
    ASSERT_TRUE(result.ok()) << ErrorOf(result, "a_total");
    EXPECT_EQ(Ask("SELECT n FROM mart.a_total"), "6");
    EXPECT_EQ(result.Find({"mart", "b_counts"})->rows, 3u);
    EXPECT_FALSE(result.Find({"mart", "c_source"})->rows);
    EXPECT_EQ(Ask("SELECT model || ':' || kind || ':' || coalesce(rows, 0) FROM _biwa.applied "
                  "ORDER BY 1"),
              "mart.a_total:table:1 mart.b_counts:table:3 mart.c_source:view:0");
    EXPECT_EQ(recorder_.lines,
              (std::vector<std::string>{"> c_source", "ok c_source", "> b_counts", "ok b_counts",
                                        "> a_total", "ok a_total"}));
}

TEST_F(ModelRunnerTest, SkipsOnlyWhatDependsOnAFailure) {
    const auto result = RunFiles({
        {"a",
         "config {type: 'table'}\n\nSELECT id,\n  wrong_column\nFROM ${ref('app', 'answers')}"},
        {"b", "config {type: 'view'} SELECT * FROM ${ref('a')}"},
        {"c", "config {type: 'table'} SELECT * FROM ${ref('b')}"},
        {"d", "config {type: 'table'} SELECT 1 AS one"},
    });
    EXPECT_EQ(result.Find({"mart", "a"})->state, RunState::kFailed);
    EXPECT_EQ(result.Find({"mart", "c"})->state, RunState::kSkipped);
    EXPECT_EQ(ErrorOf(result, "c"), "skipped: mart.b was skipped");
    EXPECT_EQ(result.Find({"mart", "d"})->state, RunState::kOk);
    const auto error = ErrorOf(result, "a");
    EXPECT_TRUE(error.starts_with("definitions/a.sqlx:4: Binder Error")) << error;
    EXPECT_NE(error.find("\nLINE 4:   wrong_column\n          ^"), std::string::npos) << error;
}

TEST_F(ModelRunnerTest, AFailureLeavesTheOldTable) {
    ASSERT_TRUE(RunFiles({{"m", "config {type: 'table'} SELECT 1 AS n"}}).ok());
    const auto result = RunFiles({{"m",
                                   "config {type: 'table'} SELECT 2 AS n\n"
                                   "post_operations { SELECT error('too late') }"}});
    EXPECT_EQ(result.Find({"mart", "m"})->state, RunState::kFailed);
    EXPECT_EQ(Ask("SELECT n FROM mart.m"), "1");
    EXPECT_EQ(Ask("SELECT count(*) FROM _biwa.applied"), "1");
}

TEST_F(ModelRunnerTest, AnIncrementalModelWithoutKeyAppends) {
    const auto graph =
        CompileFiles({{"m",
                       "config {type: 'incremental'} SELECT id FROM ${ref('app', 'answers')} "
                       "${when(incremental(), `WHERE id > (SELECT max(id) FROM ${self()})`)}"}});
    ASSERT_TRUE(RunGraph(graph).ok());
    Exec("INSERT INTO app.answers VALUES (100, 1)");
    Exec("UPDATE app.answers SET id = -1 WHERE id = 0");
    const auto result = RunGraph(graph);
    ASSERT_TRUE(result.ok()) << ErrorOf(result, "m");
    EXPECT_EQ(result.Find({"mart", "m"})->rows, 10u);
    EXPECT_EQ(Ask("SELECT min(id) FROM mart.m"), "0");
    ASSERT_TRUE(RunGraph(graph, {.full_refresh = true}).ok());
    EXPECT_EQ(Ask("SELECT min(id) FROM mart.m"), "-1");
    EXPECT_EQ(Ask("SELECT kind FROM _biwa.applied ORDER BY started_at"),
              "incremental, full incremental incremental, full");
}

TEST_F(ModelRunnerTest, AnIncrementalModelWithAKeyReplacesRows) {
    const auto graph = CompileFiles({{"m",
                                      "config {type: 'incremental', uniqueKey: ['Student', 'k']}\n"
                                      "SELECT student, NULL::INTEGER AS k, max(id) AS last\n"
                                      "FROM ${ref('app', 'answers')} GROUP BY student"}});
    ASSERT_TRUE(RunGraph(graph).ok());
    Exec("DELETE FROM app.answers WHERE student = 2");
    Exec("INSERT INTO app.answers VALUES (200, 1), (300, 7)");
    const auto result = RunGraph(graph);
    ASSERT_TRUE(result.ok()) << ErrorOf(result, "m");
    EXPECT_EQ(Ask("SELECT student || ':' || last FROM mart.m ORDER BY student"),
              "0:6 1:200 2:8 7:300");
}

TEST_F(ModelRunnerTest, RefusesAKeyThatIsNotUnique) {
    const auto text = [](const std::string& where) {
        return "config {type: 'incremental', uniqueKey: ['student']} SELECT student FROM "
               "${ref('app', 'answers')} WHERE " +
               where;
    };
    EXPECT_NE(ErrorOf(RunFiles({{"m", text("true")}}), "m").find("3 of its values"),
              std::string::npos);
    ASSERT_TRUE(RunFiles({{"m", text("id < 3")}}).ok());
    EXPECT_NE(ErrorOf(RunFiles({{"m", text("id > 2")}}), "m").find("not unique"),
              std::string::npos);
    EXPECT_EQ(Ask("SELECT count(*) FROM mart.m"), "3");
}

TEST_F(ModelRunnerTest, AsksForAFullRefreshWhenColumnsChange) {
    ASSERT_TRUE(RunFiles({{"m", "config {type: 'incremental'} SELECT 1 AS a, 2 AS b"}}).ok());
    const std::map<std::string, std::string> changed{
        {"m", "config {type: 'incremental'} SELECT 'x' AS a, 3 AS c"}};
    EXPECT_EQ(ErrorOf(RunFiles(changed), "m"),
              "definitions/m.sqlx:1:8: the columns of mart.m have changed: a was INTEGER and is "
              "VARCHAR now; c is new; b is gone\n"
              "Build it anew: biwa run --full-refresh --select mart.m; or say in its config what "
              "is to become of it: onSchemaChange.");
    EXPECT_TRUE(RunFiles(changed, {.full_refresh = true}).ok());
    EXPECT_EQ(Ask("SELECT a FROM mart.m"), "x");
}

TEST_F(ModelRunnerTest, ATypeMayChange) {
    for (const auto* type : {"table", "view", "incremental", "view", "table"}) {
        const auto result =
            RunFiles({{"m", fmt::format("config {{type: '{}'}} SELECT '{}' AS t", type, type)}});
        ASSERT_TRUE(result.ok()) << type << ErrorOf(result, "m");
        EXPECT_EQ(Ask("SELECT t FROM mart.m"), type);
    }
}

TEST_F(ModelRunnerTest, RunsOperationsAroundTheModelInItsTransaction) {
    const auto graph = CompileFiles(
        {{"m",
          "config {type: 'incremental'}\n"
          "pre_operations { ${when(incremental(), `DELETE FROM ${self()} WHERE n = 1`)} }\n"
          "SELECT 1 AS n\n"
          "post_operations { INSERT INTO ${self()} VALUES (2) --- no separator\n}"},
         {"o",
          "config {type: 'operations', hasOutput: true}\n"
          "CREATE OR REPLACE TABLE ${self()} AS SELECT 5 AS n\n---\n"
          "INSERT INTO ${self()} SELECT count(*) FROM ${ref('m')}"}});
    for (int i = 0; i < 2; ++i) {
        const auto result = RunGraph(graph);
        ASSERT_TRUE(result.ok()) << ErrorOf(result, "m") << ErrorOf(result, "o");
    }
    EXPECT_EQ(Ask("SELECT n FROM mart.m ORDER BY n"), "1 2 2");
    EXPECT_EQ(Ask("SELECT n FROM mart.o ORDER BY n"), "3 5");
}

TEST_F(ModelRunnerTest, AssertionsShowTheRowsThatShouldNotBe) {
    const auto result = RunFiles({
        {"m",
         "config {type: 'table', assertions: {uniqueKey: ['student'], nonNull: ['id'], "
         "rowConditions: ['id < 5']}} SELECT * FROM ${ref('app', 'answers')}"},
        {"after",
         "config {type: 'table', dependOnDependencyAssertions: true} SELECT * FROM "
         "${ref('m')}"},
        {"bad", "config {type: 'assertion'}\nSELECT nothing FROM ${ref('m')} -- no such column"},
        {"good", "config {type: 'assertion'} SELECT * FROM ${ref('m')} WHERE id < 0 -- a comment"},
    });
    const auto* unique = result.Find({"assertions", "mart_m_assertions_uniqueKey_0"});
    EXPECT_EQ(unique->state, RunState::kFailed);
    EXPECT_EQ(unique->failing.count, 3u);
    const auto* rows = result.Find({"assertions", "mart_m_assertions_rowConditions"});
    EXPECT_EQ(rows->failing.count, 4u);
    EXPECT_EQ(rows->failing.columns[0], "failing_row_condition");
    EXPECT_EQ(rows->failing.sample.at(3).at(0), "id < 5");
    EXPECT_EQ(rows->error->message, "definitions/m.sqlx:1:8: 4 rows should not be there");
    EXPECT_EQ(result.Find({"mart", "after"})->state, RunState::kSkipped);
    EXPECT_EQ(result.Find({"assertions", "good"})->state, RunState::kOk);
    const auto* bad = result.Find({"assertions", "bad"});
    EXPECT_TRUE(bad->error->message.starts_with("definitions/bad.sqlx:2: ")) << bad->error->message;
}

TEST_F(ModelRunnerTest, RunsOnlyWhatIsSelectedAndKeepsTheOrderThroughTheRest) {
    const auto graph = CompileFiles({
        {"c", "config {type: 'table', tags: ['t']} SELECT 1 AS n"},
        {"b", "config {type: 'view'} SELECT * FROM ${ref('c')}"},
        {"a", "config {type: 'table', tags: ['t']} SELECT * FROM ${ref('b')}"},
        {"off", "config {type: 'table', disabled: true} SELECT 1 AS n"},
    });
    ASSERT_TRUE(RunGraph(graph).ok());
    recorder_.lines.clear();
    ASSERT_TRUE(RunGraph(graph, {}, {"tag:t"}).ok());
    EXPECT_EQ(recorder_.lines, (std::vector<std::string>{"> c", "ok c", "> a", "ok a"}));
    EXPECT_EQ(Ask("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'off'"), "0");
}

TEST_F(ModelRunnerTest, AStopEndsTheRunningStatement) {
    const auto graph = CompileFiles({
        {"a",
         "config {type: 'table'} SELECT sum(sin(i) * cos(j)) AS n FROM range(1000000) a(i), "
         "range(1000000) b(j)"},
        {"b", "config {type: 'table'} SELECT * FROM ${ref('a')}"},
    });
    std::stop_source stop;
    const auto began = std::chrono::steady_clock::now();
    std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        stop.request_stop();
    });
    const auto result = RunGraph(graph, {}, {}, stop.get_token());
    EXPECT_EQ(result.Find({"mart", "a"})->state, RunState::kCancelled);
    EXPECT_EQ(result.Find({"mart", "b"})->state, RunState::kCancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
    EXPECT_EQ(Ask("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'mart'"), "0");
}

TEST_F(ModelRunnerTest, ReadersSeeTheOldTableOrTheNewOneAndNeverFail) {
    const auto graph = CompileFiles({
        {"m", "config {type: 'table'} SELECT i AS id, random() AS x FROM range(200000) r(i)"},
        {"v", "config {type: 'view'} SELECT * FROM ${ref('m')}"},
    });
    ASSERT_TRUE(RunGraph(graph).ok());
    std::atomic<bool> end = false;
    std::atomic<int> reads = 0;
    std::string wrong;
    std::jthread reader([&] {
        while (!end) {
            const auto count = Ask("SELECT count(*) FROM mart.v");
            if (count != "200000") wrong = count;
            ++reads;
        }
    });
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(RunGraph(graph).ok());
    end = true;
    reader.join();
    EXPECT_EQ(wrong, "");
    EXPECT_GT(reads, 20);
}

TEST_F(ModelRunnerTest, ConflictsWithAnotherWriterAreTriedAgain) {
    const auto graph = CompileFiles({{"m", "config {type: 'table'} SELECT 2 AS n"}});
    ASSERT_TRUE(RunGraph(graph).ok());
    auto other = warehouse_->BeginBeside().value();
    ASSERT_TRUE(other->Execute("CREATE OR REPLACE TABLE mart.m AS SELECT 1 AS n"));
    std::jthread committer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        EXPECT_TRUE(other->Commit());
    });
    const auto result = RunGraph(graph);
    EXPECT_TRUE(result.ok()) << ErrorOf(result, "m");
    EXPECT_EQ(Ask("SELECT n FROM mart.m"), "2");
}

TEST_F(ModelRunnerTest, ManyModelsAtOnce) {
    std::map<std::string, std::string> files;
    for (int i = 0; i < 40; ++i) {
        files[fmt::format("m{}", i)] = fmt::format("config {{type: '{}'}} SELECT {} AS n",
                                                   i % 2 == 0 ? "table" : "incremental", i);
    }
    const auto graph = CompileFiles(files);
    for (int i = 0; i < 3; ++i) {
        const auto result = RunGraph(graph, {.threads = 4});
        for (const auto& action : result.actions)
            EXPECT_EQ(action.state, RunState::kOk) << action.error->message;
    }
    EXPECT_EQ(Ask("SELECT count(*) FROM _biwa.applied"), "120");
}

// What a model is built with the second time, when how long it takes is known.
constexpr std::string_view kTogether = "SELECT txid_current() AS tx";

TEST_F(ModelRunnerTest, SmallModelsAreBuiltTogetherOnceTheyAreKnownToBeSmall) {
    std::map<std::string, std::string> files;
    for (int i = 0; i < 40; ++i)
        files[fmt::format("m{:02}", i)] = fmt::format("config {{type: 'table'}} {}", kTogether);
    files["n"] = "config {type: 'table'} SELECT count(*) AS n FROM ${ref('m00')}";
    const auto transactions = [&] {
        std::string all;
        for (int i = 0; i < 40; ++i)
            all += fmt::format("{} SELECT tx FROM mart.m{:02}", i == 0 ? "" : " UNION ALL", i);
        return Ask("SELECT count(DISTINCT tx) FROM (" + all + ")");
    };
    const auto graph = CompileFiles(files);
    ASSERT_TRUE(RunGraph(graph).ok());
    EXPECT_EQ(transactions(), "40");
    recorder_.lines.clear();
    const auto again = RunGraph(graph, {.threads = 1});
    ASSERT_TRUE(again.ok());
    EXPECT_LE(std::stoi(transactions()), 8);
    EXPECT_EQ(Ask("SELECT count(*) FROM _biwa.applied"), "82");
    EXPECT_EQ(again.Find({"mart", "m39"})->rows, 1u);
    EXPECT_EQ(again.Find({"mart", "m39"})->bytes, 8u);
    EXPECT_EQ(Ask("SELECT DISTINCT bytes FROM _biwa.applied WHERE model = 'mart.m39'"), "8");
    // What reads one of them begins after their commit.
    const auto place = [&](const std::string& line) {
        return std::find(recorder_.lines.begin(), recorder_.lines.end(), line);
    };
    EXPECT_LT(place("ok m00"), place("> n"));
    // Another definition may take as long as it likes.
    files["m01"] = "config {type: 'table'} SELECT txid_current() AS tx, 1 AS one";
    ASSERT_TRUE(RunFiles(files, {.threads = 1}).ok());
    EXPECT_EQ(Ask("SELECT count(*) FROM mart.m00 JOIN mart.m01 USING (tx)"), "0");
}

TEST_F(ModelRunnerTest, OneOfSeveralThatFailsLeavesTheOthers) {
    const auto graph = CompileFiles({
        {"a", fmt::format("config {{type: 'table'}} {}", kTogether)},
        {"b",
         "config {type: 'table'} SELECT CASE WHEN count(*) > 9 THEN error('too many') END AS e "
         "FROM ${ref('app', 'answers')}"},
        {"c", fmt::format("config {{type: 'table'}} {}", kTogether)},
        {"d", "config {type: 'view'} SELECT * FROM ${ref('b')}"},
    });
    ASSERT_TRUE(RunGraph(graph).ok());
    const auto before = Ask("SELECT tx FROM mart.c");
    Exec("INSERT INTO app.answers SELECT 9, 9");
    const auto result = RunGraph(graph, {.threads = 1});
    EXPECT_EQ(result.Find({"mart", "a"})->state, RunState::kOk);
    EXPECT_EQ(result.Find({"mart", "b"})->state, RunState::kFailed);
    EXPECT_NE(ErrorOf(result, "b").find("too many"), std::string::npos) << ErrorOf(result, "b");
    EXPECT_EQ(result.Find({"mart", "c"})->state, RunState::kOk);
    EXPECT_EQ(result.Find({"mart", "d"})->state, RunState::kSkipped);
    EXPECT_NE(Ask("SELECT tx FROM mart.c"), before);
    EXPECT_EQ(Ask("SELECT model FROM _biwa.applied GROUP BY model HAVING count(*) = 2 ORDER BY 1"),
              "mart.a mart.c");
}

TEST_F(ModelRunnerTest, OneOfSeveralThatHasBecomeSlowHoldsTheOthersUpForAMomentOnly) {
    Exec("CREATE TABLE app.size AS SELECT 1 AS n");
    const auto quick = fmt::format("config {{type: 'table'}} {}", kTogether);
    const auto graph = CompileFiles({
        {"a",
         "config {type: 'table'} SELECT sum(sin(x.i) * cos(y.i)) AS n FROM ${ref('app', 'size')}, "
         "range(n) AS x(i), range(n) AS y(i)"},
        {"b", quick},
        {"c", quick},
        {"d", quick},
    });
    ASSERT_TRUE(RunGraph(graph).ok());
    Exec("UPDATE app.size SET n = 1000000");
    const std::string built = "SELECT count(*) FROM _biwa.applied";
    ASSERT_EQ(Ask(built), "4");
    // It would go on for minutes, and is ended when the others are done.
    std::stop_source stop;
    std::jthread watcher([&] {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (Ask(built) != "7" && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        stop.request_stop();
    });
    const auto result = RunGraph(graph, {}, {}, stop.get_token());
    EXPECT_EQ(result.Find({"mart", "a"})->state, RunState::kCancelled);
    for (const auto* name : {"b", "c", "d"})
        EXPECT_EQ(result.Find({"mart", name})->state, RunState::kOk) << ErrorOf(result, name);
    EXPECT_EQ(Ask(built), "7");
    EXPECT_EQ(std::count(recorder_.lines.begin(), recorder_.lines.end(), "> b"), 2) << "once a run";
}

TEST_F(ModelRunnerTest, TheRecordOfAnOlderVersionGetsItsBytes) {
    const auto graph = CompileFiles({{"m", "config {type: 'table'} SELECT 'abc' AS t"}});
    ASSERT_TRUE(RunGraph(graph).ok());
    Exec("ALTER TABLE _biwa.applied DROP COLUMN bytes");
    ASSERT_TRUE(RunGraph(graph).ok());
    EXPECT_EQ(Ask("SELECT coalesce(bytes, -1) FROM _biwa.applied ORDER BY finished_at"), "-1 3");
}

TEST(ModelRunnerOnDiskTest, AKillInTheMiddleOfABuildLeavesTheOldTable) {
    const TempFolder folder;
    DuckDbOptions options;
    options.path = folder.path() / "w.duckdb";
    const auto build = [&](const std::string& text) {
        CompileInput input;
        input.files = {{"m.sqlx", "config {type: 'table'} " + text}};
        const auto graph = Compile(input).value();
        const auto warehouse = OpenDuckDb(options).value();
        SystemClock clock;
        return ModelRunner(*warehouse, clock)
            .Run(graph, Select(graph, {}).value(), {}, nullptr, {})
            .ok();
    };
    ASSERT_TRUE(build("SELECT 1 AS n"));
    const pid_t child = fork();
    if (child == 0) {
        // The new table is made and filled when the kill comes, and not committed.
        build(
            "SELECT 2 AS n post_operations { SELECT sum(sin(i) * cos(j)) FROM range(1000000) "
            "a(i), range(1000000) b(j) }");
        _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the build ended before the kill";
    {
        const auto warehouse = OpenDuckDb(options).value();
        const auto transaction = warehouse->Begin().value();
        const auto stream =
            transaction->Query("SELECT n::BIGINT, (SELECT count(*) FROM _biwa.applied) FROM main.m")
                .value();
        const RowBlock* block = stream->Next().value();
        ASSERT_EQ(block->rows, 1u);
        EXPECT_EQ(block->columns[0].Get<std::int64_t>(0), 1);
        EXPECT_EQ(block->columns[1].Get<std::int64_t>(0), 1);
    }
}

TEST(SelectionTest, UnderstandsNamesTagsAndPluses) {
    CompileInput input;
    input.files = {
        {"a.sqlx", "config {type: 'view'} SELECT 1"},
        {"b.sqlx",
         "config {type: 'table', tags: ['t'], assertions: {nonNull: ['x']}} SELECT * FROM "
         "${ref('a')}"},
        {"c.sqlx", "config {type: 'table'} SELECT * FROM ${ref('b')}"}};
    const auto graph = Compile(input).value();
    const auto show = [&](const std::vector<std::string>& patterns) {
        const auto selected = Select(graph, {patterns});
        if (!selected) return selected.error().ToString();
        std::string names;
        for (const auto& target : *selected) names += target.name + " ";
        return names;
    };
    EXPECT_EQ(show({}), "main_b_assertions_rowConditions a b c ");
    EXPECT_EQ(show({"main.a"}), "a ");
    EXPECT_EQ(show({"tag:t"}), "main_b_assertions_rowConditions b ");
    EXPECT_EQ(show({"+c"}), "main_b_assertions_rowConditions a b c ");
    EXPECT_EQ(show({"b+"}), "main_b_assertions_rowConditions b c ");
    EXPECT_EQ(show({"main.d"}), "no model is selected by \"main.d\"\nDid you mean \"main.a\"?");
    EXPECT_EQ(show({"tag:x"}), "no model is selected by \"tag:x\"\nDid you mean \"tag:t\"?");
}

}  // namespace
}  // namespace biwa::transform
