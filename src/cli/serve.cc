// biwa serve, and what `biwa up` shares with it.
#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/progress.h"

namespace biwa::cli {

namespace {

sigset_t StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
}

// A thread that waits for a source which does not answer may be held up for as long as the network
// takes to notice. Whoever stops us does not wait so long (docker ten seconds), and nothing is lost
// by an end that is not orderly: what counts is in the warehouse's last commit.
constexpr std::chrono::seconds kStopWithin{8};

void EndInTime() {
    std::thread([] {
        std::this_thread::sleep_for(kStopWithin);
        LogWarn("a source does not answer: ending without it");
        _exit(kGood);
    }).detach();
}

}  // namespace

void TakeStopSignals() {
    const auto signals = StopSignals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<int> ServeUntilStopped(Instance& instance, const std::string& listen) {
    const auto signals = StopSignals();
    BIWA_TRY(instance.Serve(listen));
    Say(fmt::format("Biwa is at http://{}  (Ctrl+C stops it)", instance.address()));
    Progress progress;
    for (;;) {
        const timespec tick{0, 250'000'000};
        const int signal = sigtimedwait(&signals, nullptr, &tick);
        if (signal == SIGINT || signal == SIGTERM) break;
        if (StderrIsTerminal()) progress.Draw(instance.StreamStatuses(), instance.ModelStatuses());
        instance.LookAtDisk();
        if (const auto broken = instance.Broken()) return tl::unexpected(*broken);
    }
    progress.End();
    Say("Stopping.");
    EndInTime();
    return kGood;
}

void AddServe(Commands& commands) {
    const auto listen = std::make_shared<std::string>();
    auto* command = commands.Add(
        "serve", "Run what was applied: streams, models, dashboards",
        [&commands, listen]() -> Result<int> {
            const auto project = BIWA_TRY(commands.OpenProject());
            TakeStopSignals();
            const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
            if (BIWA_TRY(instance->MakePlan()).has_changes()) {
                return UserError(
                    "the project's files say something that was not applied yet",
                    "`biwa plan` shows it, `biwa apply` does it, `biwa up` does it and "
                    "serves.");
            }
            return ServeUntilStopped(*instance, *listen);
        });
    command->add_option("--listen", *listen, "Address of the page, e.g. 127.0.0.1:8700")
        ->type_name("HOST:PORT");
}

}  // namespace biwa::cli
