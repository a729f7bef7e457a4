// One build of one model, in a transaction that somebody else begins and commits (builder.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transform/run/applied.h"
#include "transform/run/builder.h"
#include "transform/run/intervals.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

tl::unexpected<Error> Cancelled();

// What it is given outlives it. Used once, for one of Run, RunRange, RunNoRange and what only asks.
class ModelBuild {
  public:
    ModelBuild(const BuildContext& context, const Action& action, WriteTransaction& transaction,
               const Cancellation& cancellation)
        : context_(context),
          action_(action),
          transaction_(transaction),
          cancellation_(cancellation),
          target_(action.target.ToSql()),
          model_(action.target.ToString()),
          started_at_(context.clock.Now()) {}

    Status Run();

    // What is to be done of a model with intervals.
    struct RangePlan {
        bool from_nothing = false;
        bool is_of_days = false;  // the column is a date
        std::vector<TimeRange> done;
        std::vector<TimeRange> due;
        Micros due_again = 0;
    };
    Result<RangePlan> PlanRanges();

    // What rows of a model with intervals meet that is built from nothing.
    Result<std::string> ConditionFromNothing();

    // Fills one range. `done`: those before it, which are recorded with it.
    Status RunRange(const TimeRange& range, bool from_nothing, std::vector<TimeRange>& done,
                    bool is_last);

    Status RunNoRange();

    // What is to be recorded with its commit. Nothing: its last range is still to come.
    const std::optional<AppliedBuild>& applied() const { return applied_; }
    BuildOutcome TakeOutcome() { return std::move(outcome_); }

  private:
    Status After(const BuildSql& build);

    Status Finish(std::string kind);

    // `head` ends with a line end, or is empty: the model's SQL begins a line of its own.
    Status Execute(const std::string& head, const SqlText& sql, const std::string& tail = {});

    // CREATE TABLE … AS gives the number of its rows as a result.
    Result<std::uint64_t> CreateTable(const std::string& head, const SqlText& sql,
                                      const std::string& tail);

    tl::unexpected<Error> InModel(Error error, const std::string& head, const SqlText& sql) const;

    // What is not the model's own SQL, but made of its config.
    Status ExecuteFor(std::string_view doing, const std::string& sql);

    enum class Existing { kNothing, kTable, kView };
    Result<Existing> FindExisting();

    Result<bool> IsOntoWhatIsThere();

    Status Record(const SqlText& query, bool onto_what_is_there);

    // The new table is filled beside the old one, which readers see until the commit.
    Status Replace();

    // Adds the rows of the incremental query, as its strategy says.
    Status Extend();

    // What was filled by one column is not filled by another.
    Status CheckColumnIsTheSame(const RecordedIntervals& recorded) const;

    // Around the query, where only some of its rows are meant.
    std::string RowsHead() const { return condition_.empty() ? "" : " SELECT * FROM ("; }
    std::string RowsTail() const;

    Result<TableColumn> RangeColumn();

    struct Bounds {
        Micros from = 0;
        Micros now = 0;
    };
    // As the column counts time.
    Result<Bounds> ReadBounds(const TableColumn& column);

    // Compared as the column's own type, so that the engine can leave out what it need not read.
    Result<std::string> ConditionOf(const TimeRange& range);

    // Of the partitions that the new rows hold, and of no others.
    Status EmptyPartitions();

    // The conditions speak of the rows that are there as T and of the new ones as S, as they do in
    // Dataform's MERGE.
    Status EmptyKeys();

    Status CheckPromises();

    static constexpr std::string_view kNewRows = "temp.biwa_new_rows";
    static constexpr Micros kDay = Micros{86'400} * 1'000'000;

    const BuildContext& context_;
    const Action& action_;
    WriteTransaction& transaction_;
    const Cancellation& cancellation_;
    const std::string target_;
    const std::string model_;
    const Micros started_at_;
    std::string condition_;  // that the rows of the build meet; empty: none
    BuildOutcome outcome_;
    std::optional<AppliedBuild> applied_;
};

}  // namespace biwa::transform
