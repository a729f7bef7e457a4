#include "workflow/refresh_schedule.h"

#include <algorithm>

namespace biwa::workflow {

using transform::ActionType;
using transform::RunState;

RefreshSchedule::RefreshSchedule(const transform::CompiledGraph& graph,
                                 std::chrono::milliseconds default_refresh) {
    // Of each action: the tables that a read of it reaches, which for a view are its own inputs'.
    std::map<TableName, std::set<TableName>> sources;
    for (const auto& action : graph.actions) {
        const auto place = models_.size();
        places_[action.target] = place;
        auto& model = models_.emplace_back();
        model.action = &action;
        model.is_run =
            !action.disabled && (action.type != ActionType::kOperations || action.has_output);
        model.dirty = model.is_run;
        model.refresh = action.refresh.value_or(default_refresh);

        std::set<TableName> read;
        for (const auto& dependency : action.dependencies) {
            const auto found = places_.find(dependency);
            if (found == places_.end()) {
                model.tables.push_back(dependency);
                read.insert(dependency);
                continue;
            }
            model.dependencies.push_back(found->second);
            const auto& through = sources[dependency];
            read.insert(through.begin(), through.end());
        }
        for (const auto& source : read) readers_[source].insert(place);
        const bool passes_on = action.type == ActionType::kView || !model.is_run;
        sources[action.target] = passes_on ? read : std::set<TableName>{action.target};
        // An assertion is waited for, not read.
        if (action.type == ActionType::kAssertion) sources[action.target].clear();
        // A view that has just been made can be read for the first time.
        if (action.type == ActionType::kView) sources[action.target].insert(action.target);
    }
}

bool RefreshSchedule::IsView(const Model& model) const {
    return model.action->type == ActionType::kView;
}

void RefreshSchedule::AddTables(const std::vector<TableName>& tables) {
    tables_.insert(tables.begin(), tables.end());
}

void RefreshSchedule::OnChanged(const std::vector<TableName>& tables, Micros now) {
    AddTables(tables);
    for (const auto& table : tables) Wake(table, now);
}

void RefreshSchedule::Wake(const TableName& source, Micros now) {
    const auto readers = readers_.find(source);
    if (readers == readers_.end()) return;
    for (const auto place : readers->second) {
        auto& model = models_[place];
        if (!model.is_run) continue;
        // A view that stands shows the change already.
        if (IsView(model) && model.outcome == Outcome::kOk) continue;
        model.dirty = true;
        if (!model.stale_since) model.stale_since = now;
    }
}

void RefreshSchedule::OnStarted(const TableName& target, Micros now) {
    const auto place = places_.find(target);
    if (place == places_.end()) return;
    auto& model = models_[place->second];
    model.dirty = false;
    model.due_again.reset();
    model.started_at = now;
    model.building_since = std::exchange(model.stale_since, std::nullopt);
}

void RefreshSchedule::OnFinished(const transform::ActionResult& result, Micros now) {
    const auto place = places_.find(result.target);
    if (place == places_.end()) return;
    auto& model = models_[place->second];
    const auto building_since = std::exchange(model.building_since, std::nullopt);
    // A build that takes longer than the interval must leave time for others.
    const auto refresh = std::chrono::duration_cast<std::chrono::microseconds>(model.refresh);
    model.next_start = std::max(model.started_at + refresh.count(), now + (now - model.started_at));
    switch (result.state) {
        case RunState::kPlanned:
            break;
        case RunState::kOk:
        case RunState::kWarned:
            model.outcome = Outcome::kOk;
            model.was_built = true;
            model.due_again = result.due_again;
            Wake(result.target, now);
            return;
        case RunState::kFailed:
            model.outcome = Outcome::kFailed;
            if (result.error && result.error->kind != ErrorKind::kUser) model.dirty = true;
            break;
        case RunState::kSkipped:
            model.outcome = Outcome::kSkipped;
            model.dirty = model.is_run;
            model.next_start = now;
            break;
        case RunState::kCancelled:
            model.dirty = model.is_run;
            break;
    }
    if (building_since) model.stale_since = building_since;
}

bool RefreshSchedule::HasTables(const Model& model) const {
    return std::all_of(model.tables.begin(), model.tables.end(),
                       [&](const TableName& table) { return tables_.contains(table); });
}

bool RefreshSchedule::IsBlocked(const Model& model, const std::vector<bool>& assume) const {
    if (!HasTables(model)) return true;
    return std::any_of(model.dependencies.begin(), model.dependencies.end(), [&](std::size_t at) {
        const auto& dependency = models_[at];
        if (!dependency.is_run || assume[at]) return false;
        const bool is_unchecked =
            dependency.action->type == ActionType::kAssertion && dependency.dirty;
        return dependency.outcome != Outcome::kOk || is_unchecked;
    });
}

std::set<TableName> RefreshSchedule::Due(Micros now) const {
    std::set<TableName> due;
    std::vector<bool> is_due(models_.size());
    for (std::size_t i = 0; i < models_.size(); ++i) {
        const auto& model = models_[i];
        const bool is_wanted = model.dirty || (model.due_again && *model.due_again <= now);
        if (!is_wanted || model.next_start > now || IsBlocked(model, is_due)) continue;
        is_due[i] = true;
        due.insert(model.action->target);
    }
    return due;
}

std::optional<Micros> RefreshSchedule::NextDue(Micros now) const {
    std::optional<Micros> next;
    std::vector<bool> will_be(models_.size());
    for (std::size_t i = 0; i < models_.size(); ++i) {
        const auto& model = models_[i];
        if ((!model.dirty && !model.due_again) || IsBlocked(model, will_be)) continue;
        will_be[i] = model.dirty;
        const auto at = std::max({model.next_start, now, model.dirty ? now : *model.due_again});
        if (!next || at < *next) next = at;
    }
    return next;
}

bool RefreshSchedule::WaitsForTables() const {
    return std::any_of(models_.begin(), models_.end(),
                       [&](const Model& model) { return model.dirty && !HasTables(model); });
}

std::vector<std::optional<Micros>> RefreshSchedule::FreshAsOf(Micros now) const {
    std::vector<std::optional<Micros>> fresh;
    for (const auto& model : models_) {
        std::optional<Micros> time;
        if (model.was_built || !model.is_run) {
            time = model.building_since ? model.building_since : model.stale_since;
            if (!time) time = now;
            for (const auto dependency : model.dependencies) {
                if (models_[dependency].action->type == ActionType::kAssertion) continue;
                if (fresh[dependency]) time = std::min(*time, *fresh[dependency]);
            }
        }
        fresh.push_back(time);
    }
    return fresh;
}

std::chrono::milliseconds RefreshSchedule::refresh(const TableName& target) const {
    return models_.at(places_.at(target)).refresh;
}

}  // namespace biwa::workflow
