// biwa query 'SQL'
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "query/formats.h"

namespace biwa::cli {

namespace {

struct QueryOptions {
    std::string sql;
    std::string format = "table";
    std::string as_of;
};

Result<int> Query(Commands& commands, const QueryOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    const auto* format = FindResultFormat(commands.json ? "json" : options.format);
    const auto output = [](std::string_view bytes) -> Status {
        if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size()) return {};
        return Unavailable("cannot write to stdout");
    };
    if (auto client = ClientOfRunning(*project)) {
        nlohmann::json body = {{"sql", options.sql}};
        if (!options.as_of.empty()) body["as_of"] = options.as_of;
        BIWA_TRY(client->PostStreaming("/api/v1/query", body.dump(), format->content_type, output));
    } else {
        const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
        const auto sink = format->make(output);
        QueryRequest request;
        request.sql = options.sql;
        request.as_of = options.as_of;
        BIWA_TRY(instance->queries().Run(request, *sink));
    }
    if (std::string_view(format->name) == "json") Print("\n");
    std::fflush(stdout);
    return kGood;
}

}  // namespace

void AddQuery(Commands& commands) {
    const auto options = std::make_shared<QueryOptions>();
    auto* command = commands.Add("query", "Ask the warehouse",
                                 [&commands, options] { return Query(commands, *options); });
    command->add_option("SQL", options->sql, "One statement that reads")->required();
    command->add_option("--as-of", options->as_of,
                        "Tables have the rows of that moment (streams with mode: history)");
    command->add_option("--format", options->format, "table, json, csv or arrow")
        ->check(CLI::IsMember({"table", "json", "csv", "arrow"}));
}

}  // namespace biwa::cli
