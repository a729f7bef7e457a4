#include "transform/compile/compile.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace biwa::transform {
namespace {

CompileInput Input(std::vector<DefinitionFile> files) {
    CompileInput input;
    input.files = std::move(files);
    input.settings.default_dataset = "mart";
    input.settings.vars = {{{"country", "JP"}}};
    input.tables = {{"app", "answers"}, {"app", "users"}, {"crm", "users"}};
    input.stream_datasets = {"app"};
    return input;
}

std::string ErrorsOf(std::vector<DefinitionFile> files) {
    const auto graph = Compile(Input(std::move(files)));
    return graph ? "none" : graph.error().message;
}
std::string ErrorOf(std::string text) {
    return ErrorsOf({{"definitions/m.sqlx", std::move(text)}});
}

Action Only(std::string text) {
    const auto graph = Compile(Input({{"definitions/m.sqlx", std::move(text)}}));
    EXPECT_TRUE(graph) << graph.error().message;
    return graph ? *graph->Find({"mart", "m"}) : Action();
}

TEST(CompileTest, PutsTablesInPlaceOfReferences) {
    const auto action = Only(
        "config {type: 'view'}\nSELECT ${ref('answers')}, ${ref('crm', 'users')}, "
        "${ref({schema: 'app', name: 'users'})}, ${resolve('answers')}, ${self()}, '${name()}', "
        "'${dataform.projectConfig.vars.country}', ${incremental()}");
    EXPECT_EQ(action.full.query.sql,
              R"(SELECT "app"."answers", "crm"."users", "app"."users", "app"."answers", )"
              R"("mart"."m", 'm', 'JP', false)");
    EXPECT_EQ(action.dependencies,
              (std::vector<TableName>{{"app", "answers"}, {"app", "users"}, {"crm", "users"}}));
}

TEST(CompileTest, MakesBothSqlsOfAnIncrementalModel) {
    const auto action = Only(
        "config {type: 'incremental', uniqueKey: ['id'], refresh: '10m'}\n"
        "SELECT * FROM ${ref('answers')}\n"
        "${when(incremental(), `WHERE at > (SELECT max(at) FROM ${self()})`, `WHERE true`)}");
    EXPECT_EQ(action.full.query.sql, "SELECT * FROM \"app\".\"answers\"\nWHERE true");
    EXPECT_EQ(action.incremental.query.sql,
              "SELECT * FROM \"app\".\"answers\"\nWHERE at > (SELECT max(at) FROM "
              "\"mart\".\"m\")");
    EXPECT_EQ(action.refresh, std::chrono::minutes(10));
}

TEST(CompileTest, ReadsTheHistoryOfADimension) {
    const auto action = Only(
        "config {type: 'incremental', uniqueKey: 'id', history: {updatedAt: 'at', compare: 'name', "
        "vanished: 'keep', allowEmpty: true}}\nSELECT 1 AS id");
    ASSERT_TRUE(action.RecordsHistory());
    EXPECT_EQ(action.history->updated_at, "at");
    EXPECT_EQ(action.history->compare, std::vector<std::string>{"name"});
    EXPECT_TRUE(action.history->keeps_vanished);
    EXPECT_TRUE(action.history->may_be_empty);
    EXPECT_FALSE(Only("config {type: 'view', uniqueKey: 'id', history: {}}\nSELECT 1 AS id")
                     .RecordsHistory());
    const std::pair<const char*, const char*> kBad[] = {
        {"type: 'incremental', history: {}", "a history needs a uniqueKey"},
        {"type: 'incremental', uniqueKey: 'id', history: {updateAt: 'x'}",
         "unknown history key \"updateAt\". Did you mean \"updatedAt\"?"},
        {"type: 'incremental', uniqueKey: 'id', history: {vanished: 'open'}",
         "expected one of close, keep"},
        {"type: 'incremental', uniqueKey: 'id', history: {compare: ['id']}",
         "\"id\" is of uniqueKey"},
        {"type: 'incremental', uniqueKey: 'id', history: {}, incrementalStrategy: 'MERGE'",
         "a history only ever adds versions"},
        {"type: 'incremental', uniqueKey: 'id', history: true", "expected an object"},
        {"type: 'assertion', history: {}", "\"history\" is for types table, view and incremental"},
        {"type: 'table', uniqueKey: 'id', history: {vanished: 'keep'}", "for type incremental"},
        {"type: 'table', uniqueKey: 'id'", "\"uniqueKey\" is for type \"incremental\" only"}};
    for (const auto& [config, message] : kBad) {
        const auto error = ErrorOf(fmt::format("config {{{}}} SELECT 1 AS id", config));
        EXPECT_NE(error.find(message), std::string::npos) << config << ": " << error;
    }
    const auto part = ErrorOf(
        "config {type: 'incremental', uniqueKey: 'id', history: {}} SELECT 1 AS id\n"
        "incremental_where { id > 1 }");
    EXPECT_NE(part.find("would be closed"), std::string::npos) << part;
}

TEST(CompileTest, KnowsTheFilesLineOfEachLineOfSql) {
    const auto action =
        Only("config {type: 'view'}\n\nSELECT\n  ${when(true,\n   `a,\n  b`)},\n  c\n");
    EXPECT_EQ(action.full.query.sql, "SELECT\n  a,\n  b,\n  c");
    EXPECT_EQ(action.full.query.lines, (std::vector<int>{3, 4, 6, 7}));
    EXPECT_EQ(action.full.query.FileLine(4), 7);
    EXPECT_EQ(action.full.query.FileLine(5), 0);
}

TEST(CompileTest, AcceptsATableThatAStreamWillBring) {
    EXPECT_EQ(ErrorOf("config {type: 'view'} SELECT * FROM ${ref('app', 'not_yet')}"), "none");
    EXPECT_EQ(ErrorOf("config {type: 'view'} SELECT * FROM ${ref('crm', 'user')}"),
              "definitions/m.sqlx:1:39: there is no model or table \"crm.user\". Did you mean "
              "\"crm.users\"?");
}

TEST(CompileTest, ListsWhatAnAmbiguousNameMayMean) {
    EXPECT_EQ(ErrorOf("config {type: 'view'} SELECT * FROM ${ref('users')}"),
              "definitions/m.sqlx:1:39: \"users\" may mean app.users or crm.users: name its "
              "dataset, as in ref(\"app\", \"users\")");
}

TEST(CompileTest, NamesTheCircle) {
    EXPECT_EQ(ErrorsOf({{"definitions/a.sqlx", "config {type: 'view'} SELECT * FROM ${ref('b')}"},
                        {"definitions/b.sqlx", "config {type: 'view'} SELECT * FROM ${ref('c')}"},
                        {"definitions/c.sqlx", "config {type: 'view'} SELECT * FROM ${ref('b')}"},
                        {"definitions/d.sqlx", "config {type: 'view'} SELECT * FROM ${ref('a')}"}}),
              "definitions/b.sqlx:1:8: these depend on each other in a circle: mart.b → mart.c → "
              "mart.b");
}

TEST(CompileTest, NamesBothFilesOfADuplicate) {
    EXPECT_EQ(
        ErrorsOf({{"definitions/a/Sales.sqlx", "config {type: 'view'} SELECT 1"},
                  {"definitions/b/x.sqlx", "config {type: 'table', name: 'sales'} SELECT 1"}}),
        "definitions/b/x.sqlx:1:8: mart.sales is already made by "
        "definitions/a/Sales.sqlx:1:8");
}

TEST(CompileTest, ReportsEverythingThatIsWrongAtOnce) {
    EXPECT_EQ(
        ErrorsOf({{"definitions/a.sqlx",
                   "config {\n  type: 'tabel',\n  tag: ['x'],\n  disabled: 1\n}\nSELECT 1"},
                  {"definitions/b.sqlx", "config {type: 'view'}\nSELECT ${a + b}, ${b}"},
                  {"definitions/c.sqlx", "SELECT '日本', 'x"},
                  {"definitions/d.js", "publish('x')"}}),
        "definitions/a.sqlx:2:9: unknown type \"tabel\". Did you mean \"table\"?; expected "
        "one of declaration, table, view, incremental, assertion, operations, test, notebook, "
        "dataPreparation, propertyGraph\n"
        "definitions/a.sqlx:3:3: unknown config key \"tag\". Did you mean \"tags\"?\n"
        "definitions/a.sqlx:4:13: disabled: expected true or false, found a number\n"
        "definitions/b.sqlx:2:10: ReferenceError: a is not defined\n"
        "definitions/b.sqlx:2:20: ReferenceError: b is not defined\n"
        "definitions/c.sqlx:1:14: this string is never closed by '\n"
        "definitions/d.js:1:1: mart.x has no SQL: give it a query()");
}

TEST(CompileTest, RefusesWhatCannotBeMeant) {
    const struct {
        const char* text;
        const char* message;
    } kBad[] = {
        {"config {type: 'view'}", "has no SQL"},
        {"config {type: 'view'} SELECT 1;", "no \";\""},
        {"config {type: 'view'} SELECT 1\n---\nSELECT 2", "one SQL statement"},
        {"config {type: 'view', uniqueKey: 'a'} SELECT 1", "for type \"incremental\" only"},
        {"config {type: 'view', refresh: '1s'} SELECT 1", "for types table and incremental only"},
        {"config {type: 'table', refresh: '1 week'} SELECT 1", "is no duration"},
        {"config {type: 'table', bigquery: {a: 1}} SELECT 1", "unknown bigquery key \"a\""},
        {"config {type: 'incremental', onSchemaChange: 'FAILS'} SELECT 1",
         "Did you mean \"FAIL\"?"},
        {"config {type: 'incremental', incrementalStrategy: 'MERGE'} SELECT 1",
         "needs a uniqueKey"},
        {"config {type: 'table'} incremental_where { a } SELECT 1", "is for type incremental"},
        {"config {type: 'table'} input \"a\" { SELECT 1 } SELECT 1", "are for type test"},
        {"config {type: 'test'} SELECT 1", "names no model to test"},
        {"config {type: 'test', dataset: 'answers'} SELECT 1", "there is no model or table"},
        {"config {type: 'table', schema: 'app'} SELECT 1", "among the tables of a stream"},
        {"config {type: 'declaration'} SELECT 1", "has no SQL"},
        {"config {type: 'assertion'} SELECT * FROM ${self()}", "it makes none"},
        {"config {type: 'assertion'} pre_operations { SELECT 1 } SELECT 1", "pre_operations"},
        {"config {type: 'table', name: 'a.b'} SELECT 1", "no \".\""},
        {"SELECT ${ref()}", "takes a name"},
        {"SELECT ${ref('a', 'b', 'c')}", "in the project \"a\""},
        {"SELECT ${ref('app.answers')}", "ref(\"app\", \"answers\")"},
        {"SELECT ${rev('answers')}", "rev is not defined. Did you mean \"ref\"?"},
        {"SELECT ${dataform.projectConfig.vars.contry}", "Did you mean \"country\"?"},
        {"SELECT ${['a']}", "makes no SQL"},
        {"SELECT ${undefined || undefined}", "undefined makes no SQL"},
        {"SELECT ${() => 1}", "a function makes no SQL"},
        {"SELECT ${({a: 1})}", "an object makes no SQL"},
        {"SELECT ${Symbol('a')}", "TypeError"},
        {"SELECT ${}", "SyntaxError"},
        {"js { let a = ; } SELECT ${a}", "1:6: SyntaxError"},
        {"config { type: 'view', tags: f() } SELECT 1", "1:8: ReferenceError: f is not defined"},
        {"config { ...{type: 'view', tag: 1} } SELECT 1", "unknown config key \"tag\""},
        {"config { type: 'view', tags: (() => ['x', () => 1])() } SELECT 1",
         "no value of a config"},
        {"config { type: 'view', ...(() => { const o = {}; o.columns = o; return o })() } SELECT 1",
         "nested too deep"},
        {"SELECT ${ref(undefined + '', undefined)}", "found undefined"},
        {"SELECT ${ref(['a', 'b', 'c', 'd'].concat())}", "found 4 of them"},
        {"SELECT ${ref({name: 'user' + 's'})}", "app.users or crm.users"},
        {"SELECT ${ref('users'.slice(0))}", "app.users or crm.users"},
        {"SELECT ${publish('x' + 1)}", "not while SQL is made"},
        {"SELECT ${database()}", "names no defaultProject"},
    };
    for (const auto& bad : kBad) {
        EXPECT_NE(ErrorOf(bad.text).find(bad.message), std::string::npos) << bad.text << "\n"
                                                                          << ErrorOf(bad.text);
    }
}

TEST(CompileTest, WaitsForAssertionsWhereAsked) {
    const auto graph = Compile(Input(
        {{"definitions/a.sqlx",
          "config {type: 'table', assertions: {uniqueKey: 'id'}} SELECT 1 AS id"},
         {"definitions/b.sqlx",
          "config {type: 'table', dependOnDependencyAssertions: true} SELECT * FROM ${ref('a')}"},
         {"definitions/c.sqlx", "config {type: 'table'} SELECT * FROM ${ref('a')}"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(
        graph->Find({"mart", "b"})->dependencies,
        (std::vector<TableName>{{"assertions", "mart_a_assertions_uniqueKey_0"}, {"mart", "a"}}));
    EXPECT_EQ(graph->Find({"mart", "c"})->dependencies, (std::vector<TableName>{{"mart", "a"}}));
}

TEST(CompileTest, PutsSuffixAndPrefixToItsOwnActionsOnly) {
    auto input = Input(
        {{"definitions/a.sqlx",
          "config {type: 'table', assertions: {nonNull: ['x']}} SELECT * FROM ${ref('answers')}"},
         {"definitions/b.sqlx", "config {type: 'view'} SELECT '${name()}' FROM ${ref('a')}"}});
    input.settings.dataset_suffix = "dev";
    input.settings.name_prefix = "me";
    const auto graph = Compile(input);
    ASSERT_TRUE(graph) << graph.error().message;
    const auto* a = graph->Find({"mart_dev", "me_a"});
    ASSERT_NE(a, nullptr);
    EXPECT_EQ(a->canonical, (TableName{"mart", "a"}));
    EXPECT_EQ(a->full.query.sql, "SELECT * FROM \"app\".\"answers\"");
    EXPECT_EQ(graph->Find({"mart_dev", "me_b"})->full.query.sql,
              "SELECT 'me_b' FROM \"mart_dev\".\"me_a\"");
    EXPECT_NE(graph->Find({"assertions_dev", "me_mart_a_assertions_rowConditions"}), nullptr);
}

TEST(CompileTest, TestsTheQueryOverItsInputs) {
    const auto graph = Compile(Input(
        {{"definitions/m.sqlx", "config {type: 'view'} SELECT * FROM ${ref('app', 'answers')}"},
         {"definitions/t.sqlx",
          "config {type: 'test', dataset: 'm'}\ninput \"answers\" { SELECT 1 AS id -- one\n }\n"
          "SELECT 1 AS id"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    ASSERT_EQ(graph->tests.size(), 1u);
    const auto& test = graph->tests[0];
    EXPECT_EQ(test.name, "t");
    EXPECT_EQ(test.model, (TableName{"mart", "m"}));
    EXPECT_EQ(test.query.sql, "SELECT * FROM (SELECT 1 AS id -- one\n)");
    EXPECT_EQ(test.expected.sql, "SELECT 1 AS id");
    EXPECT_FALSE(test.is_incremental);
    EXPECT_EQ(graph->actions.size(), 1u);
}

TEST(CompileTest, TestsAnIncrementalQueryOverWhatIsThere) {
    const std::vector<DefinitionFile> model = {
        {"definitions/m.sqlx",
         "config {type: 'incremental'} SELECT * FROM ${ref('answers')} "
         "${when(incremental(), `WHERE id > (SELECT max(id) FROM ${self()})`)}"}};
    auto files = model;
    files.push_back({"definitions/t.sqlx",
                     "config {type: 'test', dataset: 'm'}\ninput \"answers\" { SELECT 2 AS id }\n"
                     "input \"m\" { SELECT 1 AS id }\nSELECT 2 AS id"});
    const auto graph = Compile(Input(files));
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_TRUE(graph->tests[0].is_incremental);
    EXPECT_EQ(graph->tests[0].query.sql,
              "SELECT * FROM (SELECT 2 AS id) WHERE id > (SELECT max(id) FROM (SELECT 1 AS id))");

    files = model;
    files.push_back({"definitions/t.sqlx",
                     "config {type: 'test', dataset: 'm'}\ninput \"answers\" { SELECT 2 AS id }\n"
                     "SELECT 2 AS id"});
    const auto full = Compile(Input(files));
    ASSERT_TRUE(full) << full.error().message;
    EXPECT_FALSE(full->tests[0].is_incremental);
    EXPECT_EQ(full->tests[0].query.sql, "SELECT * FROM (SELECT 2 AS id)");
}

TEST(CompileTest, TestsModelsThatJavaScriptMade) {
    const auto graph = Compile(Input(
        {{"definitions/a.js",
          "publish('m', {type: 'table'}).query(c => `SELECT * FROM ${c.ref('answers')}`);\n"
          "test('counts').dataset('m').input('answers', 'SELECT 1 AS id').expect('SELECT 1 AS "
          "id');"},
         {"definitions/n.sqlx",
          "config {type: 'view'} js { const from = `FROM ${ref('answers')}` } SELECT * ${from}"},
         {"definitions/t.sqlx",
          "config {type: 'test', dataset: 'n'} input \"answers\" { SELECT ${1 + 1} AS id } SELECT "
          "2"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    ASSERT_EQ(graph->tests.size(), 2u);
    EXPECT_EQ(graph->tests[0].name, "counts");
    EXPECT_EQ(graph->tests[0].query.sql, "SELECT * FROM (SELECT 1 AS id)");
    EXPECT_EQ(graph->tests[1].query.sql, "SELECT * FROM (SELECT 2 AS id)");
    EXPECT_EQ(graph->Find({"mart", "n"})->full.query.sql, "SELECT * FROM \"app\".\"answers\"");
}

TEST(CompileTest, SaysWhatATestLacks) {
    const auto errors = [&](const std::string& test) {
        return ErrorsOf(
            {{"definitions/m.sqlx", "config {type: 'view'} SELECT * FROM ${ref('answers')}"},
             {"definitions/t.sqlx", "config {type: 'test', dataset: 'm'}" + test}});
    };
    EXPECT_EQ(errors(" SELECT 1"),
              "definitions/t.sqlx:1:8: the test has no input for app.answers, which mart.m reads");
    EXPECT_NE(errors("input \"answers\" { } SELECT 1").find("an input has no SQL"),
              std::string::npos);
    EXPECT_NE(errors("input \"answers\" { SELECT * FROM ${ref('users')} } SELECT 1")
                  .find("nothing to ref() here"),
              std::string::npos);
}

TEST(CompileTest, ReadsActionsYaml) {
    const auto input = Input({{"definitions/x/actions.yaml",
                               "actions:\n  - table:\n      filename: ../m.sql\n"
                               "      tags: [nightly]\n  - declaration:\n      name: far\n"},
                              {"definitions/m.sql", "SELECT '${a}'\n"}});
    const auto graph = Compile(input);
    ASSERT_TRUE(graph) << graph.error().message;
    const auto* action = graph->Find({"mart", "m"});
    ASSERT_NE(action, nullptr);
    EXPECT_EQ(action->full.query.sql, "SELECT '${a}'");
    EXPECT_EQ(action->location.ToString(), "definitions/m.sql:1:1");
    EXPECT_EQ(action->tags, (std::vector<std::string>{"nightly"}));
    EXPECT_EQ(graph->declarations.size(), 1u);
}

TEST(CompileTest, NamesThePlaceInActionsYaml) {
    const auto error = [](std::string text) {
        return ErrorsOf(
            {{"definitions/actions.yaml", std::move(text)}, {"definitions/m.sql", ";"}});
    };
    EXPECT_EQ(error("actions:\n  - table:\n      filename: n.sql\n"),
              "definitions/actions.yaml:2:5: there is no file definitions/n.sql");
    EXPECT_EQ(error("actions:\n  - table:\n      filename: m.sql\n      tag: [a]\n"),
              "definitions/actions.yaml:4:7: unknown config key \"tag\". Did you mean \"tags\"?");
    EXPECT_EQ(
        error("actions:\n  - tables: {}\n"),
        "definitions/actions.yaml:2:5: unknown action key \"tables\". Did you mean \"table\"?");
    EXPECT_EQ(error("actions:\n  - view:\n      filename: m.sql\n"),
              "definitions/m.sql:1:1: there must be no \";\" at the end of the SQL");
    for (const auto* bad : {"actions: [", "actions: 1", "- a", "actions: [{}]", "actions: [a]",
                            "actions: [{table: {}}]", "&a [*a, *a]"})
        EXPECT_NE(error(bad), "none") << bad;
}

TEST(CompileTest, NotesOnceWhatIsKeptAndNotDone) {
    const auto graph = Compile(
        Input({{"definitions/a.sqlx", "config {type: 'table', labels: {x: 'y'}} SELECT 1"},
               {"definitions/b.sqlx",
                "config {type: 'table', bigquery: {labels: {x: 'y'}, clusterBy: ['a']}} SELECT 1"},
               {"definitions/n.sqlx", "config {type: 'propertyGraph'} SELECT 1"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->notes,
              (std::vector<std::string>{
                  "Kept, and without effect in this warehouse: clusterBy "
                  "(definitions/b.sqlx:1:53), labels (definitions/a.sqlx:1:24).",
                  "Compiled, and not run here: definitions/n.sqlx (propertyGraph)."}));
}

}  // namespace
}  // namespace biwa::transform
