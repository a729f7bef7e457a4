// biwa diff MODEL
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/rows_text.h"
#include "instance/diff_json.h"

namespace biwa::cli {

namespace {

using nlohmann::json;

Result<int> Diff(Commands& commands, const http::DiffRequest& request) {
    const auto project = BIWA_TRY(commands.OpenProject());
    std::string text;
    if (auto client = ClientOfRunning(*project)) {
        const json body = {{"model", request.model}, {"key", request.key}};
        text = BIWA_TRY(client->Post("/api/v1/diff", body.dump()));
    } else {
        const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
        text = BIWA_TRY(instance->Diff(request, {}));
    }
    if (commands.json) {
        Print(text + "\n");
    } else {
        for (const auto& line : DiffLines(json::parse(text))) Print(line + "\n");
    }
    return kGood;
}

}  // namespace

void AddDiff(Commands& commands) {
    const auto options = std::make_shared<http::DiffRequest>();
    auto* command =
        commands.Add("diff", "Show what building a model would change; nothing is stored",
                     [&commands, options] { return Diff(commands, *options); });
    command->add_option("MODEL", options->model, "daily, or mart.daily")->required();
    command
        ->add_option("--key", options->key,
                     "Columns by which rows are found again; left out: the model's uniqueKey")
        ->delimiter(',');
}

}  // namespace biwa::cli
