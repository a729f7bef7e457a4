#include "script/modules.h"

#include <gtest/gtest.h>

#include <map>

namespace biwa::script {
namespace {

using Files = std::map<std::string, std::string>;

// What `module.exports` of main.js comes to as text, or the error.
std::string Exports(const Files& files, const std::string& main = "main.js") {
    Engine engine({32 << 20, 512 << 10, std::chrono::milliseconds(1000)});
    Modules modules(engine, [&](const std::string& path) -> std::optional<std::string> {
        EXPECT_EQ(path.find(".."), std::string::npos) << path;
        EXPECT_FALSE(path.starts_with("/")) << path;
        const auto found = files.find(path);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    });
    const auto exports = modules.Load(main);
    if (exports) return engine.ToText(*exports).value_or("no text");
    const auto& trace = exports.error().trace;
    if (trace.empty()) return exports.error().message;
    return trace[0].file + ":" + std::to_string(trace[0].line) + ":" +
           std::to_string(trace[0].column) + ": " + exports.error().message;
}

TEST(ModulesTest, FindsWhatIsRequired) {
    const Files files = {{"a/main.js",
                          "module.exports = ['./b', './b.js', '../top', './data.json', 'a/b', "
                          "'./folder', 'pack', 'pack/lib/x', '@team/p'].map((m) => require(m).n)"},
                         {"a/b.js", "exports.n = 'b'"},
                         {"top.js", "exports.n = __filename + __dirname"},
                         {"a/data.json", "{\"n\": 1}"},
                         {"a/folder/index.js", "exports.n = __dirname"},
                         {"node_modules/pack/package.json", "{\"main\": \"./lib/main.js\"}"},
                         {"node_modules/pack/lib/main.js", "exports.n = require('./x').n + '!'"},
                         {"node_modules/pack/lib/x.js", "exports.n = 'x'"},
                         {"a/node_modules/@team/p/index.js", "exports.n = 'team'"}};
    EXPECT_EQ(Exports(files, "a/main.js"), "b,b,top.js,1,b,a/folder,x!,x,team");
}

TEST(ModulesTest, GivesWhatTheHostProvidesWhateverFilesThereAre) {
    Engine engine({32 << 20, 512 << 10, std::chrono::milliseconds(1000)});
    Modules modules(engine, [](const std::string& path) -> std::optional<std::string> {
        if (path == "main.js") return "module.exports = require('@team/core')";
        return path.ends_with("index.js") ? std::optional<std::string>("exports = 1")
                                          : std::nullopt;
    });
    modules.Provide("@team/core", engine.MakeText("the host's"));
    EXPECT_EQ(engine.ToText(*modules.Load("main.js")).value(), "the host's");
}

TEST(ModulesTest, RunsAModuleOnceAndGivesAPartInACircle) {
    EXPECT_EQ(Exports({{"main.js", "module.exports = require('./a').seen + require('./a').seen"},
                       {"a.js",
                        "exports.early = 1; const b = require('./b'); exports.seen = "
                        "`${b.saw} ${++globalThis.count} `"},
                       {"b.js",
                        "globalThis.count = 0; const a = require('./a'); exports.saw = "
                        "Object.keys(a)"}}),
              "early 1 early 1 ");
    EXPECT_EQ(Exports({{"main.js", "module.exports = require('./main')"}}), "[object Object]");
}

TEST(ModulesTest, ReachesNothingOutsideOfTheProject) {
    for (const auto* name :
         {"../x", "/etc/passwd", "./a/../../x", "../../etc/passwd", "a/../../x"}) {
        const auto error =
            Exports({{"main.js", std::string("\n require('") + name + "')"}, {"x.js", ""}});
        EXPECT_NE(error.find("leads out of the project's folder"), std::string::npos) << error;
        EXPECT_EQ(error.substr(0, 10), "main.js:2:");
    }
    EXPECT_NE(Exports({{"main.js", "require('fs')"}}).find("nothing else of Node.js"),
              std::string::npos);
    // A package that says that its main file is another's.
    EXPECT_NE(Exports({{"main.js", "require('p')"},
                       {"node_modules/p/package.json", "{\"main\": \"../../secret\"}"},
                       {"secret.js", "module.exports = 1"}})
                  .find("there is no module \"p\""),
              std::string::npos);
}

TEST(ModulesTest, TellsWhereAModuleIsWrong) {
    EXPECT_EQ(Exports({{"main.js", "require('./a')"}, {"a.js", "let x;\n  x.y"}}),
              "a.js:2:3: TypeError: cannot read property 'y' of undefined");
    EXPECT_EQ(Exports({{"main.js", "require('./a')"}, {"a.js", "\n let 1"}}).substr(0, 9),
              "a.js:2:2:");
    EXPECT_EQ(Exports({{"main.js", "require('./a.json')"}, {"a.json", "{\n\"a\": }"}}).substr(0, 8),
              "a.json:2");
    EXPECT_EQ(Exports({{"main.js", "require(1)"}}),
              "main.js:1:1: Error: require() takes the name of a module");
    EXPECT_EQ(
        Exports({{"main.js", "try { require('./a') } catch (e) { module.exports = e.message }"},
                 {"a.js", "throw new Error('caught')"}}),
        "caught");
    EXPECT_EQ(Exports({{"main.js", "exports.x = require('./main')"}}, "other.js"),
              "cannot be read");
}

TEST(ModulesTest, EndsModulesThatDoNot) {
    EXPECT_NE(
        Exports({{"main.js", "try { require('./a') } catch { } for (;;);"}, {"a.js", "for (;;);"}})
            .find("a.js:0:"),
        std::string::npos);
    EXPECT_NE(Exports({{"main.js",
                        "const r = () => { try { require('./none') } catch { } r() }; "
                        "r()"}})
                  .find("Maximum call stack"),
              std::string::npos);
}

}  // namespace
}  // namespace biwa::script
