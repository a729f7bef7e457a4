#include "transform/run/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "transform/run/applied.h"
#include "transform/run/engine_error.h"
#include "transform/run/intervals.h"
#include "transform/run/model_build.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

Status PrepareDatasets(Warehouse& warehouse, const CompiledGraph& graph) {
    std::set<std::string> wanted{"_biwa"};
    for (const auto& action : graph.actions) {
        if (action.MakesTable() && !action.disabled) wanted.insert(action.target.dataset);
    }
    auto transaction = BIWA_TRY(warehouse.BeginBeside());
    bool changed = false;
    for (const auto& dataset : wanted) {
        // Even CREATE … IF NOT EXISTS conflicts with another that runs, so it is said only when
        // there is need.
        const auto there = BIWA_TRY(ReadCount(
            *transaction, fmt::format("SELECT count(*) FROM duckdb_schemas() WHERE database_name = "
                                      "current_database() AND lower(schema_name) = lower({})",
                                      QuoteLiteral(dataset))));
        if (there > 0) continue;
        changed = true;
        BIWA_TRY(transaction->Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(dataset)));
    }
    const auto is_there = [&](std::string_view table) -> Result<bool> {
        return BIWA_TRY(ReadCount(
                   *transaction,
                   fmt::format("SELECT count(*) FROM duckdb_tables() WHERE database_name = "
                               "current_database() AND schema_name = '_biwa' AND table_name = '{}'",
                               table))) > 0;
    };
    if (!BIWA_TRY(is_there("applied"))) {
        changed = true;
        BIWA_TRY(PrepareApplied(*transaction));
    } else {
        changed = BIWA_TRY(MendApplied(*transaction)) || changed;
    }
    const bool has_intervals =
        std::any_of(graph.actions.begin(), graph.actions.end(),
                    [](const auto& action) { return action.intervals.has_value(); });
    if (BIWA_TRY(is_there("intervals"))) {
        changed = BIWA_TRY(MendIntervals(*transaction)) || changed;
        changed = BIWA_TRY(ForgetIntervals(*transaction, graph)) || changed;
    } else if (has_intervals) {
        changed = true;
        BIWA_TRY(PrepareIntervals(*transaction));
    }
    if (changed) BIWA_TRY(transaction->Commit());
    return {};
}

namespace {

// The action has statements of its own beside a query: they may leave temporary tables, variables
// and settings on their connection.
bool HasStatements(const Action& action) {
    if (action.type == ActionType::kOperations) return true;
    return !action.full.pre_operations.empty() || !action.full.post_operations.empty() ||
           !action.incremental.pre_operations.empty() ||
           !action.incremental.post_operations.empty();
}

// A transaction in which models are built.
class Building {
  public:
    // `until`: from then on its statements are interrupted.
    Building(std::unique_ptr<WriteTransaction> transaction, Cancellation& cancellation,
             Cancellation::Time until = Cancellation::kNever)
        : transaction_(std::move(transaction)), cancellation_(cancellation) {
        guard_.emplace(
            cancellation, [this] { transaction_->Interrupt(); }, until);
    }

    WriteTransaction& transaction() { return *transaction_; }

    Status Commit(const std::vector<AppliedBuild>& builds) {
        if (!builds.empty()) BIWA_TRY(RecordApplied(*transaction_, builds));
        // An interrupt that comes late would make a commit that is done look like one that is not.
        guard_.reset();
        if (cancellation_.requested()) return Cancelled();
        return transaction_->Commit();
    }

