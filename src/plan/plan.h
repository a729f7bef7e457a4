// Desired against applied, as steps. What is shown and what is done are the same steps.
//
// All of it is plain data and pure functions: no file is read here and nothing is changed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "state/meta_store.h"

namespace biwa {

// Something that a plan can make, change and take away.
struct Resource {
    std::string kind;  // "connection", "stream", "model", "dashboard"
    std::string name;
    // What makes it what it is; secrets as references only.
    std::map<std::string, std::string> fields;
    std::vector<std::string> depends_on;  // "kind name" of others
};

enum class StepAction { kCreate, kUpdate, kDelete, kNothing };

struct FieldChange {
    std::string field;
    std::string before;  // empty where the resource is new
    std::string after;   // empty where it goes
    friend bool operator==(const FieldChange&, const FieldChange&) = default;
};

struct Step {
    StepAction action = StepAction::kNothing;
    std::string kind;
    std::string name;
    std::vector<FieldChange> changes;  // by field; what has not changed is left out
    // Data in the warehouse is thrown away, or has to be copied anew.
    bool destructive = false;
    std::string warning;  // why it is destructive
    friend bool operator==(const Step&, const Step&) = default;
};

// A stream's field for the mask of columns begins with this; their name follows.
inline constexpr std::string_view kMaskField = "mask ";
// And of a part of a table: "only public.answers".
inline constexpr std::string_view kOnlyField = "only ";
// A model's, that records what its rows were.
inline constexpr std::string_view kHistoryField = "history";

// Whether the step takes a stream away from its source: its slot and its tables go.
bool ForgetsStream(const Step& step);
// Whether it changes masks, so that tables have to be copied anew.
bool ChangesMasks(const Step& step);

struct Plan {
    // What others need comes first; deletes come last, in the opposite order.
    std::vector<Step> steps;
    // Of what was applied when the plan was made. A plan whose fingerprint is no longer that of the
    // world is stale.
    std::string base_fingerprint;
    // The applied resources as they will be. What is not named in steps stays.
    std::vector<AppliedResource> wanted;
    // Asked for, and no part of what is planned: streams that are removed are so here alone where
    // what they have at their source cannot be taken away.
    bool leave_at_source = false;

    bool has_changes() const;
};

// kUser: two resources of one kind and name, or dependencies in a circle. kCorrupt: what was
// applied cannot be read.
Result<Plan> MakePlan(const std::vector<Resource>& desired,
                      const std::vector<AppliedResource>& applied);

// The fields that a resource was applied with; empty when it was not, or cannot be read.
std::map<std::string, std::string> AppliedFields(const std::vector<AppliedResource>& applied,
                                                 const std::string& kind, const std::string& name);

// SHA-256 over kind, name and hash of each.
std::string Fingerprint(const std::vector<AppliedResource>& applied);

// kConflict when what is applied is not what the plan was made against.
Status CheckFresh(const Plan& plan, const std::vector<AppliedResource>& applied);

// What the record has to become when the plan has been carried out.
ResourceChanges RecordOf(const Plan& plan);

std::string PlanToJson(const Plan& plan);
// kUser when the text is not a plan.
Result<Plan> PlanFromJson(const std::string& text);

// For people: a line a step, its fields below it, and a summary. Unchanged resources are left out.
std::string PlanToText(const Plan& plan);

}  // namespace biwa
