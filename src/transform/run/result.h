// What became of one action in a run. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/table.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

enum class RunState {
    kPlanned,  // of a run that only says what it would do
    kOk,
    kWarned,  // an assertion of severity warn that found rows: what waits for it goes on
    kFailed,
    kSkipped,    // something that it depends on has failed
    kCancelled,  // before its end, or before its beginning
};

std::string_view ToString(RunState state);

// Of an assertion: the rows that should not be.
struct FailingRows {
    std::uint64_t count = 0;
    // At most kSampleRows of them; NULL is nullopt.
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> sample;
};
inline constexpr std::size_t kSampleRows = 10;

struct ActionResult {
    TableName target;
    ActionType type = ActionType::kTable;
    RunState state = RunState::kOk;
    Micros started_at = 0;  // 0: it was never begun
    double seconds = 0;
    std::optional<std::uint64_t> rows;  // the table's, after the build; views have none
    // Of the table's values (table_size.h).
    std::optional<std::uint64_t> bytes = {};
    std::optional<Error> error;      // of kFailed and kWarned; of kSkipped, what kept it
    std::vector<std::string> notes;  // of what went well, what a person should know
    Severity severity = Severity::kError;
    FailingRows failing;
    std::optional<Micros> due_again;  // when time alone makes it due: another interval has passed
};

struct RunResult {
    std::string run_id;
    std::vector<ActionResult> actions;  // in topological order

    bool ok() const;  // warnings are no failures
    const ActionResult* Find(const TableName& target) const;
};

}  // namespace biwa::transform
