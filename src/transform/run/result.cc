#include "transform/run/result.h"

#include <algorithm>

namespace biwa::transform {

std::string_view ToString(RunState state) {
    switch (state) {
        case RunState::kPlanned:
            return "planned";
        case RunState::kOk:
            return "ok";
        case RunState::kWarned:
            return "warned";
        case RunState::kFailed:
            return "failed";
        case RunState::kSkipped:
            return "skipped";
        case RunState::kCancelled:
            return "cancelled";
    }
    return "";
}

bool RunResult::ok() const {
    return std::all_of(actions.begin(), actions.end(),
                       [](const auto& action) { return action.state <= RunState::kWarned; });
}

const ActionResult* RunResult::Find(const TableName& target) const {
    const auto found = std::find_if(actions.begin(), actions.end(),
                                    [&](const auto& action) { return action.target == target; });
    return found == actions.end() ? nullptr : &*found;
}

}  // namespace biwa::transform
