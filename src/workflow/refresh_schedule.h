// Decides which models are to be built now. Pure: it is told what happens and what time it is.
//
// A change wakes what reads the table, through views, which show it by themselves; a model that was
// built wakes what reads it in turn. So each model is built at most every its own interval, from
// inputs as fresh as theirs allow. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "project/project.h"
#include "transform/compile/graph.h"
#include "transform/run/result.h"

namespace biwa::workflow {

class RefreshSchedule {
  public:
    // The graph must outlive it. Everything is to be built once, as soon as what it reads is there:
    // views too. Operations without output are never run here.
    RefreshSchedule(const transform::CompiledGraph& graph,
                    std::chrono::milliseconds default_refresh);

    // These tables from elsewhere are there.
    void AddTables(const std::vector<TableName>& tables);
    // Rows of these tables have changed; they are there, then.
    void OnChanged(const std::vector<TableName>& tables, Micros now);
    void OnStarted(const TableName& target, Micros now);
    // A failure that is not the user's is due again after the interval; any other waits for a
    // change.
    void OnFinished(const transform::ActionResult& result, Micros now);

    // What to build now, all in one run.
    std::set<TableName> Due(Micros now) const;
    // When something is due for no other reason than time; none when all waits for a change.
    std::optional<Micros> NextDue(Micros now) const;
    // Something waits for a table that is not there yet.
    bool WaitsForTables() const;

    // All that was in the source tables of the warehouse at that instant shows in the target; none
    // before its first build. In the order of the graph's actions.
    std::vector<std::optional<Micros>> FreshAsOf(Micros now) const;

    std::chrono::milliseconds refresh(const TableName& target) const;

  private:
    enum class Outcome { kNever, kOk, kFailed, kSkipped };
    struct Model {
        const transform::Action* action = nullptr;
        bool is_run = true;                     // by the schedule
        std::vector<std::size_t> dependencies;  // actions that it depends on directly
        std::vector<TableName> tables;          // from elsewhere, that it depends on directly
        std::chrono::milliseconds refresh{0};
        bool dirty = false;
        std::optional<Micros> due_again;  // although nothing changes
        Outcome outcome = Outcome::kNever;
        bool was_built = false;
        Micros next_start = 0;  // not before
        Micros started_at = 0;
        std::optional<Micros> stale_since;     // the first change that it does not show
        std::optional<Micros> building_since;  // the same, of what the running build takes in
    };

    bool IsView(const Model& model) const;
    void Wake(const TableName& source, Micros now);
    bool HasTables(const Model& model) const;
    // `assume`: of each model, whether it is part of the run in question.
    bool IsBlocked(const Model& model, const std::vector<bool>& assume) const;

    std::vector<Model> models_;  // as the graph's actions
    std::map<TableName, std::size_t> places_;
    // Table or action -> what reads it, views passed through.
    std::map<TableName, std::set<std::size_t>> readers_;
    std::set<TableName> tables_;
};

}  // namespace biwa::workflow
