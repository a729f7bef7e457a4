// A plan as JSON: {"format": 1, "base_fingerprint", "summary": {…}, "steps": […], "wanted": […]}.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "plan/plan.h"

namespace biwa {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

constexpr std::array<std::pair<StepAction, const char*>, 4> kActions = {
    {{StepAction::kCreate, "create"},
     {StepAction::kUpdate, "update"},
     {StepAction::kDelete, "delete"},
     {StepAction::kNothing, "nothing"}}};

const char* NameOf(StepAction action) {
    for (const auto& [value, name] : kActions) {
        if (value == action) return name;
    }
    return "";
}

int Count(const Plan& plan, StepAction action) {
    int count = 0;
    for (const auto& step : plan.steps) count += step.action == action ? 1 : 0;
    return count;
}

}  // namespace

std::string PlanToJson(const Plan& plan) {
    Json steps = Json::array();
    for (const auto& step : plan.steps) {
        Json changes = Json::array();
        for (const auto& change : step.changes) {
            changes.push_back(
                {{"field", change.field}, {"before", change.before}, {"after", change.after}});
        }
        steps.push_back({{"action", NameOf(step.action)},
                         {"kind", step.kind},
                         {"name", step.name},
                         {"changes", std::move(changes)},
                         {"destructive", step.destructive},
                         {"warning", step.warning}});
    }
    Json wanted = Json::array();
    for (const auto& one : plan.wanted) {
        wanted.push_back(
            {{"kind", one.kind}, {"name", one.name}, {"hash", one.hash}, {"content", one.content}});
    }
    Json json = {{"format", kFormat},
                 {"base_fingerprint", plan.base_fingerprint},
                 {"summary",
                  {{"create", Count(plan, StepAction::kCreate)},
                   {"update", Count(plan, StepAction::kUpdate)},
                   {"delete", Count(plan, StepAction::kDelete)}}},
                 {"steps", std::move(steps)},
                 {"wanted", std::move(wanted)}};
    if (plan.leave_at_source) json["leave_at_source"] = true;
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Plan> PlanFromJson(const std::string& text) {
    const auto not_a_plan = [](const std::string& why) {
        return UserError("this is no plan of biwa: " + why, "`biwa plan --out FILE` writes one.");
    };
    try {
        const auto json = Json::parse(text);
        if (const int format = json.at("format").get<int>(); format != kFormat) {
            return not_a_plan(fmt::format("its format is {}, this biwa reads {}", format, kFormat));
        }
        Plan plan;
        plan.leave_at_source = json.value("leave_at_source", false);
        plan.base_fingerprint = json.at("base_fingerprint").get<std::string>();
        std::set<std::pair<std::string, std::string>> changed;
        for (const auto& item : json.at("steps")) {
            Step step;
            const auto action = item.at("action").get<std::string>();
            bool is_known = false;
            for (const auto& [value, name] : kActions) {
                if (action != name) continue;
                step.action = value;
                is_known = true;
            }
            if (!is_known) return not_a_plan(fmt::format("there is no action \"{}\"", action));
            step.kind = item.at("kind").get<std::string>();
            step.name = item.at("name").get<std::string>();
            for (const auto& change : item.at("changes")) {
                step.changes.push_back({change.at("field").get<std::string>(),
                                        change.at("before").get<std::string>(),
                                        change.at("after").get<std::string>()});
            }
            step.destructive = item.at("destructive").get<bool>();
            step.warning = item.at("warning").get<std::string>();
            if (step.action == StepAction::kCreate || step.action == StepAction::kUpdate) {
                changed.emplace(step.kind, step.name);
            }
            plan.steps.push_back(std::move(step));
        }
        for (const auto& item : json.at("wanted")) {
            plan.wanted.push_back(
                {item.at("kind").get<std::string>(), item.at("name").get<std::string>(),
                 item.at("hash").get<std::string>(), item.at("content").get<std::string>(), 0});
            // What is recorded is what was shown, one for one.
            if (changed.erase({plan.wanted.back().kind, plan.wanted.back().name}) != 1) {
                return not_a_plan("its steps and what it records do not agree");
            }
        }
        if (!changed.empty()) return not_a_plan("its steps and what it records do not agree");
        return plan;
    } catch (const Json::exception& error) {
        return not_a_plan(error.what());
    }
}

}  // namespace biwa
