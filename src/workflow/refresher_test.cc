#include "workflow/refresher.h"

#include <gtest/gtest.h>

#include "transform/compile/compile.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::workflow {
namespace {

using State = ModelStatus::State;

class RefresherTest : public testing::Test {
  protected:
    void SetUp() override { warehouse_ = OpenDuckDb({}).value(); }

    void Exec(const std::string& sql) {
        const auto transaction = warehouse_->Begin().value();
        const auto done = transaction->Execute(sql);
        ASSERT_TRUE(done) << done.error().message;
        ASSERT_TRUE(transaction->Commit());
    }

    void Make(const std::map<std::string, std::string>& files) {
        transform::CompileInput input;
        for (const auto& [name, text] : files) input.files.push_back({name + ".sqlx", text});
        input.stream_datasets = {"app"};
        auto graph = transform::Compile(input);
        ASSERT_TRUE(graph) << graph.error().message;
        ModelsConfig config;
        config.refresh = std::chrono::milliseconds(100);
        refresher_ = std::make_unique<Refresher>(
            std::make_shared<transform::CompiledGraph>(std::move(*graph)), config, *warehouse_,
            clock_);
    }

    ModelStatus Find(const std::string& name) const {
        for (auto& model : refresher_->Snapshot()) {
            if (model.name.name == name) return model;
        }
        ADD_FAILURE() << "no model " << name;
        return {};
    }

    // Waits for it, ten seconds at the most.
    template <typename Condition>
    bool Soon(const Condition& condition) const {
        for (int i = 0; i < 1000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    SystemClock clock_;
    std::unique_ptr<Warehouse> warehouse_;
    std::unique_ptr<Refresher> refresher_;
};

const std::map<std::string, std::string> kModels{
    {"v", "config {type: 'view'} SELECT * FROM ${ref('app', 't')}"},
    {"m",
     "config {type: 'table', description: '数', tags: 'x', assertions: {rowConditions: "
     "['n < 100']}} SELECT n FROM ${ref('v')}"},
    {"s", "config {type: 'table'} SELECT sum(n) AS n FROM ${ref('m')}"}};

TEST_F(RefresherTest, FollowsTheTablesOfAStream) {
    Make(kModels);
    refresher_->Start();
    EXPECT_EQ(Find("m").state, State::kNever);
    Exec("CREATE SCHEMA app");
    Exec("CREATE TABLE app.t AS SELECT 1 AS n");
    refresher_->OnTablesChanged({{"app", "t"}});
    ASSERT_TRUE(Soon([&] { return Find("s").state == State::kOk; }));
    const auto model = Find("m");
    EXPECT_EQ(model.rows, 1u);
    EXPECT_EQ(model.description, "数");
    EXPECT_EQ(model.refresh_seconds, 0.1);
    ASSERT_EQ(model.assertions.size(), 1u);
    EXPECT_EQ(model.depends_on, (std::vector<TableName>{{"main", "v"}}));

    Exec("INSERT INTO app.t VALUES (2), (100)");
    refresher_->OnTablesChanged({{"app", "t"}});
    ASSERT_TRUE(Soon([&] {
        const auto now = Find("m");
        return now.rows == 3u && now.assertions[0].state == AssertionStatus::State::kFailed;
    }));
    EXPECT_EQ(Find("m").assertions[0].failing.count, 1u);
    EXPECT_EQ(Find("m").assertions[0].failing.sample.at(0).at(1), "100");
    EXPECT_EQ(Find("m").state, State::kOk);
}

TEST_F(RefresherTest, FindsTablesThatNobodyAnnounces) {
    Make(kModels);
    refresher_->Start();
    Exec("CREATE SCHEMA app");
    Exec("CREATE TABLE app.t AS SELECT 1 AS n");
    EXPECT_TRUE(Soon([&] { return Find("s").state == State::kOk; }));
}

TEST_F(RefresherTest, AFailureShowsAndIsTriedAgainAfterAChange) {
    Make(kModels);
    Exec("CREATE SCHEMA app");
    Exec("CREATE TABLE app.t AS SELECT 1 AS wrong");
    refresher_->Start();
    ASSERT_TRUE(Soon([&] { return Find("s").state == State::kSkipped; }));
    EXPECT_EQ(Find("m").state, State::kFailed);
    EXPECT_TRUE(Find("m").error->message.starts_with("m.sqlx:1: ")) << Find("m").error->message;
    EXPECT_FALSE(Find("m").fresh_as_of);
    Exec("ALTER TABLE app.t RENAME wrong TO n");
    refresher_->OnTablesChanged({{"app", "t"}});
    ASSERT_TRUE(Soon([&] { return Find("s").state == State::kOk; }));
    EXPECT_FALSE(Find("m").error);
    EXPECT_TRUE(Find("s").fresh_as_of);
}

TEST_F(RefresherTest, RunsNowWithoutBeingStarted) {
    Make(kModels);
    Exec("CREATE SCHEMA app");
    Exec("CREATE TABLE app.t AS SELECT 1 AS n");
    int changes = 0;
    refresher_->SetListener([&] { ++changes; });
    const auto selected = refresher_->Select({{"+s"}});
    ASSERT_TRUE(selected) << selected.error().message;
    EXPECT_TRUE(refresher_->RunNow(*selected, {}, nullptr, {}).ok());
    EXPECT_EQ(changes, 8);
    EXPECT_EQ(Find("s").rows, 1u);
    const auto wrong = refresher_->Select({{"nothing"}});
    EXPECT_EQ(wrong.error().message, "no model is selected by \"nothing\"");
}

TEST_F(RefresherTest, StopsInTheMiddleOfABuild) {
    Make({{"m",
           "config {type: 'table'} SELECT sum(sin(i) * cos(j)) AS n FROM range(1000000) a(i), "
           "range(1000000) b(j)"}});
    refresher_->Start();
    ASSERT_TRUE(Soon([&] { return Find("m").state == State::kRunning; }));
    const auto began = std::chrono::steady_clock::now();
    refresher_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace biwa::workflow
