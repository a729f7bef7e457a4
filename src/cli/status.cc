// biwa status
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/rows_text.h"

namespace biwa::cli {

namespace {

using nlohmann::json;

// "compared 2026-11-25T22:16:39Z: 8 of 9 tables equal, 1 differs (public.answers)"
void PrintReconciliation(const json& reconciliation) {
    if (reconciliation.value("running", false)) {
        Print(fmt::format("  is being compared with its source: {} of {} tables\n",
                          reconciliation.value("tables_done", 0),
                          reconciliation.value("tables", 0)));
    }
    const auto& results = reconciliation["results"];
    if (results.empty()) return;
    std::size_t equal = 0, not_compared = 0;
    std::string last, differing;
    for (const auto& result : results) {
        const auto outcome = result.value("outcome", "");
        equal += outcome == "equal" || outcome == "repaired";
        not_compared += outcome == "not_compared" || outcome == "not_comparable";
        if (outcome == "differs") {
            differing += (differing.empty() ? "" : ", ") + result.value("source", "");
        }
        if (result["at"].is_string()) last = std::max(last, result["at"].get<std::string>());
    }
    Print(fmt::format("  compared {}: {} of {} tables equal{}{}\n", last, equal, results.size(),
                      not_compared > 0 ? fmt::format(", {} not compared", not_compared) : "",
                      differing.empty() ? "" : "; DIFFER: " + differing));
}

// Why a model or an assertion is not good, with some of the rows that should not be.
void PrintFailing(const json& of) {
    if (of["error"].is_object()) Print(fmt::format("      {}\n", of["error"].value("message", "")));
    for (const auto& row : RowLines(of["sample"])) Print("        " + row + "\n");
}

// "12 min old: warn (promised: 10 min, 1 h at the most)"
void PrintFreshness(const json& freshness) {
    if (!freshness.is_object()) return;
    std::vector<std::string> limits;
    for (const auto* limit : {"warn_seconds", "error_seconds"}) {
        if (freshness[limit].is_number()) limits.push_back(HumanSeconds(freshness[limit]));
    }
    const auto age = freshness["age_seconds"].is_number()
                         ? HumanSeconds(freshness["age_seconds"]) + " old"
                         : std::string("age not known");
    Print(fmt::format("      {}: {} (promised: {})\n", age, freshness.value("state", ""),
                      Join(limits, ", ")));
}

void PrintStatus(const json& status, bool running) {
    Print(fmt::format("{} {} ({})  warehouse {}{}\n", status.value("project", ""),
                      running ? "is running" : "is not running", status.value("environment", ""),
                      HumanBytes(status["warehouse"].value("bytes", std::uint64_t{0})),
                      running ? fmt::format("  memory {}", HumanBytes(status["process"].value(
                                                               "rss_bytes", std::uint64_t{0})))
                              : ""));
    for (const auto& stream : status["streams"]) {
        Print(fmt::format("\nstream {}  {}  {:.1f} s and {} behind  {:.0f} changes/s  at {}\n",
                          stream.value("name", ""), stream.value("state", ""),
                          stream.value("lag_seconds", 0.0),
                          HumanBytes(stream.value("lag_bytes", std::uint64_t{0})),
                          stream.value("changes_per_s", 0.0), stream.value("position", "")));
        std::uint64_t errors = 0;
        for (const auto& [kind, count] : stream["errors_total"].items()) {
            errors += count.get<std::uint64_t>();
        }
        if (running) {
            const auto& batch = stream["batch"];
            const auto& queue = stream["queue"];
            Print(
                fmt::format("  last batch {} changes, {}  queue {} of {}  {} of log kept at the "
                            "source  {} errors\n",
                            HumanCount(batch.value("changes", std::int64_t{0})),
                            HumanBytes(batch.value("bytes", std::uint64_t{0})),
                            HumanBytes(queue.value("bytes", std::uint64_t{0})),
                            HumanBytes(queue.value("bytes_max", std::uint64_t{0})),
                            HumanBytes(stream.value("retained_bytes", std::uint64_t{0})), errors));
        }
        if (stream["error"].is_object()) {
            Print(fmt::format("  {}\n", stream["error"].value("message", "")));
            if (stream["error"]["hint"].is_string()) {
                Print(fmt::format("  {}\n", stream["error"]["hint"].get<std::string>()));
            }
        }
        if (stream["warning"].is_string()) {
            Print(fmt::format("  warning: {}\n", stream["warning"].get<std::string>()));
        }
        if (const auto lost = stream.value("unrepresentable_values", 0); lost > 0) {
            Print(fmt::format("  {} values that the warehouse's types cannot hold are NULL\n",
                              HumanCount(lost)));
        }
        PrintReconciliation(stream["reconciliation"]);
        for (const auto& table : stream["tables"]) {
            const auto rows =
                table["rows"].is_number() ? HumanCount(table["rows"].get<std::int64_t>()) : "-";
            Print(fmt::format("  {:<32} {:>14} rows  {}\n", table.value("name", ""), rows,
                              table.value("state", "")));
            std::vector<std::string> masks;
            for (const auto& [column, mask] : table["masks"].items()) {
                masks.push_back(column + " " + mask.get<std::string>());
            }
            if (!masks.empty()) Print(fmt::format("      masked: {}\n", Join(masks, ", ")));
            for (const auto& note : table["notes"]) {
                Print(fmt::format("      {}\n", note.get<std::string>()));
            }
        }
    }
    if (!status["models"].empty()) Print("\nmodels\n");
    for (const auto& model : status["models"]) {
        std::size_t failing = 0;
        for (const auto& assertion : model["assertions"]) {
            failing += assertion.value("state", "") == "failed";
        }
        Print(fmt::format(
            "  {:<32} {:<12} {:<8} {:>14} {:>10}  {}{}\n", model.value("name", ""),
            model.value("type", ""), model.value("state", ""),
            model["rows"].is_number() ? HumanCount(model["rows"].get<std::int64_t>()) + " rows"
                                      : "",
            model["bytes"].is_number() ? HumanBytes(model["bytes"].get<std::uint64_t>()) : "",
            HumanSeconds(model.value("seconds", 0.0)),
            failing > 0 ? fmt::format("  {} assertions fail", failing) : ""));
        PrintFailing(model);
        PrintFreshness(model["freshness"]);
        for (const auto& assertion : model["assertions"]) {
            const auto state = assertion.value("state", "");
            if (state != "failed" && state != "warned") continue;
            Print(fmt::format("    {}  {}\n", assertion.value("name", ""), state));
            PrintFailing(assertion);
        }
        for (const auto& note : model["notes"]) {
            Print(fmt::format("      {}\n", note.get<std::string>()));
        }
    }
}

}  // namespace

void AddStatus(Commands& commands) {
    commands.Add("status", "Show streams, models and what ails them", [&commands]() -> Result<int> {
        const auto project = BIWA_TRY(commands.OpenProject());
        std::string text;
        auto client = ClientOfRunning(*project);
        if (client) {
            text = BIWA_TRY(client->Get("/api/v1/status"));
        } else {
            const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
            text = instance->StatusJson();
        }
        if (commands.json) {
            Print(text + "\n");
        } else {
            PrintStatus(json::parse(text), client.has_value());
        }
        return kGood;
    });
}

}  // namespace biwa::cli
