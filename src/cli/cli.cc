#include "cli/cli.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"

namespace biwa::cli {

CLI::App* Commands::Add(const char* name, const char* description,
                        std::function<Result<int>()> run) {
    auto* command = app.add_subcommand(name, description);
    command->fallthrough();
    command->callback([this, run = std::move(run)] { chosen = run; });
    return command;
}

Result<std::shared_ptr<const Project>> Commands::OpenProject() const {
    const auto root = BIWA_TRY(FindProjectRoot(std::filesystem::absolute(project_folder)));
    auto project = BIWA_TRY(LoadProject(root, engine.connection_kinds()));
    if (!environment.empty() && environment != project->environment) {
        return UserError(fmt::format("there is no environment \"{}\", only \"{}\"", environment,
                                     project->environment));
    }
    return project;
}

std::optional<http::HttpClient> ClientOfRunning(const Project& project) {
    const auto running = FindRunning(project);
    if (!running) return std::nullopt;
    http::HttpClient::Options options;
    options.token = running->token;
    return http::HttpClient(running->address, options);
}

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void Say(std::string_view text) { fmt::print(stderr, "{}\n", text); }
bool StderrIsTerminal() { return ::isatty(STDERR_FILENO) == 1; }

namespace {

void SayError(const Error& error) {
    const bool colour = StderrIsTerminal() && std::getenv("NO_COLOR") == nullptr;
    fmt::print(stderr, "{}error:{} {}\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
               error.message);
    if (!error.hint.empty()) fmt::print(stderr, "{}\n", error.hint);
}

// The names of all commands, for did-you-mean.
std::vector<std::string> Names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(command->get_name());
    }
    return names;
}

}  // namespace

int Main(int argc, char** argv, Engine& engine) {
    // Taken from every thread: the one that serves waits for them (ServeUntilStopped).
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    engine.version = BIWA_VERSION;
    CLI::App app{"Biwa: a company's data, from its databases to tables and dashboards.", "biwa"};
    app.require_subcommand(0, 1);
    Commands commands{app, engine, ".", "", false, false, nullptr};
    app.add_option("--project", commands.project_folder, "Folder of the project")->type_name("DIR");
    app.add_option("--env", commands.environment, "Environment to work in")->type_name("NAME");
    app.add_flag("--json", commands.json, "Print the result as JSON");
    app.add_flag("-v,--verbose", commands.verbose, "Say more");
    app.set_version_flag("--version", "biwa " BIWA_VERSION, "Print the version");
    for (const auto add : {AddInit, AddValidate, AddPlan, AddApply, AddUp, AddServe, AddStatus,
                           AddQuery, AddRun, AddTest, AddDiff, AddStream, AddReconcile, AddCompile,
                           AddFormat, AddLsp, AddDoctor, AddSchema, AddVersion}) {
        add(commands);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        Print(app.help());
        return kGood;
    } catch (const CLI::CallForVersion& version) {
        Print(fmt::format("{}\n", version.what()));
        return kGood;
    } catch (const CLI::ParseError& error) {
        Say(fmt::format("biwa: {}", error.what()));
        for (int i = 1; i < argc; ++i) {
            if (argv[i][0] == '-') continue;
            const auto names = Names(app);
            const auto meant = DidYouMean(argv[i], names);
            if (!meant.empty() && meant != argv[i]) {
                Say(fmt::format("Did you mean `biwa {}`?", meant));
            }
            break;
        }
        Say("`biwa --help` lists the commands, `biwa COMMAND --help` a command's options.");
        return kWrongUsage;
    }
    if (!commands.chosen) {
        Print(app.help());
        return kGood;
    }
    SetLogLevel(commands.verbose ? LogLevel::kDebug : LogLevel::kInfo);
    const auto result = commands.chosen();
    if (result) return *result;
    SayError(result.error());
    return kFailed;
}

}  // namespace biwa::cli
