#include "plan/plan.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "plan/resources.h"

namespace biwa {
namespace {

Resource Connection(const std::string& host) {
    return {"connection",
            "app_db",
            {{"kind", "postgres"}, {"host", host}, {"password", "${env:PW}"}},
            {}};
}
Resource Stream(const std::string& dataset, const std::string& tables) {
    return {"stream",
            "app",
            {{"connection", "app_db"}, {"dataset", dataset}, {"tables", tables}},
            {"connection app_db"}};
}
Resource Model(const std::string& name, const std::string& sql, std::vector<std::string> needs) {
    return {"model", name, {{"type", "view"}, {"sql", sql}}, std::move(needs)};
}

std::vector<Resource> Wanted() {
    return {Model("mart.z_first", "SELECT 1", {"stream app"}),
            Model("mart.a_second", "SELECT *\nFROM mart.z_first\nWHERE x", {"model mart.z_first"}),
            {"dashboard", "学校", {{"title", "学校の様子"}}, {"model mart.a_second"}},
            Stream("app", "public.answers"),
            Connection("db1")};
}

// The record as it stands when a plan was carried out.
std::vector<AppliedResource> Carried(const Plan& plan, std::vector<AppliedResource> applied) {
    const auto changes = RecordOf(plan);
    const auto drop = [&](const std::string& kind, const std::string& name) {
        std::erase_if(applied, [&](const AppliedResource& one) {
            return one.kind == kind && one.name == name;
        });
    };
    for (const auto& one : changes.remove) drop(one.kind, one.name);
    for (const auto& one : changes.put) {
        drop(one.kind, one.name);
        applied.push_back(one);
    }
    return applied;
}

std::vector<AppliedResource> Apply(const std::vector<Resource>& wanted) {
    return Carried(MakePlan(wanted, {}).value(), {});
}

void ExpectGolden(const std::string& name, const std::string& text) {
    const std::filesystem::path path = "tests/golden/plan/" + name;
    if (std::getenv("UPDATE_GOLDEN")) {
        std::filesystem::create_directories(path.parent_path());
        ASSERT_TRUE(WriteFileAtomically(path, text));
    }
    const auto golden = ReadFile(path);
    ASSERT_TRUE(golden) << golden.error().ToString();
    EXPECT_EQ(text, *golden) << "write it anew and read the diff: UPDATE_GOLDEN=1 plan_test";
}

TEST(PlanTest, WhatEndsAHistoryIsSaid) {
    Resource model{"model",
                   "mart.students",
                   {{"type", "incremental"}, {"uniqueKey", "id"}, {"history", "of all columns"}},
                   {}};
    const auto applied = Apply({model});
    const auto warning = [&](const std::vector<Resource>& wanted) {
        const auto plan = MakePlan(wanted, applied);
        EXPECT_TRUE(plan);
        return plan->steps.at(0).warning;
    };
    EXPECT_EQ(warning({}), "its table is dropped, with a history that nothing can bring back");
    model.fields["history"] = "of the columns name";
    EXPECT_EQ(warning({model}), "");
    model.fields.erase("history");
    EXPECT_EQ(warning({model}),
              "its table is dropped and built anew, with a history that nothing can bring back");
    model.fields["type"] = "table";
    EXPECT_EQ(warning({model}),
              "its table is dropped and built anew, with a history that nothing can bring back");
}

TEST(PlanTest, ANewProjectIsMadeInTheOrderOfItsDependencies) {
    const auto plan = MakePlan(Wanted(), {});
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->has_changes());
    std::vector<std::string> order;
    for (const auto& step : plan->steps) {
        EXPECT_EQ(step.action, StepAction::kCreate);
        EXPECT_FALSE(step.destructive);
        order.push_back(step.name);
    }
    EXPECT_EQ(order,
              (std::vector<std::string>{"app_db", "app", "mart.z_first", "mart.a_second", "学校"}));
    ExpectGolden("create.txt", PlanToText(*plan));
    ExpectGolden("create.json", PlanToJson(*plan));
}

TEST(PlanTest, WhatIsAppliedNeedsNothing) {
    const auto applied = Apply(Wanted());
    const auto plan = MakePlan(Wanted(), applied);
    ASSERT_TRUE(plan);
    EXPECT_FALSE(plan->has_changes());
    EXPECT_EQ(plan->steps.size(), 5u);
    EXPECT_TRUE(RecordOf(*plan).put.empty());
    ExpectGolden("nothing.txt", PlanToText(*plan));
}

TEST(PlanTest, ChangesAreToldFieldByFieldAndLossesAreMarked) {
    const auto applied = Apply(Wanted());
    auto wanted = Wanted();
    wanted[1].fields["sql"] = "SELECT *\nFROM mart.z_first\nWHERE y AND z";
    wanted.erase(wanted.begin());  // the model that another reads
    wanted[2] = Stream("app2", "public.answers, public.生徒");
    wanted[3] = Connection("db2");
    wanted.push_back(Model("mart.new", "SELECT 2", {}));
    const auto plan = MakePlan(wanted, applied);
    ASSERT_TRUE(plan);
    ExpectGolden("change.txt", PlanToText(*plan));
    const auto& last = plan->steps.back();
    EXPECT_EQ(last.action, StepAction::kDelete);
    EXPECT_EQ(last.name, "mart.z_first");
    EXPECT_FALSE(last.destructive);  // a view holds no data
    // Carried out, it leaves nothing to do.
    EXPECT_FALSE(MakePlan(wanted, Carried(*plan, applied))->has_changes());
}

TEST(PlanTest, EverythingGoesInTheOppositeOrder) {
    const auto plan = MakePlan({}, Apply(Wanted()));
    ASSERT_TRUE(plan);
    ExpectGolden("delete.txt", PlanToText(*plan));
    EXPECT_EQ(plan->steps.front().name, "学校");
    EXPECT_EQ(plan->steps.back().name, "app_db");
    EXPECT_TRUE(Carried(*plan, Apply(Wanted())).empty());
}

TEST(PlanTest, ATableThatGoesOrBecomesAViewIsALoss) {
    auto model = Model("mart.kept", "SELECT 1", {});
    model.fields["type"] = "incremental";
    const auto applied = Apply({model});
    EXPECT_TRUE(MakePlan({}, applied)->steps.at(0).destructive);
    model.fields["type"] = "view";
    EXPECT_TRUE(MakePlan({model}, applied)->steps.at(0).destructive);
    model.fields["type"] = "incremental";
    model.fields["sql"] = "SELECT 2";
    EXPECT_FALSE(MakePlan({model}, applied)->steps.at(0).destructive);
}

TEST(PlanTest, AChangedDependencyAloneIsAChange) {
    auto wanted = Wanted();
    const auto applied = Apply(wanted);
    wanted[2].depends_on.push_back("stream app");
    const auto plan = MakePlan(wanted, applied);
    EXPECT_NE(PlanToText(*plan).find("~ dashboard 学校 (dependencies changed)"), std::string::npos);
}

TEST(PlanTest, TwoOfOneNameAndCirclesAreRefused) {
    EXPECT_EQ(MakePlan({Connection("a"), Connection("b")}, {}).error().message,
              "there are two of connection app_db");
    const auto circle = MakePlan({Model("a", "", {"model b"}), Model("b", "", {"model a"}),
                                  Model("c", "", {"model nowhere"})},
                                 {});
    ASSERT_FALSE(circle);
    EXPECT_EQ(circle.error().message, "these depend on each other in a circle: model a, model b");
}

TEST(PlanTest, ADamagedRecordIsSaidToBeDamaged) {
    for (const char* bad :
         {"", "[]", "{}", "{\"fields\":{\"a\":1}}", "{\"fields\":{},\"depends_on\":1}"}) {
        const auto plan = MakePlan({}, {{"stream", "app", "h", bad, 0}});
        ASSERT_FALSE(plan) << bad;
        EXPECT_EQ(plan.error().kind, ErrorKind::kCorrupt);
    }
}

TEST(PlanTest, AStalePlanIsRefused) {
    const auto applied = Apply(Wanted());
    const auto plan = MakePlan({}, applied).value();
    EXPECT_TRUE(CheckFresh(plan, applied));
    auto reordered = applied;
    std::swap(reordered.front(), reordered.back());
    EXPECT_TRUE(CheckFresh(plan, reordered));
    auto later = applied;
    later.pop_back();
    ASSERT_FALSE(CheckFresh(plan, later));
    EXPECT_EQ(CheckFresh(plan, later).error().kind, ErrorKind::kConflict);
}

TEST(PlanTest, ComesBackFromJsonAsItWas) {
    auto wanted = Wanted();
    const auto applied = Apply(wanted);
    wanted.erase(wanted.begin() + 2);
    wanted[3].fields["tables"] = "public.生徒, \"quoted\"";
    const auto plan = MakePlan(wanted, applied).value();
    const auto back = PlanFromJson(PlanToJson(plan));
    ASSERT_TRUE(back) << back.error().ToString();
    EXPECT_EQ(back->steps, plan.steps);
    EXPECT_EQ(back->base_fingerprint, plan.base_fingerprint);
    EXPECT_EQ(PlanToJson(*back), PlanToJson(plan));
    EXPECT_EQ(RecordOf(*back).put.size(), RecordOf(plan).put.size());
}

TEST(PlanTest, OtherJsonIsNoPlan) {
    const auto good = PlanToJson(MakePlan(Wanted(), {}).value());
    auto newer = good;
    newer.replace(newer.find("\"format\": 1"), 11, "\"format\": 9");
    auto action = good;
    action.replace(action.find("\"create\",\n"), 8, "\"burned\"");
    auto fewer = good;
    fewer.replace(fewer.find("\"wanted\": ["), 11, "\"wanted\": [], \"x\": [");
    for (const auto& bad :
         {std::string(), std::string("null"), std::string("[]"), std::string("{\"format\":\"1\"}"),
          std::string("{\"format\":1}"), newer, action, fewer, good.substr(0, good.size() / 2)}) {
        const auto plan = PlanFromJson(bad);
        ASSERT_FALSE(plan) << bad;
        EXPECT_EQ(plan.error().kind, ErrorKind::kUser);
    }
}

TEST(MakePlanTest, OtherMasksCopyTablesAnewAndKeepTheStream) {
    Resource stream{"stream", "app", {{"dataset", "app"}, {"mask students.email", "email"}}, {}};
    const auto applied = MakePlan({stream}, {})->wanted;
    stream.fields["mask students.email"] = "hash";
    const auto plan = MakePlan({stream}, applied);
    ASSERT_EQ(plan->steps.size(), 1u);
    EXPECT_TRUE(plan->steps[0].destructive);
    EXPECT_TRUE(ChangesMasks(plan->steps[0]));
    EXPECT_FALSE(ForgetsStream(plan->steps[0]));
    stream.fields["dataset"] = "other";
    EXPECT_TRUE(ForgetsStream(MakePlan({stream}, applied)->steps[0]));
    EXPECT_EQ(MakePlan({stream}, applied)->steps[0].warning,
              "its tables are dropped and copied anew");
    auto with_history = stream;
    with_history.fields["history"] = "*";
    const auto kept = MakePlan({with_history}, {})->wanted;
    EXPECT_EQ(MakePlan({stream}, kept)->steps[0].action, StepAction::kUpdate);
    with_history.fields["dataset"] = "app";
    EXPECT_NE(MakePlan({with_history}, kept)->steps[0].warning.find("nothing can bring back"),
              std::string::npos);
    EXPECT_NE(MakePlan({}, kept)->steps[0].warning.find("nothing can bring back"),
              std::string::npos);
    stream.fields = {{"dataset", "app"}, {"mask students.email", "email"}, {"exclude", "public.x"}};
    EXPECT_FALSE(MakePlan({stream}, applied)->steps[0].destructive);
}

TEST(ProjectResourcesTest, HoldReferencesAndWhatDependsOnWhat) {
    Project project;
    project.connections["db"] = {"db", "postgres", {{"host", "h"}, {"password", "${env:PW}"}}, {}};
    auto& stream = project.streams["app"];
    stream.name = stream.dataset = "app";
    stream.connection = "db";
    stream.tables = {"public.*"};
    stream.masks = {{"students.email", {MaskKind::kEmail, 0}, {}}};
    stream.clear = {{"students.id", {}}};
    stream.mask_key = "${env:KEY}";
    DashboardConfig dashboard;
    dashboard.name = dashboard.title = "学校";
    TileConfig tile;
    tile.title = "Answers";
    tile.sql = "SELECT 1";
    dashboard.tiles = {tile};
    project.dashboards["school"] = dashboard;

    const auto resources = ProjectResources(project);
    ASSERT_EQ(resources.size(), 3u);
    EXPECT_EQ(resources[0].fields.at("password"), "${env:PW}");
    EXPECT_EQ(resources[1].depends_on, std::vector<std::string>{"connection db"});
    EXPECT_EQ(resources[1].fields,
              (std::map<std::string, std::string>{{"connection", "db"},
                                                  {"dataset", "app"},
                                                  {"tables", "public.*"},
                                                  {"mask students.email", "email"},
                                                  {"mask students.id", "clear"},
                                                  {"mask_key", "${env:KEY}"}}));
    EXPECT_EQ(resources[2].fields.at("tile 01 Answers"), "table, 4 x 2\nSELECT 1");
    EXPECT_TRUE(MakePlan(resources, {}));
}

}  // namespace
}  // namespace biwa
