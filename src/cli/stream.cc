// biwa stream
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "cli/command.h"

namespace biwa::cli {

namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kLookEvery{200};

struct StreamOptions {
    std::string action;
    std::string stream;
    std::vector<std::string> tables;
    std::vector<std::string> from, to;
};

// Until the keys have been read; how many there were.
Result<std::int64_t> WaitForBackfill(http::HttpClient& client, const std::string& name) {
    for (;;) {
        std::this_thread::sleep_for(kLookEvery);
        const auto status = json::parse(BIWA_TRY(client.Get("/api/v1/status")));
        const json* found = nullptr;
        for (const auto& stream : status["streams"]) {
            if (stream["name"] == name) found = &stream["reconciliation"];
        }
        if (found == nullptr) return Unavailable("the stream has stopped meanwhile");
        if (found->value("running", false)) continue;
        if (const auto error = found->value("error", ""); !error.empty()) return UserError(error);
        return found->value("keys_read_anew", std::int64_t{0});
    }
}

Result<int> Run(Commands& commands, const StreamOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    auto client = ClientOfRunning(*project);
    if (!client) {
        return Fail(ErrorKind::kUnavailable, "Biwa is not running for this project",
                    "`biwa up` or `biwa serve` runs it.");
    }
    const bool is_backfill = options.action == "backfill";
    if (is_backfill && options.from.empty() && options.to.empty()) {
        return UserError("a backfill needs --from or --to",
                         "All of a table is read anew by `biwa stream recopy`.");
    }
    json body = {{"action", options.action}, {"tables", options.tables}};
    if (!options.from.empty()) body["from"] = options.from;
    if (!options.to.empty()) body["to"] = options.to;
    const auto answer = BIWA_TRY(client->Post("/api/v1/streams/" + options.stream, body.dump()));
    if (is_backfill) {
        const auto keys = BIWA_TRY(WaitForBackfill(*client, options.stream));
        if (commands.json) {
            Print(json{{"keys", keys}}.dump() + "\n");
        } else {
            Say(fmt::format("{} keys were read anew.", HumanCount(keys)));
        }
    } else if (commands.json) {
        Print(answer + "\n");
    } else {
        Say("Done. `biwa status` shows how far it is.");
    }
    return kGood;
}

}  // namespace

void AddStream(Commands& commands) {
    const auto options = std::make_shared<StreamOptions>();
    auto* command = commands.Add(
        "stream",
        "Copy tables, or keys of one, of a running stream anew; drop columns and tables that are "
        "gone; pause, resume",
        [&commands, options] { return Run(commands, *options); });
    command
        ->add_option(
            "ACTION", options->action,
            "recopy, backfill, drop-columns and drop-tables (that the source has no more, or the "
            "stream), pause or resume")
        ->required()
        ->check(CLI::IsMember(
            {"recopy", "backfill", "drop-columns", "drop-tables", "pause", "resume"}));
    command->add_option("STREAM", options->stream, "The stream, as its file is called")->required();
    command->add_option("TABLE", options->tables,
                        "Which of its tables; left out: the stream as a whole");
    command->add_option("--from", options->from,
                        "backfill: the first key, a value for each of its columns");
    command->add_option("--to", options->to, "backfill: the last key");
}

}  // namespace biwa::cli
