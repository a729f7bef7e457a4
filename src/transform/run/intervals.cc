#include "transform/run/intervals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/text.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

constexpr std::string_view kIntervals = "_biwa.intervals";

Micros MicrosOf(std::chrono::milliseconds duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

std::vector<TimeRange> MergeRanges(std::vector<TimeRange> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const auto& a, const auto& b) { return a.begin < b.begin; });
    std::vector<TimeRange> merged;
    for (const auto& range : ranges) {
        if (range.begin >= range.end) continue;
        if (!merged.empty() && range.begin <= merged.back().end) {
            merged.back().end = std::max(merged.back().end, range.end);
        } else {
            merged.push_back(range);
        }
    }
    return merged;
}

std::vector<TimeRange> DueRanges(const Intervals& intervals, Micros from,
                                 std::vector<TimeRange> done, Micros now) {
    const auto every = MicrosOf(intervals.every);
    std::vector<TimeRange> due;
    if (now < from + every) return due;
    const auto end = from + (now - from) / every * every;
    // The lookback in whole intervals, so that what is replaced is what is filled again.
    const auto lookback = (MicrosOf(intervals.lookback) + every - 1) / every * every;
    auto at = from;
    for (const auto& range : MergeRanges(std::move(done))) {
        if (range.begin > at) due.push_back({at, std::min(range.begin, end)});
        at = std::max(at, range.end);
    }
    due.push_back({at, end});
    due.push_back({std::max(from, end - lookback), end});

    std::vector<TimeRange> batches;
    const auto batch = MicrosOf(intervals.batch) / every * every;
    for (const auto& range : MergeRanges(std::move(due))) {
        if (batch == 0) {
            batches.push_back(range);
            continue;
        }
        for (auto begin = range.begin; begin < range.end; begin += batch)
            batches.push_back({begin, std::min(begin + batch, range.end)});
    }
    return batches;
}

Micros NextEnd(const Intervals& intervals, Micros from, Micros now) {
    const auto every = MicrosOf(intervals.every);
    return now < from ? from + every : from + ((now - from) / every + 1) * every;
}

Status PrepareIntervals(WriteTransaction& transaction) {
    return transaction.Execute(
        fmt::format("CREATE TABLE IF NOT EXISTS {} (model VARCHAR NOT NULL, begins TIMESTAMPTZ NOT "
                    "NULL, ends TIMESTAMPTZ NOT NULL, by_column VARCHAR)",
                    kIntervals));
}

Result<bool> MendIntervals(WriteTransaction& transaction) {
    return AddMissingColumn(transaction, {"_biwa", "intervals"}, {"by_column", "VARCHAR"});
}

Result<RecordedIntervals> ReadIntervals(WriteTransaction& transaction, const std::string& model) {
    const auto stream = BIWA_TRY(transaction.Query(fmt::format(
        "SELECT epoch_us(begins)::VARCHAR, epoch_us(ends)::VARCHAR, by_column FROM {} WHERE model "
        "= {} ORDER BY begins",
        kIntervals, QuoteLiteral(model))));
    RecordedIntervals recorded;
    for (const auto& row : BIWA_TRY(ReadTexts(*stream))) {
        recorded.ranges.push_back({std::stoll(*row[0]), std::stoll(*row[1])});
        recorded.column = row[2].value_or("");
    }
    return recorded;
}

Result<bool> ForgetIntervals(WriteTransaction& transaction, const CompiledGraph& graph) {
    const auto stream =
        BIWA_TRY(transaction.Query(fmt::format("SELECT DISTINCT model FROM {}", kIntervals)));
    std::set<std::string> recorded;
    for (const auto& row : BIWA_TRY(ReadTexts(*stream))) recorded.insert(*row[0]);
    bool changed = false;
    for (const auto& action : graph.actions) {
        const auto model = action.target.ToString();
        if (action.intervals || !recorded.contains(model)) continue;
        changed = true;
        BIWA_TRY(WriteIntervals(transaction, model, {}));
    }
    return changed;
}

Status WriteIntervals(WriteTransaction& transaction, const std::string& model,
                      const RecordedIntervals& intervals) {
    BIWA_TRY(transaction.Execute(
        fmt::format("DELETE FROM {} WHERE model = {}", kIntervals, QuoteLiteral(model))));
    for (const auto& range : intervals.ranges) {
        BIWA_TRY(transaction.Execute(fmt::format(
            "INSERT INTO {} VALUES ({}, make_timestamptz({}), make_timestamptz({}), {})",
            kIntervals, QuoteLiteral(model), range.begin, range.end,
            QuoteLiteral(intervals.column))));
    }
    return {};
}

namespace {

Result<Micros> ReadMicros(WriteTransaction& transaction, const std::string& timestamp) {
    const auto stream =
        BIWA_TRY(transaction.Query(fmt::format("SELECT epoch_us({})::VARCHAR", timestamp)));
    const auto rows = BIWA_TRY(ReadTexts(*stream));
    const auto& text = rows.at(0).at(0);
    if (!text) return UserError("is no moment");
    return static_cast<Micros>(std::stoll(*text));
}

// "2026-01-01 09:00+09", "…T09:00:00Z", "… 09:00 Asia/Tokyo"
bool NamesZone(const std::string& text) {
    const auto time = text.find_first_of("T ");
    return time != std::string::npos &&
           std::any_of(
               text.begin() + static_cast<std::ptrdiff_t>(time) + 1, text.end(), [](char c) {
                   return c == '+' || c == '-' || std::isalpha(static_cast<unsigned char>(c)) != 0;
               });
}

}  // namespace

Result<Micros> ReadInstant(WriteTransaction& transaction, const std::string& text,
                           bool as_wall_clock) {
    const auto literal = QuoteLiteral(text);
    if (as_wall_clock) {
        return ReadMicros(transaction,
                          fmt::format("CAST(CAST({} AS TIMESTAMPTZ) AS TIMESTAMP)", literal));
    }
    // As a plain timestamp the engine would pass over the zone.
    return ReadMicros(transaction, fmt::format("CAST({} AS {})", literal,
                                               NamesZone(text) ? "TIMESTAMPTZ" : "TIMESTAMP"));
}

Result<Micros> ReadWallClock(WriteTransaction& transaction, Micros at) {
    return ReadMicros(transaction, fmt::format("CAST(make_timestamptz({}) AS TIMESTAMP)", at));
}

}  // namespace biwa::transform
