#include "plan/plan.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"

namespace biwa {

namespace {

using Key = std::pair<std::string, std::string>;  // kind and name

std::string Sha256(const std::string& text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    BIWA_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) == 1);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

// Kinds of which nobody has heard come last.
int KindOrder(const std::string& kind) {
    static const std::vector<std::string> kOrder = {"connection", "stream", "model", "dashboard"};
    return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
}

// An applied resource's content: {"fields": {…}, "depends_on": […]}. Keys are sorted, so the same
// resource is the same text.
std::string ContentOf(const Resource& resource) {
    auto depends_on = resource.depends_on;
    std::sort(depends_on.begin(), depends_on.end());
    return nlohmann::json{{"fields", resource.fields}, {"depends_on", depends_on}}.dump();
}

Result<Resource> ResourceOf(const AppliedResource& applied) {
    Resource resource{applied.kind, applied.name, {}, {}};
    const auto json = nlohmann::json::parse(applied.content, nullptr, false);
    const auto damaged = [&] {
        return Corrupt(fmt::format("the record of {} {} in meta.db cannot be read", applied.kind,
                                   applied.name),
                       "Put back a copy of meta.db.");
    };
    if (!json.is_object() || !json.contains("fields") || !json["fields"].is_object()) {
        return damaged();
    }
    for (const auto& [field, value] : json["fields"].items()) {
        if (!value.is_string()) return damaged();
        resource.fields[field] = value.get<std::string>();
    }
    if (json.contains("depends_on")) {
        if (!json["depends_on"].is_array()) return damaged();
        for (const auto& one : json["depends_on"]) {
            if (!one.is_string()) return damaged();
            resource.depends_on.push_back(one.get<std::string>());
        }
    }
    return resource;
}

std::vector<FieldChange> Compare(const Resource& before, const Resource& after) {
    std::set<std::string> names;
    for (const auto& [name, ignored] : before.fields) names.insert(name);
    for (const auto& [name, ignored] : after.fields) names.insert(name);
    const auto value = [](const Resource& resource, const std::string& name) {
        const auto found = resource.fields.find(name);
        return found == resource.fields.end() ? std::string() : found->second;
    };
    std::vector<FieldChange> changes;
    for (const auto& name : names) {
        auto old_value = value(before, name);
        auto new_value = value(after, name);
        if (old_value != new_value) {
            changes.push_back({name, std::move(old_value), std::move(new_value)});
        }
    }
    return changes;
}

bool Changes(const Step& step, std::string_view field) {
    return std::any_of(step.changes.begin(), step.changes.end(),
                       [&](const FieldChange& change) { return change.field == field; });
}

// What a step costs in data. `before_fields`: those that it was applied with.
std::string WarningOf(const Step& step, const std::map<std::string, std::string>& before_fields) {
    if (step.kind == "stream") {
        const std::string histories =
            before_fields.contains("history") ? ", with histories that nothing can bring back" : "";
        if (step.action == StepAction::kDelete) {
            return "its tables and its slot are dropped" + histories;
        }
        if (ForgetsStream(step)) {
            return "its tables are dropped and copied anew" + histories;
        }
        if (ChangesMasks(step)) {
            return "tables whose columns are masked otherwise are dropped and copied anew; bytes "
                   "of "
                   "what they held may stay in free parts of the warehouse's file and in its "
                   "copies";
        }
        if (step.action == StepAction::kUpdate &&
            std::any_of(step.changes.begin(), step.changes.end(), [](const FieldChange& change) {
                return change.field.starts_with(kOnlyField);
            })) {
            return "tables of which another part is wanted are copied anew, and change places with "
                   "those that are there";
        }
    }
    const auto before = [&](std::string_view field) {
        for (const auto& change : step.changes) {
            if (change.field == field) return change.before;
        }
        return std::string();
    };
    // A view or an assertion holds no data of its own.
    const auto type = before("type");
    if (step.kind == "model" && type != "view" && type != "assertion") {
        const bool ends_history =
            std::any_of(step.changes.begin(), step.changes.end(), [](const FieldChange& change) {
                return change.field == kHistoryField && !change.before.empty() &&
                       change.after.empty();
            });
        const std::string history =
            ends_history ? ", with a history that nothing can bring back" : "";
        if (step.action == StepAction::kDelete) return "its table is dropped" + history;
        if (step.action == StepAction::kUpdate && (Changes(step, "type") || ends_history))
            return "its table is dropped and built anew" + history;
    }
    return "";
}

// An order in which everything comes after what it depends on; among equals by kind and name.
class Sorter {
  public:
    explicit Sorter(const std::map<Key, Resource>& resources) : resources_(resources) {}

