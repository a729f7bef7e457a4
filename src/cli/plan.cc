// biwa plan, biwa apply
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "base/file.h"
#include "cli/command.h"

namespace biwa::cli {

namespace {

// Made by the instance that runs, or by one opened for this.
Result<Plan> PlanOf(Commands& commands, const std::shared_ptr<const Project>& project) {
    if (auto client = ClientOfRunning(*project)) {
        return PlanFromJson(BIWA_TRY(client->Get("/api/v1/plan")));
    }
    const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
    return instance->MakePlan();
}

bool Confirmed() {
    if (::isatty(STDIN_FILENO) != 1) return false;
    std::cerr << "Apply this? Type yes: " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "yes";
}

struct ApplyOptions {
    std::string plan_file;
    bool yes = false;
    bool leave_at_source = false;
};

Result<int> Apply(Commands& commands, const ApplyOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    std::unique_ptr<Instance> instance;
    auto client = ClientOfRunning(*project);
    if (!client) instance = BIWA_TRY(Instance::Open(commands.engine, project));
    Plan plan;
    if (!options.plan_file.empty()) {
        plan = BIWA_TRY(PlanFromJson(BIWA_TRY(ReadFile(options.plan_file))));
    } else if (client) {
        plan = BIWA_TRY(PlanFromJson(BIWA_TRY(client->Get("/api/v1/plan"))));
    } else {
        plan = BIWA_TRY(instance->MakePlan());
    }
    if (!commands.json) Say(PlanToText(plan));
    // A plan from a file was looked at before.
    const bool asks = plan.has_changes() && !options.yes && options.plan_file.empty();
    if (asks && !Confirmed()) {
        return UserError("nothing was applied", "Say yes, or give --yes.");
    }
    plan.leave_at_source = options.leave_at_source;
    if (client) {
        BIWA_TRY(client->Post("/api/v1/apply", PlanToJson(plan)));
    } else {
        BIWA_TRY(instance->Apply(plan, "command"));
    }
    if (commands.json) {
        Print(PlanToJson(plan) + "\n");
    } else if (plan.has_changes()) {
        Say("Applied.");
        if (plan.leave_at_source) {
            Say("What sources that could not be reached keep of removed streams is in the log.");
        }
    }
    return kGood;
}

}  // namespace

void AddPlan(Commands& commands) {
    struct Options {
        std::string out;
        bool detailed = false;
    };
    const auto options = std::make_shared<Options>();
    auto* command = commands.Add(
        "plan", "Show what would have to change to make the instance what the files say",
        [&commands, options]() -> Result<int> {
            const auto project = BIWA_TRY(commands.OpenProject());
            const auto plan = BIWA_TRY(PlanOf(commands, project));
            if (!options->out.empty()) {
                BIWA_TRY(WriteFileAtomically(options->out, PlanToJson(plan) + "\n", 0600));
            }
            Print(commands.json ? PlanToJson(plan) + "\n" : PlanToText(plan));
            return options->detailed && plan.has_changes() ? kChangesPending : kGood;
        });
    command->add_option("--out", options->out, "Write the plan to a file for `biwa apply`")
        ->type_name("FILE");
    command->add_flag("--detailed-exitcode", options->detailed,
                      "Exit with 2 when there is something to do");
}

void AddApply(Commands& commands) {
    const auto options = std::make_shared<ApplyOptions>();
    auto* command = commands.Add("apply", "Make the instance what the files say",
                                 [&commands, options] { return Apply(commands, *options); });
    command->add_option("PLANFILE", options->plan_file, "A plan of `biwa plan --out`");
    command->add_flag("--yes", options->yes, "Do not ask");
    command->add_flag("--leave-at-source", options->leave_at_source,
                      "Remove streams here alone where their source cannot be reached any more");
}

}  // namespace biwa::cli
