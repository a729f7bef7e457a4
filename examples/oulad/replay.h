// `oulad replay`: the submissions of the dataset as live changes of an application.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "oulad/dataset.h"

namespace oulad {

struct ReplayOptions {
    std::string url;
    std::filesystem::path data;
    double rate = 2000;  // statements a second; 0: as fast as the server can
};

// Submissions come in the order of the calendar; each is inserted without its score and marked some
// hundred submissions later. What the table already holds is not done again, so a replay that was
// killed goes on. At its end the table equals the CSV file.
biwa::Status Replay(const ReplayOptions& options);

// One change of a replay: `row` of the submissions is inserted, or given its score.
struct ReplayStep {
    std::int32_t row;
    bool mark;
};

// All the steps for submissions that come in this order. The same order gives the same steps.
std::vector<ReplayStep> PlanReplay(const std::vector<Submission>& submissions);

}  // namespace oulad
