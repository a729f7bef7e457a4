// biwa doctor
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "instance/stream_masks.h"
#include "replication/stream_tables.h"

namespace biwa::cli {

namespace {

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

Result<std::vector<Finding>> ExamineStream(Engine& engine, const Project& project,
                                           const StreamConfig& stream) {
    const auto source = BIWA_TRY(OpenConnection(engine, project, stream.connection));
    const auto dataset =
        DatasetOf(engine, stream.dataset, project.connections.at(stream.connection));
    const auto is_excluded = [&](const SourceTable& table) {
        return MatchesAny(stream.exclude, table.ToString(), dataset.usual_schema);
    };
    auto findings =
        BIWA_TRY(source->Examine({stream.name, stream.tables, is_excluded, stream.only}));
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
    int problems = PrintFindings("this machine", ExamineMachine(project), json);
    for (const auto& [name, stream] : project.streams) {
        auto findings = ExamineStream(engine, project, stream);
        // One that cannot be looked at does not hold up the others.
        if (!findings) {
            findings = std::vector<Finding>{
                {Finding::Level::kProblem, findings.error().message, "", findings.error().hint}};
        }
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
