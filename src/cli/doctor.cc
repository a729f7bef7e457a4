// biwa doctor
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "cli/command.h"
#include "instance/stream_books.h"
#include "instance/stream_masks.h"
#include "replication/stream_tables.h"
#include "source/lost.h"

namespace biwa::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const char* LevelName(Finding::Level level) {
    switch (level) {
        case Finding::Level::kGood:
            return "good";
        case Finding::Level::kWarning:
            return "warning";
        case Finding::Level::kProblem:
            return "problem";
    }
    return "problem";
}

// The machine: what would stop Biwa whatever the source is like.
std::vector<Finding> ExamineMachine(const Project& project) {
    std::vector<Finding> findings;
    std::error_code failed;
    const auto space = std::filesystem::space(project.root, failed);
    constexpr std::uintmax_t kSpaceMin = std::uintmax_t{5} << 30;
    if (!failed && space.available < kSpaceMin) {
        findings.push_back({Finding::Level::kWarning,
                            fmt::format("{} of disk are free", HumanBytes(space.available)),
                            "the warehouse lives there",
                            "Free some space, or set warehouse.path."});
    } else if (!failed) {
        findings.push_back({Finding::Level::kGood,
                            fmt::format("{} of disk are free", HumanBytes(space.available)), "",
                            ""});
    }
    return findings;
}

// The masks of a stream's file against the tables that there are.
Result<std::vector<Finding>> ExamineMasks(const Project& project, const StreamConfig& stream,
                                          Source& source) {
    std::vector<Finding> findings;
    if (stream.masks.empty() && !stream.mask_by_default) return findings;
    const auto policy = ResolveMaskPolicy(project, stream);
    if (!policy) {
        findings.push_back(
            {Finding::Level::kProblem, policy.error().message, "", policy.error().hint});
        return findings;
    }
    const auto opened = BIWA_TRY(source.OpenStream(stream.name, stream.only));
    const auto tables = opened->Tables(stream.tables, IfMissing::kPassOver);
    if (!tables) return findings;  // Examine has said so.
    for (const auto& wrong : CheckMasks(stream, *policy, *tables)) {
        findings.push_back({Finding::Level::kProblem, wrong.message,
                            "what it should mask would not be masked as it says", wrong.hint});
    }
    for (const auto& mask : stream.masks) {
        bool is_used = mask.columns.find('*') == std::string::npos;
        for (const auto& table : *tables) {
            for (const auto& column : table.columns.columns) {
                is_used = is_used || Covers(mask.columns, table, column.name);
            }
        }
        if (is_used) continue;
        findings.push_back(
            {Finding::Level::kWarning,
             fmt::format("{}: \"{}\" covers no column", mask.location.ToString(), mask.columns),
             "it will mask what comes", ""});
    }
    if (findings.empty()) {
        findings.push_back({Finding::Level::kGood, "the masks fit the columns", "", ""});
    }
    return findings;
}

// Unless it is among them.
void AddFirst(Finding finding, std::vector<Finding>& findings) {
    const auto same = [&](const Finding& other) { return other.what == finding.what; };
    if (std::any_of(findings.begin(), findings.end(), same)) return;
    findings.insert(findings.begin(), std::move(finding));
}

// What is known here of a stream.
struct Known {
    bool has_begun = false;
    std::optional<Finding> ailment;  // what has stopped it
    std::optional<StreamState> books;
};

// Of the instance that runs.
Result<std::map<std::string, Known>> AskRunning(http::HttpClient& client, const Project& project) {
    std::map<std::string, Known> known;
    const auto status = json::parse(BIWA_TRY(client.Get("/api/v1/status")));
    for (const auto& stream : status["streams"]) {
        const auto wanted = project.streams.find(stream.value("name", ""));
        // One that the file wants elsewhere begins anew there.
        if (wanted == project.streams.end() ||
            wanted->second.connection != stream.value("connection", "") ||
            wanted->second.dataset != stream.value("dataset", "")) {
            continue;
        }
        auto& one = known[wanted->first];
        one.has_begun = !stream.value("position", "").empty();
        const auto& error = stream["error"];
        if (!error.is_object()) continue;
        const bool has_failed = stream.value("state", "") == "failed";
        one.ailment = {has_failed ? Finding::Level::kProblem : Finding::Level::kWarning,
                       error.value("message", ""),
                       has_failed ? "the stream has stopped" : "the stream tries again",
                       error["hint"].is_string() ? error["hint"].get<std::string>() : ""};
    }
    return known;
}

