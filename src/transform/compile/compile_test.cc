#include "transform/compile/compile.h"

#include <gtest/gtest.h>

namespace biwa::transform {
namespace {

CompileInput Input(std::vector<DefinitionFile> files) {
    CompileInput input;
    input.files = std::move(files);
    input.settings.default_dataset = "mart";
    input.settings.vars = {{"country", "JP"}};
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
    EXPECT_EQ(ErrorsOf({{"definitions/a.sqlx",
                         "config {\n  type: 'tabel',\n  tag: ['x'],\n  disabled: 1\n}\nSELECT 1"},
                        {"definitions/b.sqlx", "config {type: 'view'}\nSELECT ${a + b}, ${b}"},
                        {"definitions/c.sqlx", "SELECT '日本', 'x"},
                        {"definitions/d.js", "publish('x')"}}),
              "definitions/a.sqlx:2:9: unknown type \"tabel\". Did you mean \"table\"?; expected "
              "one of declaration, table, view, incremental, assertion, operations\n"
              "definitions/a.sqlx:3:3: unknown config key \"tag\". Did you mean \"tags\"?\n"
              "definitions/a.sqlx:4:13: expected true or false, found a number\n"
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
        {"config {type: 'table', bigquery: {}} SELECT 1", "of Dataform is not supported"},
        {"config {type: 'table', schema: 'app'} SELECT 1", "among the tables of a stream"},
        {"config {type: 'declaration'} SELECT 1", "has no SQL"},
        {"config {type: 'assertion'} SELECT * FROM ${self()}", "it makes none"},
        {"config {type: 'assertion'} pre_operations { SELECT 1 } SELECT 1", "pre_operations"},
        {"config {type: 'table', name: 'a.b'} SELECT 1", "no \".\""},
        {"SELECT ${ref()}", "takes a name"},
        {"SELECT ${ref('a', 'b', 'c')}", "no projects"},
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

}  // namespace
}  // namespace biwa::transform
