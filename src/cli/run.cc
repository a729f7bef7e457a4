// biwa run
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/text.h"
#include "cli/command.h"
#include "cli/rows_text.h"
#include "instance/status_json.h"
#include "query/table_writer.h"

namespace biwa::cli {

namespace {

using nlohmann::json;
using Steady = std::chrono::steady_clock;

// What one model came to, as the API tells it.
void SayModel(const json& model) {
    const auto state = model.value("state", "");
    const bool is_assertion = model.value("type", "") == "assertion";
    std::string rows;
    if (is_assertion && model.value("failing_rows", 0) > 0) {
        const auto count = model.value("failing_rows", std::int64_t{0});
        rows = HumanCount(count) + (count == 1 ? " row" : " rows");
    } else if (model["rows"].is_number()) {
        rows = HumanCount(model["rows"].get<std::int64_t>()) + " rows";
    }
    const auto seconds =
        state == "planned" ? std::string() : HumanSeconds(model.value("seconds", 0.0));
    const auto bytes =
        model["bytes"].is_number() ? HumanBytes(model["bytes"].get<std::uint64_t>()) : "";
    auto line = fmt::format("{:<9} {:<12} {:<40} {:>14} {:>10} {:>10}", state,
                            model.value("type", ""), model.value("name", ""), rows, bytes, seconds);
    line.erase(line.find_last_not_of(' ') + 1);
    Say(line);
    if (model["error"].is_object()) {
        Say("  " + model["error"].value("message", ""));
        if (model["error"]["hint"].is_string())
            Say("  " + model["error"]["hint"].get<std::string>());
    }
    for (const auto& row : RowLines(model["sample"])) Say("    " + row);
    for (const auto& note : model["notes"]) Say("  " + note.get<std::string>());
}

void SayModels(const std::string& run) {
    const auto answer = json::parse(run);
    for (const auto& model : answer.at("models")) SayModel(model);
}

// Says what each model came to as soon as it is known; on a terminal a line below shows how far the
// run is. Whether it runs here or in the instance that serves, it is told by the same events.
class Narrator {
  public:
    Narrator() : is_terminal_(StderrIsTerminal()) {}

    // The last one has the run's answer, or why there is none.
    Status Take(std::string_view line) {
        const auto event = json::parse(line, nullptr, false);
        if (event.contains("planned")) {
            models_ = event["planned"];
        } else if (event.contains("waiting")) {
            Erase();
            Say("Waiting for " + event["waiting"].get<std::string>() + ".");
        } else if (event.contains("started")) {
            running_.insert(event["started"].get<std::string>());
            Draw();
        } else if (event.contains("finished")) {
            running_.erase(event["finished"].value("name", ""));
            ++done_;
            Erase();
            SayModel(event["finished"]);
            if (done_ < models_) Draw();
        } else if (event.contains("done")) {
            answer_ = event["done"].dump();
        } else {
            Erase();
            return tl::unexpected(ErrorOf(event));
        }
        return {};
    }
    // Empty: the answer broke off.
    const std::string& answer() const { return answer_; }

  private:
    static Error ErrorOf(const json& event) {
        Error error{ErrorKind::kUnavailable, "the instance says nothing that is understood", ""};
        if (!event.is_object() || !event.contains("error")) return error;
        const auto& told = event["error"];
        error.message = told.value("message", error.message);
        if (told.contains("hint") && told["hint"].is_string()) error.hint = told["hint"];
        if (told.value("kind", "") == ToString(ErrorKind::kUser)) error.kind = ErrorKind::kUser;
        return error;
    }
    void Erase() const {
        if (is_terminal_) std::fputs("\r\033[2K", stderr);
    }
    void Draw() const {
        if (!is_terminal_) return;
        constexpr std::size_t kCells = 24;
        const auto full = models_ == 0 ? kCells : done_ * kCells / models_;
        std::string bar;
        for (std::size_t i = 0; i < kCells; ++i) bar += i < full ? "█" : "░";
        const std::vector<std::string> running(running_.begin(), running_.end());
        winsize size{};
        const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        const std::chrono::duration<double> took = Steady::now() - began_;
        const auto line = fmt::format("{} {} of {}  {}  {}", bar, done_, models_,
                                      HumanSeconds(took.count()), Join(running, ", "));
        std::fputs(("\r\033[2K" + CutToWidth(line, known ? size.ws_col - 1U : 79U)).c_str(),
                   stderr);
        std::fflush(stderr);
    }

