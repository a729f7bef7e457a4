// What the commands share.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "instance/instance.h"
#include "server/http/http_client.h"

namespace biwa::cli {

inline constexpr int kGood = 0;
inline constexpr int kFailed = 1;
inline constexpr int kChangesPending = 2;
inline constexpr int kWrongUsage = 64;

struct Commands {
    CLI::App& app;
    Engine& engine;
    std::string project_folder = ".";
    std::string environment;
    bool json = false;
    bool verbose = false;
    // What the command that was named does; returns the exit code.
    std::function<Result<int>()> chosen;

    // Adds a command; `run` is called after all options were read.
    CLI::App* Add(const char* name, const char* description, std::function<Result<int>()> run);

    // The project of --project, or of the nearest folder above the current one.
    Result<std::shared_ptr<const Project>> OpenProject() const;
};

void AddInit(Commands& commands);
void AddValidate(Commands& commands);
void AddSchema(Commands& commands);
void AddCompile(Commands& commands);
void AddFormat(Commands& commands);
void AddLsp(Commands& commands);
void AddPlan(Commands& commands);
void AddApply(Commands& commands);
void AddUp(Commands& commands);
void AddServe(Commands& commands);
void AddStatus(Commands& commands);
void AddQuery(Commands& commands);
void AddRun(Commands& commands);
void AddTest(Commands& commands);
void AddDiff(Commands& commands);
void AddStream(Commands& commands);
void AddReconcile(Commands& commands);
void AddDoctor(Commands& commands);
void AddVersion(Commands& commands);

// A client of the instance that runs for this project; nothing when none does.
std::optional<http::HttpClient> ClientOfRunning(const Project& project);

void Print(std::string_view text);  // on stdout
void Say(std::string_view text);    // on stderr
bool StderrIsTerminal();

// Findings of a doctor on stderr or, with `json`, on stdout. Returns the number of problems.
int PrintFindings(const std::string& stream, const std::vector<Finding>& findings, bool json);
// Looks at every stream of the project. Returns the number of problems.
int Examine(Engine& engine, const Project& project, bool json);

// From here on SIGINT and SIGTERM wait for ServeUntilStopped. Before any thread is made: a thread
// that does not block them would let them end the process.
void TakeStopSignals();
// Serves until SIGINT or SIGTERM, showing on a terminal what the streams do.
Result<int> ServeUntilStopped(Instance& instance, const std::string& listen);

}  // namespace biwa::cli