    Result<std::vector<Key>> Sort() {
        std::vector<Key> keys;
        for (const auto& [key, ignored] : resources_) keys.push_back(key);
        std::stable_sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
            return KindOrder(a.first) < KindOrder(b.first);
        });
        // In rounds, so that a long chain of models takes no deep recursion.
        std::map<Key, std::size_t> waiting_for;
        std::map<Key, std::vector<Key>> dependants;
        for (const auto& [key, resource] : resources_) {
            for (const auto& needed : resource.depends_on) {
                const auto space = needed.find(' ');
                if (space == std::string::npos) continue;
                const Key other{needed.substr(0, space), needed.substr(space + 1)};
                if (!resources_.count(other)) continue;
                ++waiting_for[key];
                dependants[other].push_back(key);
            }
        }
        std::map<Key, std::size_t> rank;
        for (std::size_t i = 0; i < keys.size(); ++i) rank[keys[i]] = i;
        std::set<std::size_t> ready;
        for (const auto& key : keys) {
            if (waiting_for[key] == 0) ready.insert(rank[key]);
        }
        std::vector<Key> sorted;
        while (!ready.empty()) {
            const auto key = keys[*ready.begin()];
            ready.erase(ready.begin());
            sorted.push_back(key);
            for (const auto& dependant : dependants[key]) {
                if (--waiting_for[dependant] == 0) ready.insert(rank[dependant]);
            }
        }
        if (sorted.size() == keys.size()) return sorted;
        std::string circle;
        for (const auto& key : keys) {
            if (waiting_for[key] == 0) continue;
            circle += (circle.empty() ? "" : ", ") + key.first + " " + key.second;
        }
        return UserError("these depend on each other in a circle: " + circle);
    }

  private:
    const std::map<Key, Resource>& resources_;
};

}  // namespace

bool ForgetsStream(const Step& step) {
    if (step.kind != "stream") return false;
    return step.action == StepAction::kDelete ||
           (step.action == StepAction::kUpdate &&
            (Changes(step, "connection") || Changes(step, "dataset")));
}

bool ChangesMasks(const Step& step) {
    return step.kind == "stream" && step.action == StepAction::kUpdate &&
           std::any_of(step.changes.begin(), step.changes.end(), [](const FieldChange& change) {
               return change.field.starts_with(kMaskField) || change.field == "mask" ||
                      change.field == "mask_key";
           });
}

bool Plan::has_changes() const {
    return std::any_of(steps.begin(), steps.end(),
                       [](const Step& step) { return step.action != StepAction::kNothing; });
}

std::string Fingerprint(const std::vector<AppliedResource>& applied) {
    std::set<std::string> lines;
    for (const auto& one : applied) {
        // JSON keeps names apart whatever is in them.
        lines.insert(nlohmann::json{one.kind, one.name, one.hash}.dump());
    }
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    return Sha256(text);
}

Result<Plan> MakePlan(const std::vector<Resource>& desired,
                      const std::vector<AppliedResource>& applied) {
    std::map<Key, Resource> wanted, found, going;
    for (const auto& resource : desired) {
        if (!wanted.emplace(Key{resource.kind, resource.name}, resource).second) {
            return UserError(fmt::format("there are two of {} {}", resource.kind, resource.name),
                             "Give one of them another name.");
        }
    }
    std::map<Key, std::string> hashes;
    for (const auto& one : applied) {
        const Key key{one.kind, one.name};
        auto resource = BIWA_TRY(ResourceOf(one));
        if (!wanted.count(key)) going.emplace(key, resource);
        found.emplace(key, std::move(resource));
        hashes[key] = one.hash;
    }

    Plan plan;
    plan.base_fingerprint = Fingerprint(applied);
    const auto order = BIWA_TRY(Sorter(wanted).Sort());
    for (const auto& key : order) {
        const auto& resource = wanted.at(key);
        Step step{StepAction::kNothing, key.first, key.second, {}, false, {}};
        auto content = ContentOf(resource);
        auto hash = Sha256(content);
        if (const auto before = found.find(key); before == found.end()) {
            step.action = StepAction::kCreate;
            step.changes = Compare({}, resource);
        } else if (hashes[key] != hash) {
            step.action = StepAction::kUpdate;
            step.changes = Compare(before->second, resource);
        }
        if (step.action != StepAction::kNothing) {
            plan.wanted.push_back({key.first, key.second, std::move(hash), std::move(content), 0});
        }
        plan.steps.push_back(std::move(step));
    }
    auto leaving = BIWA_TRY(Sorter(going).Sort());
    std::reverse(leaving.begin(), leaving.end());
    for (const auto& key : leaving) {
        plan.steps.push_back(
            {StepAction::kDelete, key.first, key.second, Compare(going.at(key), {}), false, {}});
    }
    for (auto& step : plan.steps) {
        const auto before = found.find({step.kind, step.name});
        step.warning = WarningOf(step, before == found.end() ? std::map<std::string, std::string>()
                                                             : before->second.fields);
        step.destructive = !step.warning.empty();
    }
    return plan;
}

std::map<std::string, std::string> AppliedFields(const std::vector<AppliedResource>& applied,
                                                 const std::string& kind, const std::string& name) {
    for (const auto& one : applied) {
        if (one.kind != kind || one.name != name) continue;
        const auto json = nlohmann::json::parse(one.content, nullptr, false);
        std::map<std::string, std::string> fields;
        if (!json.is_object() || !json.contains("fields")) return fields;
        for (const auto& [field, value] : json["fields"].items()) {
            if (value.is_string()) fields[field] = value.get<std::string>();
        }
        return fields;
    }
    return {};
}

Status CheckFresh(const Plan& plan, const std::vector<AppliedResource>& applied) {
    if (plan.base_fingerprint == Fingerprint(applied)) return {};
    return Fail(ErrorKind::kConflict,
                "the plan is stale: something else was applied after it was made",
                "Make it anew with `biwa plan`, look at it, and apply that.");
}

ResourceChanges RecordOf(const Plan& plan) {
    ResourceChanges changes;
    changes.put = plan.wanted;
    for (const auto& step : plan.steps) {
        if (step.action == StepAction::kDelete) changes.remove.push_back({step.kind, step.name});
    }
    return changes;
}

}  // namespace biwa
