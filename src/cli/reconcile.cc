// biwa reconcile
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "cli/command.h"

namespace biwa::cli {

namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kLookEvery{200};
// What is named on a terminal; --json and _biwa.differing_rows have more.
constexpr std::size_t kNamedMax = 20;

struct ReconcileOptions {
    std::vector<std::string> names;
    bool repair = false;
};

using Chosen = std::map<std::string, std::vector<std::string>>;  // tables by stream; none: all

Result<Chosen> Choose(const std::vector<std::string>& names, const json& status) {
    std::vector<std::string> streams;
    for (const auto& stream : status["streams"]) streams.push_back(stream["name"]);
    Chosen chosen;
    if (names.empty()) {
        for (const auto& stream : streams) chosen[stream];
        return chosen;
    }
    for (const auto& name : names) {
        const auto dot = name.find('.');
        const auto stream = name.substr(0, dot);
        if (std::find(streams.begin(), streams.end(), stream) == streams.end()) {
            const auto meant = DidYouMean(stream, streams);
            return UserError(fmt::format("there is no stream \"{}\"", stream),
                             meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
        }
        const auto is_new = !chosen.contains(stream);
        auto& tables = chosen[stream];
        if (dot == std::string::npos) {
            tables.clear();
        } else if (is_new || !tables.empty()) {
            tables.push_back(name.substr(dot + 1));
        }
    }
    return chosen;
}

const json* FindStream(const json& status, const std::string& name) {
    for (const auto& stream : status["streams"]) {
        if (stream["name"] == name) return &stream["reconciliation"];
    }
    return nullptr;
}

void DrawProgress(const json& now) {
    constexpr std::size_t kBarCells = 24;
    const auto tables = std::max(now.value("tables", 0.0), 1.0);
    const auto parts = std::max(now.value("parts", 0.0), 1.0);
    const auto done =
        (now.value("tables_done", 0.0) + now.value("parts_done", 0.0) / parts) / tables;
    std::string bar;
    for (std::size_t i = 0; i < kBarCells; ++i) {
        bar += static_cast<double>(i) < done * static_cast<double>(kBarCells) ? "█" : "░";
    }
    fmt::print(stderr, "\r\033[2K{} {} of {} tables  {}", bar, now.value("tables_done", 0),
               now.value("tables", 0), now.value("table", ""));
    std::fflush(stderr);
}

std::string Words(const json& result) {
    const auto outcome = result.value("outcome", "");
    const auto count = [&](const char* name) {
        return HumanCount(result.value(name, std::int64_t{0}));
    };
    const auto kinds = fmt::format("{} missing, {} extra, {} different", count("missing"),
                                   count("extra"), count("different"));
    if (outcome == "equal") return "equal";
    if (outcome == "differs") return "differs: " + kinds;
    if (outcome == "repaired") return fmt::format("{} rows repaired: {}", count("repaired"), kinds);
    return outcome == "not_comparable" ? "cannot be compared" : "was not compared";
}

void PrintResult(const std::string& stream, const json& result) {
    Print(fmt::format("  {:<40} {:>14} rows  {:>8}  {}\n",
                      stream + "." + result.value("source", ""),
                      HumanCount(result.value("rows", std::int64_t{0})),
                      HumanSeconds(result.value("seconds", 0.0)), Words(result)));
    if (const auto reason = result.value("reason", ""); !reason.empty()) {
        Print(fmt::format("      {}\n", reason));
    }
    if (const auto changing = result.value("changing", std::int64_t{0}); changing > 0) {
        Print(fmt::format("      {} rows changed at every look\n", HumanCount(changing)));
    }
    const auto& keys = result["keys"];
    for (std::size_t i = 0; i < std::min(keys.size(), kNamedMax); ++i) {
        std::string key;
        for (const auto& part : keys[i]["key"]) {
            key += (key.empty() ? "" : ", ") + part.get<std::string>();
        }
        Print(fmt::format("      {:<10} {}\n", keys[i].value("difference", ""), key));
    }
    const auto all = result.value("missing", std::size_t{0}) +
                     result.value("extra", std::size_t{0}) +
                     result.value("different", std::size_t{0});
    if (!keys.empty() && all > kNamedMax) {
        Print(fmt::format("      and {} more\n",
                          HumanCount(static_cast<std::int64_t>(all - kNamedMax))));
    }
}

Result<int> Run(Commands& commands, const ReconcileOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    auto client = ClientOfRunning(*project);
    if (!client) {
        return Fail(ErrorKind::kUnavailable, "Biwa is not running for this project",
                    "`biwa up` or `biwa serve` runs it.");
    }
    const auto look = [&]() -> Result<json> {
        return json::parse(BIWA_TRY(client->Get("/api/v1/status")));
    };
    const auto chosen = BIWA_TRY(Choose(options.names, BIWA_TRY(look())));
    const bool draws = StderrIsTerminal() && !commands.json;
    bool is_good = true;
    int compared = 0;
    json all = json::array();
    // One stream after another: they may share a source.
    for (const auto& [stream, tables] : chosen) {
        const json body = {{"action", options.repair ? "repair" : "reconcile"}, {"tables", tables}};
        BIWA_TRY(client->Post("/api/v1/streams/" + stream, body.dump()));
        json now;
        for (;;) {
            const auto status = BIWA_TRY(look());
            const auto* found = FindStream(status, stream);
            if (found == nullptr) {
                return Unavailable(fmt::format("stream {} has stopped meanwhile", stream));
            }
            now = *found;
            if (!now.value("running", false)) break;
            if (draws) DrawProgress(now);
            std::this_thread::sleep_for(kLookEvery);
        }
        if (draws) fmt::print(stderr, "\r\033[2K");
        json of_stream = {
            {"stream", stream}, {"error", now.value("error", "")}, {"tables", json::array()}};
        for (const auto& source : now["last_run"]) {
            for (const auto& result : now["results"]) {
                if (result["source"] != source) continue;
                const auto outcome = result.value("outcome", "");
                is_good = is_good && outcome != "differs" && outcome != "not_compared";
                compared += outcome != "not_compared" && outcome != "not_comparable";
                if (!commands.json) PrintResult(stream, result);
                of_stream["tables"].push_back(result);
            }
        }
        if (const auto error = now.value("error", ""); !error.empty()) {
            is_good = false;
            Say(fmt::format("stream {}: {}", stream, error));
        }
        all.push_back(std::move(of_stream));
    }
    if (commands.json) Print(all.dump() + "\n");
    if (compared == 0) Say("No table was compared.");
    return is_good && compared > 0 ? kGood : kFailed;
}

}  // namespace

void AddReconcile(Commands& commands) {
    const auto options = std::make_shared<ReconcileOptions>();
    auto* command = commands.Add("reconcile", "Compare tables with their source, row by row",
                                 [&commands, options] { return Run(commands, *options); });
    command->add_option("STREAM[.TABLE]", options->names,
                        "What to compare; left out: every table of every stream");
    command->add_flag("--repair", options->repair, "Read the rows that differ anew");
}

}  // namespace biwa::cli