  private:
    const std::unique_ptr<WriteTransaction> transaction_;
    const Cancellation& cancellation_;
    std::optional<Cancellation::Guard> guard_;
};

// What an author's statements leave behind on the connection must not meet those of the next build.
Result<std::unique_ptr<WriteTransaction>> BeginFor(const BuildContext& context, Workbench& bench,
                                                   const Action& action) {
    return HasStatements(action) ? context.warehouse.BeginBeside() : bench.Begin();
}

// Builds in a transaction of its own: `build` is what to do with the ModelBuild.
template <typename Function>
Result<BuildOutcome> BuildAlone(const BuildContext& context, Workbench& bench, const Action& action,
                                Cancellation& cancellation, const Function& build) {
    Building building(BIWA_TRY(BeginFor(context, bench, action)), cancellation);
    ModelBuild one(context, action, building.transaction(), cancellation);
    BIWA_TRY(build(one));
    std::vector<AppliedBuild> applied;
    if (one.applied()) applied.push_back(*one.applied());
    BIWA_TRY(building.Commit(applied));
    return one.TakeOutcome();
}

// Range by range, each committed with its record: what is filled stays filled, however the run
// ends.
Result<BuildOutcome> BuildRanges(const BuildContext& context, Workbench& bench,
                                 const Action& action, Cancellation& cancellation) {
    const auto run = [&](const auto& build) {
        return BuildAlone(context, bench, action, cancellation, build);
    };
    auto plan = [&]() -> Result<ModelBuild::RangePlan> {
        Building building(BIWA_TRY(BeginFor(context, bench, action)), cancellation);
        return ModelBuild(context, action, building.transaction(), cancellation).PlanRanges();
    }();
    if (!plan) return tl::unexpected(std::move(plan).error());
    if (plan->due.empty()) {
        auto nothing = BIWA_TRY(run([](ModelBuild& build) { return build.RunNoRange(); }));
        nothing.due_again = plan->due_again;
        return nothing;
    }
    BuildOutcome outcome;
    outcome.due_again = plan->due_again;
    for (std::size_t i = 0; i < plan->due.size(); ++i) {
        auto part = BIWA_TRY(run([&](ModelBuild& build) {
            return build.RunRange(plan->due[i], plan->from_nothing && i == 0, plan->done,
                                  i + 1 == plan->due.size());
        }));
        outcome.rows = part.rows;
        outcome.bytes = part.bytes;
        outcome.notes.insert(outcome.notes.end(), part.notes.begin(), part.notes.end());
    }
    const auto text = [&](Micros at) {
        const auto iso = ToIso8601(at);
        return plan->is_of_days ? iso.substr(0, iso.find('T')) : iso;
    };
    outcome.notes.push_back(fmt::format("filled from {} to {}", text(plan->due.front().begin),
                                        text(plan->due.back().end)));
    return outcome;
}

}  // namespace

Result<BuildOutcome> Build(const BuildContext& context, Workbench& bench, const Action& action,
                           Cancellation& cancellation) {
    if (action.intervals) return BuildRanges(context, bench, action, cancellation);
    return BuildAlone(context, bench, action, cancellation,
                      [](ModelBuild& build) { return build.Run(); });
}

bool CanBeBuiltTogether(const Action& action) {
    return (action.type == ActionType::kTable || action.type == ActionType::kView) &&
           !HasStatements(action);
}

Result<std::vector<BuildOutcome>> BuildTogether(const BuildContext& context, Workbench& bench,
                                                const std::vector<const Action*>& actions,
                                                std::chrono::milliseconds time_max,
                                                Cancellation& cancellation) {
    using std::chrono::steady_clock;
    Building building(BIWA_TRY(bench.Begin()), cancellation, steady_clock::now() + time_max);
    std::vector<BuildOutcome> outcomes;
    std::vector<AppliedBuild> applied;
    for (const auto* action : actions) {
        const auto began = steady_clock::now();
        ModelBuild one(context, *action, building.transaction(), cancellation);
        BIWA_TRY(one.Run());
        applied.push_back(*one.applied());
        outcomes.push_back(one.TakeOutcome());
        const std::chrono::duration<double> took = steady_clock::now() - began;
        outcomes.back().seconds = took.count();
    }
    BIWA_TRY(building.Commit(applied));
    return outcomes;
}

Result<std::string> ConditionFromNothing(const BuildContext& context, WriteTransaction& transaction,
                                         const Action& action, Cancellation& cancellation) {
    return ModelBuild(context, action, transaction, cancellation).ConditionFromNothing();
}

Result<FailingRows> Check(Warehouse& warehouse, const Action& action, Cancellation& cancellation) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const Cancellation::Guard guard(cancellation, [&] { session->Interrupt(); });
    const auto& query = action.full.query;
    const auto locate = [&](Error error) {
        return tl::unexpected(InFile(std::move(error), action, query, 1));
    };
    FailingRows failing;
    // The line ends keep a comment at the query's end to itself.
    auto count = ReadCount(*session, fmt::format("SELECT count(*) FROM (\n{}\n)", query.sql));
    if (!count) return locate(std::move(count).error());
    failing.count = *count;
    if (failing.count == 0) return failing;
    auto sample = session->Query(fmt::format(
        "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n{}\n) LIMIT {}", query.sql, kSampleRows));
    if (!sample) return locate(std::move(sample).error());
    for (const auto& column : (*sample)->columns()) failing.columns.push_back(column.name);
    failing.sample = BIWA_TRY(ReadTexts(**sample));
    return failing;
}

}  // namespace biwa::transform
