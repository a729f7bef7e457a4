// biwa test
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/rows_text.h"
#include "instance/diff_json.h"
#include "transform/run/unit_test_runner.h"

namespace biwa::cli {

namespace {

using nlohmann::json;
using transform::UnitTestResult;

struct TestOptions {
    std::vector<std::string> select;
};

json ToJson(const UnitTestResult& result) {
    json test = {{"name", result.name},          {"model", result.model.ToString()},
                 {"file", result.location.file}, {"ok", result.ok()},
                 {"seconds", result.seconds},    {"error", nullptr},
                 {"difference", nullptr}};
    if (result.error) {
        test["error"] = {{"message", result.error->message}, {"hint", result.error->hint}};
    } else {
        test["difference"] = json::parse(DiffJson(result.diff));
    }
    return test;
}

void SayTest(const UnitTestResult& result) {
    Say(fmt::format("{:<9} {:<40} {:<30} {:>10}", result.ok() ? "ok" : "failed", result.name,
                    result.model.ToString(), HumanSeconds(result.seconds)));
    if (result.ok()) return;
    if (result.error) return Say("  " + result.error->ToString());
    Say(fmt::format("  {}: the rows are not those that were expected", result.location.ToString()));
    const auto& diff = result.diff;
    for (const auto& column : diff.columns) Say("  " + column);
    Say(fmt::format("  {} expected, {} built: {} missing, {} unexpected{}", diff.left_rows,
                    diff.right_rows, diff.only_left, diff.only_right,
                    diff.key.empty() ? ""
                                     : fmt::format(", {} with other values (by {})", diff.changed,
                                                   Join(diff.key, ", "))));
    for (const auto& row : RowLines(json::parse(DiffJson(diff))["sample"])) Say("    " + row);
}

// "name", "dataset.model" or "model".
bool IsSelected(const transform::UnitTest& test, const std::vector<std::string>& names) {
    return names.empty() || std::any_of(names.begin(), names.end(), [&](const auto& name) {
               return name == test.name || name == test.model.name || name == test.model.ToString();
           });
}

Result<int> Test(Commands& commands, const TestOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    const auto graph = BIWA_TRY(CompileProject(commands.engine, *project));
    const SystemClock clock;
    const auto open = [&] {
        // As the project's, and nothing of it on disk.
        auto config = project->warehouse;
        config.path.clear();
        return commands.engine.open_warehouse(config);
    };
    json tests = json::array();
    std::size_t failed = 0, run = 0;
    for (const auto& test : graph->tests) {
        if (test.disabled || !IsSelected(test, options.select)) continue;
        const auto result = transform::RunUnitTest(open, *graph, test, clock);
        ++run;
        failed += result.ok() ? 0 : 1;
        if (commands.json) {
            tests.push_back(ToJson(result));
        } else {
            SayTest(result);
        }
    }
    if (run == 0 && !options.select.empty()) {
        return UserError(fmt::format("no test is called {}, or is one of a model of that name",
                                     Join(options.select, " or ")));
    }
    if (commands.json) {
        Print(json{{"ok", failed == 0}, {"tests", std::move(tests)}}.dump(
                  -1, ' ', false, json::error_handler_t::replace) +
              "\n");
    }
    Say(run == 0 ? "The project has no tests."
                 : fmt::format("{} of {} tests passed", run - failed, run));
    return failed == 0 ? kGood : kFailed;
}

}  // namespace

void AddTest(Commands& commands) {
    const auto options = std::make_shared<TestOptions>();
    auto* command = commands.Add("test", "Run the models' unit tests; nothing is stored",
                                 [&commands, options] { return Test(commands, *options); });
    command
        ->add_option("--select", options->select,
                     "Names of tests, or of models whose tests are meant; left out: all")
        ->delimiter(',');
}

}  // namespace biwa::cli
