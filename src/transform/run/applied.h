// _biwa.applied: a row for each build that was committed, written in the build's own transaction.
// So it can never say of a model what is not so: a build that was killed has no row and no effect.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transform/compile/graph.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

struct AppliedBuild {
    std::string model;  // "dataset.name"
    std::string run_id;
    std::string kind;
    Micros started_at = 0;
    Micros finished_at = 0;
    std::optional<std::uint64_t> rows;
    std::string content_hash;
    std::optional<std::uint64_t> bytes = {};  // of its values (table_size.h)
};

// Makes the table.
Status PrepareApplied(WriteTransaction& transaction);
// One that an older version has made gets what it lacks; whether there was something.
Result<bool> MendApplied(WriteTransaction& transaction);
// All of them by one statement: planning it costs as much as building a small model.
Status RecordApplied(WriteTransaction& transaction, const std::vector<AppliedBuild>& builds);
// Forgets what is older than a day, but for the last build of each model: one that is built every
// few seconds must not fill the warehouse with its history.
Status PruneApplied(WriteTransaction& transaction, Micros now);

// By model: its last build. Empty where nothing was ever built.
Result<std::map<std::string, AppliedBuild>> LastBuilds(Warehouse& warehouse);
// By model: what a run has committed.
Result<std::map<std::string, AppliedBuild>> BuildsOfRun(Warehouse& warehouse,
                                                        const std::string& run_id);

// Of all that decides what a build of the action does: its SQL in each form, its type and how its
// rows come onto those that are there.
std::string ContentHash(const Action& action);

}  // namespace biwa::transform
