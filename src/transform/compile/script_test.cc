// JavaScript in definitions: what it makes, where its errors stand, and that it is contained.
#include <gtest/gtest.h>

#include <chrono>

#include "transform/compile/compile.h"

namespace biwa::transform {
namespace {

CompileInput Input(std::vector<DefinitionFile> files, std::vector<DefinitionFile> includes = {}) {
    CompileInput input;
    input.files = std::move(files);
    input.includes = std::move(includes);
    input.settings.default_dataset = "mart";
    input.settings.vars = {{{"country", "JP"}}};
    input.stream_datasets = {"app"};
    input.script_limits.time_max = std::chrono::milliseconds(1000);
    input.script_limits.memory_bytes_max = 48 << 20;
    return input;
}

std::string ErrorsOf(const CompileInput& input) {
    const auto graph = Compile(input);
    return graph ? "none" : graph.error().message;
}
std::string ErrorOf(std::string text) {
    return ErrorsOf(Input({{"definitions/m.js", std::move(text)}}));
}

TEST(ScriptTest, TellsFileLineAndColumnOfTheSource) {
    EXPECT_EQ(
        ErrorsOf(Input({{"definitions/a.js", "\n\npublish('a', ctx => x.y)"},
                        {"definitions/b.js", "let\n  a = ;"},
                        {"definitions/c.sqlx",
                         "js {\n  const f = (v) => v.x;\n}\nSELECT 1,\n"
                         "  '日本', ${\n    f()}"},
                        {"definitions/d.sqlx", "SELECT ${helpers.broken('q')}"},
                        {"definitions/e.js", "publish('e')\n  .query(c => c.ref('none'))"}},
                       {{"includes/helpers.js", "exports.broken = (a) => {\n  return a.b();\n}"}})),
        "definitions/a.js:3:1: ReferenceError: x is not defined\n"
        "definitions/b.js:2:1: SyntaxError: unexpected token in expression: ';'\n"
        "definitions/c.sqlx:2:1: TypeError: cannot read property 'x' of undefined\n"
        "definitions/e.js:2:17: there is no model or table \"none\". A table that a stream "
        "brings needs its dataset: ref(\"app\", \"none\")\n"
        "includes/helpers.js:2:12: TypeError: not a function (called from "
        "definitions/d.sqlx:1:18)");
}

TEST(ScriptTest, TellsThePlaceOfAWrongValueOfAConfig) {
    EXPECT_EQ(ErrorsOf(Input({{"definitions/m.sqlx",
                               "config {\n  /* type: */ type: ['table'][0],\n  ...{ tag: 1 },\n"
                               "  \"disabled\" : f({ description: 1, x: [1, 2] }),\n"
                               "  description: `${1}`, tags: [f('a'), 7 + 1],\n}\nSELECT 1"}},
                             {{"includes/f.js", "module.exports = (x) => 'text'"}})),
              "definitions/m.sqlx:1:8: unknown config key \"tag\". Did you mean \"tags\"?\n"
              "definitions/m.sqlx:4:16: disabled: expected true or false, found a string\n"
              "definitions/m.sqlx:5:30: tags: expected a string, found a number");
}

TEST(ScriptTest, NamesWhatIsWrongWithAnInclude) {
    auto input = Input({{"definitions/m.js", "publish('m', 'SELECT 1')"}},
                       {{"includes/a.js", "exports.x = yyy"},
                        {"includes/b.js", "require('./none')"},
                        {"includes/deep/c.js", "is not run unless required"}});
    EXPECT_EQ(ErrorsOf(input),
              "includes/a.js:1:1: ReferenceError: yyy is not defined\n"
              "includes/b.js:1:1: there is no module \"./none\": neither beside includes/b.js, nor "
              "in the project's folder, nor in node_modules");
}

TEST(ScriptTest, ContainsWhatDoesNotEndAndNamesTheFile) {
    const std::string late = "the project's JavaScript did not finish within 1.0 s";
    EXPECT_EQ(ErrorOf("\nfor (;;);"), "definitions/m.js:1:1: " + late);
    EXPECT_EQ(ErrorOf("publish('x', () => { for (;;); })").substr(0, 21), "definitions/m.js:1:1:");
    const auto sqlx = ErrorsOf(Input({{"definitions/a.sqlx", "SELECT ${(() => { for (;;); })()}"},
                                      {"definitions/b.sqlx", "SELECT ${1 + 1}"}}));
    EXPECT_EQ(sqlx.substr(0, 20), "definitions/a.sqlx:1");
    EXPECT_NE(sqlx.find(late), std::string::npos) << sqlx;
    EXPECT_EQ(
        ErrorsOf(Input({{"definitions/m.js", ""}}, {{"includes/a.js", "for (;;);"}})).substr(0, 16),
        "includes/a.js:1:");
}

TEST(ScriptTest, ContainsWhatIsTooMuch) {
    EXPECT_NE(ErrorOf("publish('x', 'x'.repeat(5e8))").find("out of memory"), std::string::npos);
    EXPECT_NE(ErrorOf("const a = []; for (;;) a.push('x'.repeat(1e5) + a.length)").find("memory"),
              std::string::npos);
    EXPECT_NE(ErrorOf("function f() { f() } f()").find("call stack size"), std::string::npos);
    EXPECT_NE(ErrorOf("publish('x', { get type() { return this.type } })").find("call stack size"),
              std::string::npos);
    // Little memory in the engine, much outside of it.
    const auto many =
        ErrorOf("const s = 'x'.repeat(4e6); for (let i = 0; i < 100; i++) publish('m' + i, s)");
    EXPECT_NE(many.find("may take 268 MB"), std::string::npos) << many;
    const auto wide = ErrorOf(
        "const a = new Array(4e9); publish('x', { type: 'view', tags: a }).query('SELECT 1')");
    EXPECT_NE(wide.find("definitions/m.js:1:"), std::string::npos) << wide;
}

TEST(ScriptTest, DescribesWhatIsThrownThatIsNoError) {
    EXPECT_EQ(ErrorOf("throw 'up'"), "definitions/m.js:1:1: \"up\" was thrown, which is no Error");
    EXPECT_EQ(ErrorsOf(Input({{"definitions/m.sqlx", "SELECT\n ${(() => { throw 1 })()}"}})),
              "definitions/m.sqlx:2:4: \"1\" was thrown, which is no Error");
    EXPECT_EQ(ErrorOf("throw new Proxy({}, { get() { throw 1 } })"),
              "definitions/m.js:1:1: something was thrown that is no Error and has no text");
}

TEST(ScriptTest, IsNotPollutedByPrototypes) {
    const auto graph = Compile(Input(
        {{"definitions/a.js",
          "Object.prototype.disabled = true; Object.prototype.tags = ['x'];\n"
          "Array.prototype.toString = () => 'never'; Object.prototype.query = 'SELECT 2';\n"
          "Error.stackTraceLimit = 0; Error.prepareStackTrace = () => { throw 1 };"},
         {"definitions/b.js", "publish('b', { type: 'table' }).query('SELECT 1')"},
         {"definitions/c.sqlx", "config { type: ['table'][0] } SELECT 1 FROM ${[ref('b')][0]}"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    for (const auto* name : {"b", "c"}) {
        const auto* action = graph->Find({"mart", name});
        ASSERT_NE(action, nullptr) << name;
        EXPECT_FALSE(action->disabled);
        EXPECT_TRUE(action->tags.empty());
    }
    EXPECT_EQ(graph->Find({"mart", "b"})->full.query.sql, "SELECT 1");
    // The next compilation has an engine of its own.
    EXPECT_EQ(ErrorOf("publish('x', 'SELECT ' + [1])"), "none");
}

TEST(ScriptTest, ReadsNothingButWhatItMay) {
    auto input =
        Input({{"definitions/m.js",
                "for (const m of ['biwa.yaml', './x.txt', 'secrets/key', '../../etc/x']) {\n"
                "  try { require(m); publish('read') } catch { }\n}\n"
                "publish('notes', `SELECT '${getContents('../docs/n.md')}'`)"}});
    std::vector<std::string> read;
    input.read_file = [&](const std::string& path) -> std::optional<std::string> {
        read.push_back(path);
        return path == "docs/n.md" ? std::optional<std::string>("hello") : std::nullopt;
    };
    const auto graph = Compile(input);
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->Find({"mart", "notes"})->full.query.sql, "SELECT 'hello'");
    EXPECT_EQ(graph->actions.size(), 1u);
    for (const auto& path : read) {
        EXPECT_TRUE(path.ends_with(".js") || path.ends_with(".json") || path.ends_with(".md"))
            << path;
    }
}

TEST(ScriptTest, MakesActionsWhereTheyWereAskedFor) {
    const auto graph = Compile(Input(
        {{"definitions/a.js", "require('./z');\n\n  helpers.make('a');"},
         {"definitions/z.js", "\npublish('z').type('table').query(c => `SELECT\n ${c.name()}`)"}},
        {{"includes/helpers.js", "exports.make = (n) => {\n\n\n  publish(n, 'SELECT 1');\n}"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    const auto& a = graph->Find({"mart", "a"})->location;
    EXPECT_EQ(a.file + ":" + std::to_string(a.line), "definitions/a.js:3");
    const auto* z = graph->Find({"mart", "z"});
    EXPECT_EQ(z->location.ToString(), "definitions/z.js:2:1");
    EXPECT_EQ(z->full.query.lines, (std::vector<int>{2, 2}));
}

TEST(ScriptTest, RefusesWhatWouldBeLost) {
    EXPECT_NE(
        ErrorOf("publish('x').query('SELECT 1').where('true')").find("is for type incremental"),
        std::string::npos);
    EXPECT_NE(ErrorOf("test('x').dataset('y')").find("there is no model or table"),
              std::string::npos);
    EXPECT_NE(ErrorOf("assert('x', 'SELECT 1').preOps('SET a = 1')").find("not for assertions"),
              std::string::npos);
    EXPECT_NE(ErrorOf("publish('x', ctx => ctx.tags('y') + 'SELECT 1')").find("too late"),
              std::string::npos);
    EXPECT_NE(ErrorOf("publish('x', 'SELECT 1;')").find("no \";\""), std::string::npos);
    EXPECT_NE(ErrorOf("notebook({})").find("not run here"), std::string::npos);
}

TEST(ScriptTest, SeesLaterChangesOfWhatWasMade) {
    const auto graph = Compile(Input(
        {{"definitions/a.js", "publish('a', 'SELECT 1')"},
         {"definitions/b.js", "dataform.actions.forEach(a => a.tags('late').type('table'))"}}));
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_EQ(graph->actions[0].tags, std::vector<std::string>{"late"});
    EXPECT_EQ(graph->actions[0].type, ActionType::kTable);
}

}  // namespace
}  // namespace biwa::transform