    const bool is_terminal_;
    const Steady::time_point began_ = Steady::now();
    std::size_t models_ = 0;
    std::size_t done_ = 0;
    std::set<std::string> running_;
    std::string answer_;
};

// SIGINT and SIGTERM end the run in good order; a second one ends the process.
class StopOnSignal {
  public:
    StopOnSignal() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        waiter_ = std::jthread([this](const std::stop_token& end) {
            timespec moment{0, 20'000'000};
            while (!end.stop_requested()) {
                if (sigtimedwait(&signals_, nullptr, &moment) < 0) continue;
                Say("\nStopping; what is committed stays. Once more to end at once.");
                stop_.request_stop();
                pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
                return;
            }
        });
    }
    std::stop_token token() const { return stop_.get_token(); }

  private:
    sigset_t signals_{};
    std::stop_source stop_;
    std::jthread waiter_;
};

json BodyOf(const http::RunRequest& request) {
    return {{"select", request.select},
            {"full_refresh", request.full_refresh},
            {"forget_history", request.forget_history},
            {"include_dependencies", request.include_dependencies},
            {"include_dependents", request.include_dependents},
            {"dry_run", request.dry_run},
            {"resume", request.resume}};
}

// "3 ok, 1 failed, 1 skipped in 2.1 s"
std::string Summary(const json& answer, double seconds) {
    std::vector<std::string> parts;
    for (const auto* state : {"planned", "ok", "warned", "failed", "skipped", "cancelled"}) {
        std::size_t count = 0;
        for (const auto& model : answer["models"]) count += model.value("state", "") == state;
        if (count > 0) parts.push_back(fmt::format("{} {}", count, state));
    }
    if (parts.empty()) return "Nothing to do.";
    return Join(parts, ", ") + " in " + HumanSeconds(seconds);
}

Result<int> Run(Commands& commands, const http::RunRequest& request) {
    const auto project = BIWA_TRY(commands.OpenProject());
    const auto began = Steady::now();
    Narrator narrator;
    std::string text;
    if (auto client = ClientOfRunning(*project)) {
        // When this process ends before its answer, the run is cancelled there.
        BIWA_TRY(client->PostForLines("/api/v1/run", BodyOf(request).dump(),
                                      [&](std::string_view line) { return narrator.Take(line); }));
        text = narrator.answer();
        if (text.empty()) return Unavailable("the instance ended before the run did");
    } else {
        const StopOnSignal stop;
        const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
        const auto tell = [&](const std::string& event) {
            static_cast<void>(narrator.Take(event));  // no errors among them
        };
        text = BIWA_TRY(instance->Run(request, tell, stop.token()));
    }
    if (request.dry_run && !commands.json) SayModels(text);
    const std::chrono::duration<double> took = Steady::now() - began;
    if (commands.json) Print(text + "\n");
    const auto answer = json::parse(text);
    Say(Summary(answer, took.count()));
    if (answer.value("ok", false)) return kGood;
    Say("Some models or assertions failed.");
    return kFailed;
}

}  // namespace

void AddRun(Commands& commands) {
    const auto options = std::make_shared<http::RunRequest>();
    auto* command = commands.Add("run", "Build models now",
                                 [&commands, options] { return Run(commands, *options); });
    command
        ->add_option("--select", options->select,
                     "Which: mart.daily, tag:nightly, path:definitions/marts, state:modified; "
                     "+up, down+; left out: all")
        ->delimiter(',');
    command->add_flag("--include-deps", options->include_dependencies,
                      "With all that the selected models read");
    command->add_flag("--include-dependents", options->include_dependents,
                      "With all that reads the selected models");
    command->add_flag("--full-refresh", options->full_refresh,
                      "Build incremental models from nothing");
    command->add_flag(
        "--forget-history", options->forget_history,
        "With --full-refresh and --select: throw away the histories that these models "
        "have recorded");
    command->add_flag("--dry-run", options->dry_run, "Only say which models would be built");
    command->add_flag("--resume", options->resume,
                      "Go on with the last run, which was interrupted or failed");
}

}  // namespace biwa::cli
