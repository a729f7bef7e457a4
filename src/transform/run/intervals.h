// Incremental models by time range (`intervals` in a config): which stretches of time are still to
// be filled, and the record of those that are, `_biwa.intervals`, which is written with the rows.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transform/compile/graph.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// From begin to before end.
struct TimeRange {
    Micros begin = 0;
    Micros end = 0;

    bool operator==(const TimeRange&) const = default;
};

// Sorted, those that touch made one.
std::vector<TimeRange> MergeRanges(std::vector<TimeRange> ranges);

// What a run at `now` has to fill, the oldest first: what of the time since `from` is not `done`,
// and the last `lookback` again, for rows that came late. Only whole intervals that have passed.
// None is longer than a batch, if the model says how long that is.
std::vector<TimeRange> DueRanges(const Intervals& intervals, Micros from,
                                 std::vector<TimeRange> done, Micros now);

// Makes the table where it is missing.
Status PrepareIntervals(WriteTransaction& transaction);
Result<std::vector<TimeRange>> ReadIntervals(WriteTransaction& transaction,
                                             const std::string& model);
// In place of what was recorded for the model.
Status WriteIntervals(WriteTransaction& transaction, const std::string& model,
                      const std::vector<TimeRange>& ranges);

// As the engine reads it: a date or a time, in UTC where it does not say.
Result<Micros> ReadInstant(WriteTransaction& transaction, const std::string& text);

}  // namespace biwa::transform