Result<std::map<std::string, Known>> AskHere(const Engine& engine, const Project& project) {
    if (auto client = ClientOfRunning(project)) return AskRunning(*client, project);
    std::map<std::string, Known> known;
    for (auto& [name, state] : BIWA_TRY(ReadStreamBooks(engine, project))) {
        auto& one = known[name];
        one.has_begun =
            state.phase == StreamPhase::kSnapshot || state.phase == StreamPhase::kStreaming;
        if (one.has_begun) one.books = std::move(state);
    }
    return known;
}

Result<std::vector<Finding>> ExamineStream(Engine& engine, const Project& project,
                                           const StreamConfig& stream, const Known& known) {
    const auto source = BIWA_TRY(OpenConnection(engine, project, stream.connection));
    const auto dataset =
        DatasetOf(engine, stream.dataset, project.connections.at(stream.connection));
    const auto is_excluded = [&](const SourceTable& table) {
        return MatchesAny(stream.exclude, table.ToString(), dataset.usual_schema);
    };
    std::optional<std::string> mend_of_loss;
    if (known.has_begun) {
        mend_of_loss = stream.recopy_when_lost
                           ? "`when_lost: recopy` has all tables copied anew when Biwa runs."
                           : kCopyAllAnew;
    }
    auto findings = BIWA_TRY(
        source->Examine({stream.name, stream.tables, is_excluded, stream.only, mend_of_loss}));
    if (known.books) {
        // What its next start would be told.
        const auto opened = BIWA_TRY(source->OpenStream(stream.name, stream.only));
        const auto goes_on = opened->CheckHistory(known.books->history, known.books->position);
        if (!goes_on) {
            const auto& error = goes_on.error();
            const bool is_lost = error.kind == ErrorKind::kConflict;
            AddFirst({Finding::Level::kProblem, error.message,
                      is_lost ? "changes were lost" : "the stream cannot go on",
                      is_lost ? *mend_of_loss : error.hint},
                     findings);
        }
    }
    for (auto& finding : BIWA_TRY(ExamineMasks(project, stream, *source))) {
        findings.push_back(std::move(finding));
    }
    return findings;
}

}  // namespace

int PrintFindings(const std::string& stream, const std::vector<Finding>& findings, bool json) {
    int problems = 0;
    if (!json) Say(fmt::format("{}:", stream));
    for (const auto& finding : findings) {
        problems += finding.level == Finding::Level::kProblem;
        if (json) {
            const ordered_json line = {{"of", stream},
                                       {"level", LevelName(finding.level)},
                                       {"what", finding.what},
                                       {"why", finding.why},
                                       {"mend", finding.mend}};
            Print(line.dump() + "\n");
            continue;
        }
        const char* mark = finding.level == Finding::Level::kGood      ? "✓"
                           : finding.level == Finding::Level::kWarning ? "!"
                                                                       : "✗";
        Say(fmt::format("  {} {}", mark, finding.what));
        if (!finding.why.empty()) Say(fmt::format("      {}", finding.why));
        if (!finding.mend.empty()) Say(fmt::format("      → {}", finding.mend));
    }
    return problems;
}

int Examine(Engine& engine, const Project& project, bool json) {
    auto of_machine = ExamineMachine(project);
    auto known = AskHere(engine, project);
    if (!known) {
        // Something else than a server has the folder, for as long as a command takes.
        const bool is_busy = known.error().kind == ErrorKind::kConflict;
        of_machine.push_back({is_busy ? Finding::Level::kWarning : Finding::Level::kProblem,
                              known.error().message, "how far the streams have got cannot be seen",
                              known.error().hint});
        known.emplace();
    }
    int problems = PrintFindings("this machine", of_machine, json);
    for (const auto& [name, stream] : project.streams) {
        const auto& here = (*known)[name];
        auto findings = ExamineStream(engine, project, stream, here);
        // One that cannot be looked at does not hold up the others.
        if (!findings) {
            findings = std::vector<Finding>{
                {Finding::Level::kProblem, findings.error().message, "", findings.error().hint}};
        }
        if (here.ailment) AddFirst(*here.ailment, *findings);
        problems += PrintFindings(fmt::format("stream {} (connection {})", name, stream.connection),
                                  *findings, json);
    }
    return problems;
}

void AddDoctor(Commands& commands) {
    commands.Add("doctor", "Look for whatever could hinder the streams, and say what mends it",
                 [&commands]() -> Result<int> {
                     const auto project = BIWA_TRY(commands.OpenProject());
                     const auto problems = Examine(commands.engine, *project, commands.json);
                     return problems == 0 ? kGood : kFailed;
                 });
}

void AddVersion(Commands& commands) {
    commands.Add("version", "Print the version", [&commands]() -> Result<int> {
        Print(commands.json ? fmt::format("{{\"version\": \"{}\"}}\n", commands.engine.version)
                            : fmt::format("biwa {}\n", commands.engine.version));
        return kGood;
    });
}

}  // namespace biwa::cli
