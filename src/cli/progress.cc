#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "query/table_writer.h"

namespace biwa::cli {

namespace {

constexpr std::size_t kBarCells = 24;

std::string Bar(double part) {
    const auto full =
        static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(kBarCells));
    std::string bar;
    for (std::size_t i = 0; i < kBarCells; ++i) bar += i < full ? "█" : "░";
    return bar;
}

std::string CopyLine(const StreamStatus& stream, const StreamStatus::Table& table) {
    // The server's estimate may be behind what has come already.
    const auto all =
        static_cast<double>(std::max({table.rows_estimate, table.rows_copied, std::int64_t{1}}));
    const auto left = all - static_cast<double>(table.rows_copied);
    auto line = fmt::format("{:<20} {} {:>12} rows", table.name,
                            Bar(static_cast<double>(table.rows_copied) / all),
                            HumanCount(table.rows_copied));
    if (stream.rows_per_s >= 1) {
        line += fmt::format("  {}/s", HumanCount(static_cast<std::int64_t>(stream.rows_per_s)));
        if (left > 0) line += "  " + HumanSeconds(left / stream.rows_per_s) + " left";
    }
    return line;
}

std::string StreamLine(const StreamStatus& stream) {
    auto line = fmt::format("{}: {}", stream.name, ToString(stream.state));
    if (stream.error) return line + ": " + stream.error->message;
    return line + fmt::format(", {:.0f} changes/s, {:.1f} s and {} behind", stream.changes_per_s,
                              stream.lag_seconds, HumanBytes(stream.lag_bytes));
}

}  // namespace

std::vector<std::string> ProgressLines(const std::vector<StreamStatus>& streams,
                                       const std::vector<workflow::ModelStatus>& models,
                                       std::size_t width) {
    std::vector<std::string> lines;
    std::string summary;
    for (const auto& stream : streams) {
        std::size_t waiting = 0;
        for (const auto& table : stream.tables) {
            if (table.state == StreamStatus::TableState::kCopying) {
                lines.push_back(CopyLine(stream, table));
            }
            waiting += table.state == StreamStatus::TableState::kWaiting;
        }
        if (waiting > 0 && stream.state == StreamStatus::State::kSnapshot) {
            lines.push_back(fmt::format("{}: {} more tables to copy", stream.name, waiting));
        }
        summary += (summary.empty() ? "" : "  ·  ") + StreamLine(stream);
    }
    std::size_t failed = 0;
    for (const auto& model : models) {
        failed += model.state == workflow::ModelStatus::State::kFailed;
    }
    summary += fmt::format("{}{} models{}", summary.empty() ? "" : "  ·  ", models.size(),
                           failed > 0 ? fmt::format(", {} failed", failed) : "");
    lines.push_back(std::move(summary));
    for (auto& line : lines) line = CutToWidth(line, width);
    return lines;
}

void Progress::Draw(const std::vector<StreamStatus>& streams,
                    const std::vector<workflow::ModelStatus>& models) {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const auto lines = ProgressLines(streams, models, known ? size.ws_col - 1 : 79);
    std::string text;
    if (lines_ > 0) text += fmt::format("\033[{}A", lines_);
    for (const auto& line : lines) text += "\r\033[2K" + line + "\n";
    // What was drawn below before, when there were more lines.
    text += "\033[J";
    lines_ = lines.size();
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

void Progress::End() { lines_ = 0; }

}  // namespace biwa::cli
