// biwa format [--check] [FILE …]
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/command.h"
#include "project/files.h"
#include "transform/syntax/format.h"

namespace biwa::cli {

namespace {

namespace fs = std::filesystem;

struct FormatOptions {
    std::vector<std::string> paths;
    bool check = false;
};

Result<std::string> Format(const std::string& path, const std::string& text) {
    auto formatted = transform::FormatSqlx(text);
    if (formatted) return std::move(*formatted);
    const auto place = transform::LineIndex(text).Find(formatted.error().offset);
    return UserError(
        fmt::format("{}:{}:{}: {}", path, place.line, place.column, formatted.error().message));
}

void AddFolder(const fs::path& folder, std::vector<fs::path>& files) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
        std::error_code ignored;
        if (entry.path().extension() == ".sqlx" && entry.is_regular_file(ignored)) {
            files.push_back(entry.path());
        }
    }
}

// What a link leads to, with the permissions that it has.
Status Replace(const fs::path& file, const std::string& text) {
    std::error_code error;
    const auto real = fs::canonical(file, error);
    const auto mode = fs::status(file, error).permissions() & fs::perms::mask;
    return WriteFileAtomically(real, text, static_cast<mode_t>(mode));
}

// Those named, of folders what they hold; of none the project's.
Result<std::vector<fs::path>> FindFiles(const Commands& commands, const FormatOptions& options) {
    std::vector<fs::path> files;
    for (const auto& path : options.paths) {
        std::error_code ignored;
        if (fs::is_directory(path, ignored)) {
            AddFolder(path, files);
        } else if (fs::path(path).extension() != ".sqlx") {
            return UserError(fmt::format("{} is not a .sqlx file", path),
                             "Only those are laid out; - reads one from stdin.");
        } else {
            files.emplace_back(path);
        }
    }
    if (options.paths.empty()) {
        const auto root = BIWA_TRY(FindProjectRoot(fs::absolute(commands.project_folder)));
        AddFolder((root / "definitions").lexically_proximate(fs::current_path()), files);
    }
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    return files;
}

Result<int> FormatStdin(const FormatOptions& options) {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const auto formatted = BIWA_TRY(Format("<stdin>", text));
    if (options.check) return formatted == text ? kGood : kFailed;
    Print(formatted);
    return kGood;
}

Result<int> FormatFiles(const Commands& commands, const FormatOptions& options) {
    if (options.paths == std::vector<std::string>{"-"}) return FormatStdin(options);
    const auto files = BIWA_TRY(FindFiles(commands, options));
    std::vector<std::string> changed;
    std::vector<std::string> problems;
    for (const auto& file : files) {
        const auto text = BIWA_TRY(ReadFile(file));
        const auto formatted = Format(file.string(), text);
        if (!formatted) {
            problems.push_back(formatted.error().message);
            continue;
        }
        if (*formatted == text) continue;
        changed.push_back(file.string());
        if (!options.check) BIWA_TRY(Replace(file, *formatted));
    }
    if (commands.json) {
        Print(nlohmann::json{{"files", files.size()}, {"changed", changed}, {"problems", problems}}
                  .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
              "\n");
    } else {
        for (const auto& file : changed) Print(file + "\n");
        for (const auto& problem : problems) Say(problem);
        Say(fmt::format("{} of {} files {}.", changed.size(), files.size(),
                        options.check ? "would change" : "changed"));
    }
    return problems.empty() && (changed.empty() || !options.check) ? kGood : kFailed;
}

}  // namespace

void AddFormat(Commands& commands) {
    const auto options = std::make_shared<FormatOptions>();
    auto* command = commands.Add("format", "Lay out .sqlx files",
                                 [&commands, options] { return FormatFiles(commands, *options); });
    command->add_option("FILE", options->paths,
                        "Files or folders; - reads stdin and writes stdout; left out: all of the "
                        "project's");
    command->add_flag("--check", options->check,
                      "Write nothing; exit with 1 when a file would change");
}

}  // namespace biwa::cli
