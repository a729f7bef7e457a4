#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "lsp/config_keys.h"
#include "lsp/testing.h"
#include "transform/compile/config.h"

namespace biwa::lsp {
namespace {

using Json = nlohmann::json;

class CompletionTest : public ServerTest {
  protected:
    // "label=text …" of what is offered at the mark.
    std::string At(const std::string& text, const std::string& file = "definitions/a.sqlx") {
        Begin();
        const auto result = Answer(AskAt("textDocument/completion", file, text));
        std::string all;
        for (const auto& item : result["items"]) {
            all += item["label"].get<std::string>() + "=" +
                   item["textEdit"]["newText"].get<std::string>() + " ";
        }
        return all;
    }
};

TEST_F(CompletionTest, OffersModelsAndDatasetsInRef) {
    EXPECT_EQ(At("SELECT * FROM ${ref(\"█"),
              "app.answers=app\", \"answers a=a daily=daily app=app main=main ");
}

TEST_F(CompletionTest, OffersTablesOfTheDataset) {
    EXPECT_EQ(At("SELECT '生' FROM ${ref(\"main\", \"d█\")}"), "a=a daily=daily ");
}

TEST_F(CompletionTest, OffersKeysWhereAKeyStandsAndOnlyThere) {
    const auto keys = At("config {\n  type: \"table\",\n  un█\n}\nSELECT 1");
    EXPECT_NE(keys.find("uniqueKey=uniqueKey:  "), std::string::npos) << keys;
}

TEST_F(CompletionTest, OffersKeysOfObjectsInTheConfig) {
    EXPECT_EQ(At("config { assertions: { █ } }\nSELECT 1"),
              "uniqueKey=uniqueKey:  uniqueKeys=uniqueKeys:  nonNull=nonNull:  "
              "rowConditions=rowConditions:  severity=severity:  ");
}

TEST_F(CompletionTest, OffersKeysOfAHistory) {
    EXPECT_EQ(At("config { history: { █ } }\nSELECT 1"),
              "updatedAt=updatedAt:  compare=compare:  vanished=vanished:  "
              "allowEmpty=allowEmpty:  ");
}

TEST_F(CompletionTest, OffersChoicesOfAHistory) {
    EXPECT_EQ(At("config { history: { vanished: \"█"), "close=close keep=keep ");
}

TEST_F(CompletionTest, OffersWhatIntervalsAndContractsAreMadeOf) {
    EXPECT_EQ(At("config { type: \"incremental\", intervals: { c█ } }\nSELECT 1"),
              "column=column:  from=from:  every=every:  lookback=lookback:  batch=batch:  ");
}

TEST_F(CompletionTest, WhereThereIsTooMuchOffersWhatMayBeMeant) {
    std::string script;
    for (int i = 0; i < 2500; ++i) script += fmt::format("publish(\"t{}\");\n", i);
    Write("definitions/many.js", script + "publish(\"zz_last\");\n");
    Begin();
    const int all = AskAt("textDocument/completion", "definitions/a.sqlx", "SELECT ${ref(\"█");
    const int some = AskAt("textDocument/completion", "definitions/a.sqlx", "SELECT ${ref(\"zL█");
    Finish();
    EXPECT_EQ(ResultOf(all)["items"].size(), 2000u);
    EXPECT_EQ(ResultOf(all)["isIncomplete"], true);
    ASSERT_EQ(ResultOf(some)["items"].size(), 1u);
    EXPECT_EQ(ResultOf(some)["items"][0]["label"], "zz_last");
    EXPECT_EQ(ResultOf(some)["isIncomplete"], true);
}

TEST_F(CompletionTest, OffersValuesOfKeys) {
    EXPECT_EQ(At("config { type: \"█"),
              "table=table view=view incremental=incremental assertion=assertion "
              "operations=operations declaration=declaration test=test ");
}

TEST_F(CompletionTest, PutsQuotesAroundAValueThatHasNone) {
    EXPECT_EQ(At("config { disabled: █"), "true=true false=false ");
}

TEST_F(CompletionTest, OffersTablesToDependOn) {
    EXPECT_EQ(At("config { dependencies: [\"daily\", █] }\nSELECT 1"),
              "app.answers=\"app.answers\" a=\"a\" daily=\"daily\" ");
}

TEST_F(CompletionTest, OffersFunctionsInAPlaceholder) {
    const auto functions = At("SELECT ${█");
    EXPECT_NE(functions.find("incremental=incremental"), std::string::npos) << functions;
}

TEST_F(CompletionTest, OffersNothingInStrings) {
    EXPECT_EQ(At("SELECT 'x█' FROM ${ref(\"daily\")}"), "");
}

TEST_F(CompletionTest, OffersNothingInComments) {
    EXPECT_EQ(At("-- x█\nSELECT 1 FROM ${ref(\"daily\")}"), "");
}

TEST_F(CompletionTest, KeepsTheQuotesThatTheAuthorBeganWith) {
    EXPECT_EQ(At("SELECT * FROM ${ref('█')}"),
              "app.answers=app', 'answers a=a daily=daily app=app main=main ");
}

TEST_F(CompletionTest, OffersColumnsOfAllTablesThatAreRead) {
    EXPECT_EQ(At("SELECT 生█ FROM ${ref(\"app\", \"answers\")} JOIN ${ref(\"daily\")} WHERE x"),
              "id=id 生徒=生徒 a b=\"a b\" day=day answers=answers ");
}

TEST_F(CompletionTest, OffersColumnsOfTheAliasInFront) {
    EXPECT_EQ(
        At("SELECT a.id, d.█ FROM ${ref(\"app\", \"answers\")} a JOIN ${ref(\"daily\")} AS d"),
        "day=day answers=answers ");
}

TEST_F(CompletionTest, OffersTheModelsOwnColumnsForItsKey) {
    EXPECT_EQ(At("config { uniqueKey: [\"█", "definitions/daily.sqlx"), "day=day answers=answers ");
}

TEST_F(CompletionTest, AModelHasItsColumnsUnderSuffixAndPrefixToo) {
    Write("workflow_settings.yaml", "datasetSuffix: dev\nnamePrefix: me\n");
    tools_.daily = {"main_dev", "me_daily"};
    EXPECT_EQ(At("SELECT d.█ FROM ${ref(\"daily\")} AS d"), "day=day answers=answers ");
}

TEST_F(CompletionTest, OffersModelsByTheNamesThatDefinitionsUse) {
    Write("workflow_settings.yaml", "datasetSuffix: dev\nnamePrefix: me\n");
    tools_.daily = {"main_dev", "me_daily"};
    EXPECT_EQ(At("SELECT * FROM ${ref(\"█"),
              "app.answers=app\", \"answers a=a daily=daily app=app main=main ");
}

// What is offered, the compiler takes.
TEST(ConfigKeysTest, TheCompilerKnowsEveryKey) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> places = {
        {{}, "{{ {}: {} }}"},
        {{"assertions"}, "{{ type: \"table\", assertions: {{ {}: {} }} }}"},
        {{"history"}, "{{ type: \"incremental\", history: {{ {}: {} }} }}"},
        {{"intervals"}, "{{ type: \"incremental\", intervals: {{ {}: {} }} }}"},
        {{"freshness"}, "{{ type: \"table\", freshness: {{ {}: {} }} }}"},
        {{"columns", "x"}, "{{ type: \"table\", columns: {{ x: {{ {}: {} }} }} }}"}};
    for (const auto& [path, shape] : places) {
        for (const auto& key : ConfigKeysAt(path)) {
            const auto text = fmt::format(fmt::runtime(shape), key.name, "0");
            const auto object = transform::ParseExpression(text, 0);
            ASSERT_TRUE(object) << text;
            std::vector<transform::Problem> problems;
            transform::ReadConfig(*object, ModelsConfig(), problems);
            for (const auto& problem : problems) {
                EXPECT_EQ(problem.message.find("unknown"), std::string::npos) << problem.message;
                EXPECT_EQ(problem.message.find("not supported"), std::string::npos)
                    << problem.message;
            }
        }
    }
}

}  // namespace
}  // namespace biwa::lsp
