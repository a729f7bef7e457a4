// biwa run
#include <fmt/format.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "instance/status_json.h"

namespace biwa::cli {

namespace {

using nlohmann::json;

struct RunOptions {
    std::vector<std::string> select;
    bool full_refresh = false;
};

// Says what each model came to, as soon as it is known.
class Narrator final : public transform::RunObserver {
  public:
    void OnStarted(const transform::Action&) override {}
    void OnFinished(const transform::Action& action,
                    const transform::ActionResult& result) override {
        Say(fmt::format(
            "{:<9} {:<12} {:<40} {:>14} {:>10}", ToString(result.state),
            transform::ToString(action.type), action.target.ToString(),
            result.rows ? HumanCount(static_cast<std::int64_t>(*result.rows)) + " rows" : "",
            HumanSeconds(result.seconds)));
        if (result.error) Say("  " + result.error->ToString());
    }
};

Result<int> Run(Commands& commands, const RunOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    std::string text;
    if (auto client = ClientOfRunning(*project)) {
        const json body = {{"select", options.select}, {"full_refresh", options.full_refresh}};
        text = BIWA_TRY(client->Post("/api/v1/run", body.dump()));
        if (!commands.json) {
            for (const auto& model : json::parse(text)["models"]) {
                Say(fmt::format("{:<9} {:<12} {:<40} {:>10}", model.value("state", ""),
                                model.value("type", ""), model.value("name", ""),
                                HumanSeconds(model.value("seconds", 0.0))));
                if (model["error"].is_object()) {
                    Say("  " + model["error"].value("message", ""));
                }
            }
        }
    } else {
        const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
        Narrator narrator;
        const auto result =
            BIWA_TRY(instance->RunModels(options.select, options.full_refresh, &narrator, {}));
        text = RunJson(result);
    }
    if (commands.json) Print(text + "\n");
    if (json::parse(text).value("ok", false)) return kGood;
    Say("Some models or assertions failed.");
    return kFailed;
}

}  // namespace

void AddRun(Commands& commands) {
    const auto options = std::make_shared<RunOptions>();
    auto* command = commands.Add("run", "Build models now",
                                 [&commands, options] { return Run(commands, *options); });
    command
        ->add_option("--select", options->select,
                     "Which: mart.daily, tag:nightly, +up, down+; left out: all")
        ->delimiter(',');
    command->add_flag("--full-refresh", options->full_refresh,
                      "Build incremental models from nothing");
}

}  // namespace biwa::cli
