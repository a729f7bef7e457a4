// biwa stream
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace biwa::cli {

namespace {

using nlohmann::json;

struct StreamOptions {
    std::string action;
    std::string stream;
    std::vector<std::string> tables;
};

Result<int> Run(Commands& commands, const StreamOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    auto client = ClientOfRunning(*project);
    if (!client) {
        return Fail(ErrorKind::kUnavailable, "Biwa is not running for this project",
                    "`biwa up` or `biwa serve` runs it.");
    }
    const json body = {{"action", options.action}, {"tables", options.tables}};
    const auto answer = BIWA_TRY(client->Post("/api/v1/streams/" + options.stream, body.dump()));
    if (commands.json) {
        Print(answer + "\n");
    } else {
        Say("Done. `biwa status` shows how far it is.");
    }
    return kGood;
}

}  // namespace

void AddStream(Commands& commands) {
    const auto options = std::make_shared<StreamOptions>();
    auto* command = commands.Add("stream", "Copy tables of a running stream anew, pause, resume",
                                 [&commands, options] { return Run(commands, *options); });
    command->add_option("ACTION", options->action, "recopy, pause or resume")
        ->required()
        ->check(CLI::IsMember({"recopy", "pause", "resume"}));
    command->add_option("STREAM", options->stream, "The stream, as its file is called")->required();
    command->add_option("TABLE", options->tables,
                        "Which of its tables; left out: the stream as a whole");
}

}  // namespace biwa::cli
