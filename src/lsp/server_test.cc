#include "lsp/server.h"

#include "lsp/testing.h"

namespace biwa::lsp {
namespace {

using Json = nlohmann::json;

TEST_F(ServerTest, SaysWhatItCanAndEndsAsItWasTold) {
    const int id = Ask("initialize", Json::object());
    const auto result = Answer(id);
    EXPECT_EQ(result["capabilities"]["positionEncoding"], "utf-16");
    EXPECT_EQ(result["serverInfo"]["name"], "biwa");
}

TEST_F(ServerTest, AnEndWithoutShutdownIsExitCode1) {
    Begin();
    EXPECT_EQ(Run(), 1);
}

TEST_F(ServerTest, WhatIsWrongIsAnErrorAndTheServerGoesOn) {
    Ask("textDocument/hover", Json::object());  // before initialize
    Begin();
    Send(Json::array());
    Send({{"id", 90}});
    Send({{"id", 91}, {"result", 1}});
    for (const Json& params :
         {Json(), Json(3), Json::array({1}), Json{{"textDocument", {{"uri", 1}}}},
          Json{{"textDocument", {{"uri", "file:///not/open"}}},
               {"position", {{"line", 0}, {"character", 0}}}}}) {
        for (const auto method :
             {"textDocument/hover", "textDocument/completion", "textDocument/definition",
              "textDocument/references", "textDocument/documentSymbol", "textDocument/formatting",
              "workspace/symbol"}) {
            Ask(method, params);
        }
        for (const auto method : {"textDocument/didOpen", "textDocument/didChange",
                                  "textDocument/didClose", "$/cancelRequest"}) {
            Note(method, params);
        }
    }
    Ask("no/such", nullptr);
    Finish();
    int errors = 0;
    for (const auto& answer : answers_) errors += answer.contains("error") ? 1 : 0;
    EXPECT_EQ(errors, 1 + 2 + 5 * 7 + 1);
}

TEST_F(ServerTest, WhatIsCancelledBeforeItsTurnIsNotAnswered) {
    tools_.load_time = std::chrono::milliseconds(300);  // meanwhile all messages are read
    Begin();
    const int id = AskAt("textDocument/hover", "definitions/a.sqlx",
                         "config { type: \"view\" }\nSELECT 1 FROM ${ref(\"da█ily\")}\n");
    const int cancelled = Ask("workspace/symbol", {{"query", "daily"}});
    const int other = Ask("workspace/symbol", {{"query", "daily"}});
    Note("$/cancelRequest", {{"id", cancelled}});
    Note("$/cancelRequest", {{"id", "no such"}});
    Finish();
    EXPECT_FALSE(ResultOf(id).is_null());
    EXPECT_EQ(ResultOf(other).size(), 1u);
    int answers = 0;
    for (const auto& answer : answers_) {
        if (answer.value("id", Json()) != cancelled) continue;
        ++answers;
        EXPECT_EQ(answer["error"]["code"], -32800) << answer.dump();
    }
    EXPECT_EQ(answers, 1);
}

TEST_F(ServerTest, InvalidJsonIsAParseError) {
    std::stringstream in;
    std::ostringstream out;
    WriteMessage(in, "{\"id\":");
    WriteMessage(in, "{\"id\":1,\"method\":\"\xff\"}");
    const auto code = Serve(in, out, tools_, {});
    ASSERT_TRUE(code);
    EXPECT_EQ(*code, 1);
    EXPECT_NE(out.str().find("-32700"), std::string::npos) << out.str();
}

TEST_F(ServerTest, ProblemsComeWithTheirRangesOnUnsavedTextAndGoWhenMended) {
    Begin();
    // The 生 in front is one code unit, 😀 two.
    Open("definitions/a.sqlx", "config { type: \"view\" }\nSELECT '生😀' FROM ${ref(\"dailyy\")}\n");
    EXPECT_EQ(Run(), 1);
    const auto found = DiagnosticsOf("definitions/a.sqlx");
    ASSERT_EQ(found.size(), 1u) << found.dump();
    EXPECT_NE(found[0]["message"].get<std::string>().find("Did you mean \"daily\"?"),
              std::string::npos)
        << found.dump();
    EXPECT_EQ(found[0]["range"]["start"], Json({{"line", 1}, {"character", 20}}));
    EXPECT_EQ(found[0]["range"]["end"], Json({{"line", 1}, {"character", 33}}));
}

TEST_F(ServerTest, AMendedProblemIsTakenBack) {
    Write("definitions/a.sqlx", "SELECT ${x}");
    Begin();
    Open("definitions/a.sqlx", "config { type: \"vieww\" }\nSELECT 1\n");
    Note("textDocument/didChange",
         {{"textDocument", {{"uri", Uri("definitions/a.sqlx")}, {"version", 2}}},
          {"contentChanges",
           {{{"range",
              {{"start", {{"line", 0}, {"character", 20}}},
               {"end", {{"line", 0}, {"character", 21}}}}},
             {"text", ""}}}}});
    EXPECT_EQ(Run(), 1);
    const auto found = DiagnosticsOf("definitions/a.sqlx");
    // Either it was never told, or it was taken back.
    EXPECT_TRUE(found == "nothing was published" || found.empty()) << found.dump();
}

TEST_F(ServerTest, TypingIsWaitedOut) {
    Begin();
    for (int i = 0; i < 200; ++i) Open("definitions/a.sqlx", "SELECT " + std::string(i, '1'));
    ServerOptions options;
    options.quiet_time = std::chrono::seconds(30);
    EXPECT_EQ(Run(options), 1);
    EXPECT_EQ(tools_.compiled, 1);
}

TEST_F(ServerTest, ABrokenSettingsFileIsToldAndModelsAreStillLookedAt) {
    Begin();
    Open("definitions/a.sqlx", "config { type: \"vieww\" }\nSELECT 1\n");
    Open("streams/app.yaml", "connectio: db\n");
    EXPECT_EQ(Run(), 1);
    EXPECT_EQ(DiagnosticsOf("streams/app.yaml")[0]["range"]["start"]["line"], 0);
    EXPECT_EQ(DiagnosticsOf("streams/app.yaml")[0]["range"]["end"]["character"], 9);
}

TEST_F(ServerTest, AMessageThatLooksLikePlacesIsOneProblem) {
    Begin();
    Open("definitions/a.js", "throw new Error(\"no\\nother.js:1:2: this is no place\")\n");
    EXPECT_EQ(Run(), 1);
    EXPECT_EQ(DiagnosticsOf("definitions/a.js").size(), 1u);
    EXPECT_EQ(DiagnosticsOf("other.js"), "nothing was published");
}

// The folder is read when something may have happened in it, and not at each key.
TEST_F(ServerTest, TypingCompilesWhatIsInTheEditor) {
    Begin();
    Open("definitions/a.sqlx", "SELECT 1\n");
    for (int version = 2; version < 100; ++version) {
        Note("textDocument/didChange",
             {{"textDocument", {{"uri", Uri("definitions/a.sqlx")}, {"version", version}}},
              {"contentChanges", {{{"text", "SELECT 1 FROM ${ref(\"dayly\")}\n"}}}}});
    }
    EXPECT_EQ(Run(), 1);
    EXPECT_EQ(tools_.loaded, 1);
    ASSERT_EQ(DiagnosticsOf("definitions/a.sqlx").size(), 1u);
    EXPECT_EQ(answers_.back()["params"]["version"], 99) << answers_.back().dump();
}

TEST_F(ServerTest, DepthWithoutEndIsNoEnd) {
    std::stringstream in;
    std::ostringstream out;
    const std::string deep(2'000'000, '[');
    WriteMessage(in, R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})");
    WriteMessage(in, R"({"jsonrpc":"2.0","id":)" + deep + std::string(deep.size(), ']') +
                         R"(,"method":"textDocument/hover"})");
    WriteMessage(in, R"({"jsonrpc":"2.0","method":"initialized","params":)" + deep +
                         std::string(deep.size(), ']') + "}");
    WriteMessage(in, R"({"jsonrpc":"2.0","id":2,"method":"shutdown"})");
    WriteMessage(in, R"({"jsonrpc":"2.0","method":"exit"})");
    const auto code = Serve(in, out, tools_, {});
    ASSERT_TRUE(code);
    EXPECT_EQ(*code, 0);
}

TEST_F(ServerTest, LeadsFromANameToTheFileThatMakesIt) {
    Begin();
    const int own = AskAt("textDocument/definition", "definitions/a.sqlx",
                          "SELECT '生' FROM ${ref(\"da█ily\")}");
    const int in_template =
        AskAt("textDocument/definition", "definitions/b.sqlx",
              "SELECT 1 ${when(incremental(), `WHERE x > (SELECT max(day) FROM ${ref(\"main\", "
              "\"daily█\")})`)}");
    const int of_stream =
        AskAt("textDocument/definition", "definitions/c.sqlx", "SELECT * FROM ${ref('app', '█x')}");
    const int in_config =
        AskAt("textDocument/definition", "definitions/d.sqlx",
              "config { type: \"view\", dependencies: [\"main.█daily\"] }\nSELECT 1");
    const int nowhere = AskAt("textDocument/definition", "definitions/e.sqlx", "SELECT █1");
    const int unknown =
        AskAt("textDocument/definition", "definitions/f.sqlx", "SELECT ${ref(\"no█pe");
    Finish();
    for (const int id : {own, in_template, in_config}) {
        EXPECT_EQ(ResultOf(id)["uri"], Uri("definitions/daily.sqlx"));
        EXPECT_EQ(ResultOf(id)["range"]["start"]["line"], 0);
    }
    EXPECT_EQ(ResultOf(of_stream)["uri"], Uri("streams/app.yaml"));
    EXPECT_TRUE(ResultOf(nowhere).is_null());
    EXPECT_TRUE(ResultOf(unknown).is_null());
}

TEST_F(ServerTest, LeadsIntoJavaScript) {
    Write("definitions/more.js",
          "publish(\"made\", { type: \"view\" }).query(ctx => `SELECT * FROM "
          "${ctx.ref(\"daily\")}`)\n");
    Begin();
    const int id =
        AskAt("textDocument/definition", "definitions/a.sqlx", "SELECT ${ref(\"█made\")}");
    const auto location = Answer(id);
    EXPECT_EQ(location["uri"], Uri("definitions/more.js"));
    EXPECT_EQ(location["range"]["start"]["character"], 8);
}

TEST_F(ServerTest, FindsAllReferences) {
    Write("definitions/b.sqlx",
          "-- 生徒\nSELECT * FROM ${ref(\"daily\")}, ${ref(\"app\", \"daily\")}");
    Write("definitions/more.js", "publish(\"x\").query(ctx => `${ctx.ref('daily')}`)");
    Begin();
    const int from_name =
        AskAt("textDocument/references", "definitions/a.sqlx", "SELECT * FROM ${ref(\"█daily\")}",
              {{"context", {{"includeDeclaration", true}}}});
    const int from_config = AskAt("textDocument/references", "definitions/daily.sqlx",
                                  "config { type: █\"table\" }\nSELECT 1",
                                  {{"context", {{"includeDeclaration", false}}}});
    Finish();
    EXPECT_EQ(ResultOf(from_name).size(), 4u) << ResultOf(from_name).dump();
    EXPECT_EQ(ResultOf(from_config).size(), 3u) << ResultOf(from_config).dump();
    EXPECT_EQ(ResultOf(from_config)[1]["range"]["start"], Json({{"line", 1}, {"character", 20}}));
}

TEST_F(ServerTest, HoversShowDescriptionAndColumns) {
    Begin();
    const int table =
        AskAt("textDocument/hover", "definitions/a.sqlx", "SELECT * FROM ${ref(\"dai█ly\")}");
    const int column = AskAt("textDocument/hover", "definitions/b.sqlx",
                             "SELECT 生█徒 FROM ${ref(\"app\", \"answers\")}");
    const int key =
        AskAt("textDocument/hover", "definitions/c.sqlx", "config { unique█Key: \"a\" }\nSELECT 1");
    Finish();
    const auto text = [&](int id) { return ResultOf(id)["contents"]["value"].get<std::string>(); };
    EXPECT_EQ(
        text(table),
        "**main.daily** table\n\n毎日の回答\n\n| column | type | |\n|---|---|---|\n| day | DATE | "
        "The day |\n| answers | BIGINT |  |\n\n\ndefinitions/daily.sqlx");
    EXPECT_EQ(text(column), "**生徒** VARCHAR\n\nwho | what\n\nof app.answers");
    EXPECT_EQ(ResultOf(column)["range"]["end"]["character"], 9);
    EXPECT_NE(text(key).find("tell rows apart"), std::string::npos);
}

TEST_F(ServerTest, OutlinesBlocksAndCommonTableExpressions) {
    Begin();
    Open("definitions/a.sqlx",
         "config { type: \"view\", name: \"b\" }\nWITH x AS (SELECT 1, f(2)), y AS (SELECT 2)\n"
         "SELECT 1, z AS (\npre_operations {");
    const int id = Ask("textDocument/documentSymbol",
                       {{"textDocument", {{"uri", Uri("definitions/a.sqlx")}}}});
    const auto symbols = Answer(id);
    ASSERT_EQ(symbols.size(), 1u);
    EXPECT_EQ(symbols[0]["name"], "b");
    EXPECT_EQ(symbols[0]["detail"], "view");
    std::string names;
    for (const auto& child : symbols[0]["children"])
        names += child["name"].get<std::string>() + " ";
    EXPECT_EQ(names, "config x y pre_operations ");
}

TEST_F(ServerTest, FindsModelsByAPartOfTheirName) {
    Begin();
    Open("definitions/a.sqlx", "SELECT 1");
    const auto symbols = Answer(Ask("workspace/symbol", {{"query", "DAI"}}));
    ASSERT_EQ(symbols.size(), 1u) << symbols.dump();
    EXPECT_EQ(symbols[0]["location"]["uri"], Uri("definitions/daily.sqlx"));
}

TEST_F(ServerTest, LaysOutWithOneEditOfTheLinesThatDiffer) {
    Begin();
    Open("definitions/a.sqlx", "SELECT '生',\nb\nFROM t\n");
    Open("definitions/good.sqlx", "SELECT 1\n");
    Open("definitions/broken.sqlx", "SELECT 'x");
    const auto ask = [&](const std::string& file) {
        return Ask("textDocument/formatting",
                   {{"textDocument", {{"uri", Uri(file)}}}, {"options", {{"tabSize", 4}}}});
    };
    const int changed = ask("definitions/a.sqlx");
    const int good = ask("definitions/good.sqlx");
    const int broken = ask("definitions/broken.sqlx");
    Finish();
    EXPECT_EQ(ResultOf(changed), Json::array({{{"range",
                                                {{"start", {{"line", 1}, {"character", 0}}},
                                                 {"end", {{"line", 2}, {"character", 0}}}}},
                                               {"newText", "  b\n"}}}));
    EXPECT_EQ(ResultOf(good), Json::array());
    EXPECT_TRUE(ResultOf(broken).is_null());
}

// A file as it is typed, letter by letter, with all questions at each.
TEST_F(ServerTest, HalfTypedInputIsAnsweredAtEveryLetter) {
    const std::string text =
        "config { type: \"incremental\", uniqueKey: [\"a\"], columns: { 生徒: { description: `x "
        "${y}` } "
        "} }\njs { const a = \"}\"; }\npre_operations { SET x = ${\"'\"} }\nWITH a AS (SELECT "
        "$$ $$ , E'\\'' FROM ${ref(\"app\", \"answers\")} AS b)\nSELECT b.生徒 -- c\n/* d */ FROM "
        "${when(incremental(), `x ${ref({name: \"daily\"})}`)}\n---\ninput \"x\" { 1 }";
    Begin();
    for (std::size_t length = 0; length <= text.size(); ++length) {
        if (length < text.size() && (text[length] & 0xC0) == 0x80) continue;
        const auto typed = text.substr(0, length);
        for (const auto method : {"textDocument/completion", "textDocument/hover",
                                  "textDocument/definition", "textDocument/references"}) {
            AskAt(method, "definitions/a.sqlx", typed + "█",
                  {{"context", {{"includeDeclaration", true}, {"triggerKind", 1}}}});
        }
        Ask("textDocument/documentSymbol",
            {{"textDocument", {{"uri", Uri("definitions/a.sqlx")}}}});
    }
    Finish();
    for (const auto& answer : answers_) EXPECT_FALSE(answer.contains("error")) << answer.dump();
}

}  // namespace
}  // namespace biwa::lsp
