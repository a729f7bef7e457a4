#include "instance/freshness.h"

#include <algorithm>
#include <set>

namespace biwa {

namespace {

using State = ModelFreshness::State;

// Until when a table of a stream shows what was committed at its source; 0: it is not known.
Micros AsOf(const StreamStatus& stream, const std::string& table, Micros now) {
    for (const auto& one : stream.tables) {
        if (one.name == table && one.state != StreamStatus::TableState::kLive)
            return one.last_change_at;
    }
    const bool follows = stream.state == StreamStatus::State::kStreaming ||
                         stream.state == StreamStatus::State::kCatchingUp;
    return follows ? now - static_cast<Micros>(stream.lag_seconds * 1e6) : stream.commit_time;
}

// Of each action: the tables from elsewhere that it reads, over any number of steps.
std::map<TableName, std::set<TableName>> SourceTables(const transform::CompiledGraph& graph) {
    std::map<TableName, std::set<TableName>> sources;
    for (const auto& action : graph.actions) {
        std::set<TableName> read;
        for (const auto& needed : action.dependencies) {
            const auto found = sources.find(needed);
            if (found == sources.end()) {
                read.insert(needed);
            } else {
                read.insert(found->second.begin(), found->second.end());
            }
        }
        sources[action.target] = std::move(read);
    }
    return sources;
}

State Judge(const transform::Freshness& promise, Micros age) {
    const auto exceeds = [&](const std::optional<std::chrono::milliseconds>& limit) {
        return limit && age > std::chrono::microseconds(*limit).count();
    };
    return exceeds(promise.error)  ? State::kError
           : exceeds(promise.warn) ? State::kWarn
                                   : State::kFresh;
}

}  // namespace

std::string_view ToString(ModelFreshness::State state) {
    switch (state) {
        case State::kFresh:
            return "fresh";
        case State::kWarn:
            return "warn";
        case State::kError:
            return "error";
        case State::kUnknown:
            return "unknown";
    }
    return "";
}

std::map<TableName, ModelFreshness> JudgeFreshness(
    const transform::CompiledGraph& graph, const std::vector<workflow::ModelStatus>& models,
    const std::vector<StreamStatus>& streams, const std::map<std::string, std::string>& datasets,
    Micros now) {
    const auto sources = SourceTables(graph);
    std::map<TableName, ModelFreshness> judged;
    for (const auto& model : models) {
        if (!model.freshness.warn && !model.freshness.error) continue;
        auto& freshness = judged[model.name];
        const auto read = sources.find(model.name);
        if (!model.fresh_as_of || read == sources.end()) continue;
        auto as_of = *model.fresh_as_of;
        for (const auto& stream : streams) {
            const auto dataset = datasets.find(stream.name);
            for (const auto& table : read->second) {
                if (dataset == datasets.end() || table.dataset != dataset->second) continue;
                as_of = std::min(as_of, AsOf(stream, table.name, now));
            }
        }
        if (as_of <= 0) continue;
        freshness.as_of = as_of;
        const auto age = std::max<Micros>(0, now - as_of);
        freshness.age_seconds = static_cast<double>(age) / 1e6;
        freshness.state = Judge(model.freshness, age);
    }
    return judged;
}

}  // namespace biwa
