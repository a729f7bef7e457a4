// Incremental models by time range (`intervals` in a config): which stretches of time are still to
// be filled, and the record of those that are, `_biwa.intervals`, which is written with the rows.
//
// Of a column of timestamps they are stretches of real time. Of a column of dates they are days of
// the calendar, written as those days in UTC: a date is filled when it has passed in the
// warehouse's time zone, where days have 23 and 25 hours, too.
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

// When the interval that is under way at `now` will have passed; the first, before `from`.
Micros NextEnd(const Intervals& intervals, Micros from, Micros now);

// Makes the table.
Status PrepareIntervals(WriteTransaction& transaction);
// One that an older version has made gets what it lacks; whether there was something.
Result<bool> MendIntervals(WriteTransaction& transaction);

struct RecordedIntervals {
    std::string column;  // by which the ranges are; empty: an older version did not record it
    std::vector<TimeRange> ranges;
};
Result<RecordedIntervals> ReadIntervals(WriteTransaction& transaction, const std::string& model);
// Of models that are built in another way by now: what was filled then is not what is there.
// Whether there was something to forget.
Result<bool> ForgetIntervals(WriteTransaction& transaction, const CompiledGraph& graph);
// In place of what was recorded for the model.
Status WriteIntervals(WriteTransaction& transaction, const std::string& model,
                      const RecordedIntervals& intervals);

// As the engine reads it: a date or a time, in UTC where it does not say. `as_wall_clock`: what
// clocks in the warehouse's time zone show then, and in that zone where it does not say.
Result<Micros> ReadInstant(WriteTransaction& transaction, const std::string& text,
                           bool as_wall_clock);
// What clocks in the warehouse's time zone show at the instant, counted as if they showed UTC.
Result<Micros> ReadWallClock(WriteTransaction& transaction, Micros at);

}  // namespace biwa::transform
