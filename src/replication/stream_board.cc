#include "replication/stream_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace biwa {

namespace {

StreamStatus::TableState Shown(TablePhase phase) {
    switch (phase) {
        case TablePhase::kCopying:
            return StreamStatus::TableState::kCopying;
        case TablePhase::kLive:
            return StreamStatus::TableState::kLive;
        case TablePhase::kWaiting:
            return StreamStatus::TableState::kWaiting;
        case TablePhase::kPaused:
            return StreamStatus::TableState::kPaused;
        case TablePhase::kGone:
            return StreamStatus::TableState::kGone;
    }
    return StreamStatus::TableState::kWaiting;
}

}  // namespace

StreamBoard::StreamBoard(std::string stream, TargetDataset dataset, std::uint64_t queue_bytes_max)
    : dataset_(std::move(dataset)) {
    status_.name = std::move(stream);
    status_.queue_bytes_max = queue_bytes_max;
}

StreamStatus StreamBoard::status() const {
    std::lock_guard lock(mutex_);
    return status_;
}

StreamStatus::State StreamBoard::state() const {
    std::lock_guard lock(mutex_);
    return status_.state;
}

bool StreamBoard::IsLive(const std::string& source_name) const {
    std::lock_guard lock(mutex_);
    return std::any_of(status_.tables.begin(), status_.tables.end(), [&](const auto& table) {
        return table.source == source_name && table.state == StreamStatus::TableState::kLive;
    });
}

std::set<std::string> StreamBoard::Kept() const {
    std::lock_guard lock(mutex_);
    std::set<std::string> names;
    for (const auto& table : status_.tables) {
        if (table.state == StreamStatus::TableState::kGone ||
            table.state == StreamStatus::TableState::kRefused) {
            continue;
        }
        names.insert(table.source);
    }
    return names;
}

Result<std::vector<std::string>> StreamBoard::SourceNames(
    const std::vector<std::string>& tables) const {
    std::vector<std::string> found;
    std::lock_guard lock(mutex_);
    for (const auto& name : tables) {
        std::vector<std::string> names;
        const auto before = found.size();
        for (const auto& table : status_.tables) {
            names.push_back(table.name);
            if (name == table.name || name == dataset_.name + "." + table.name ||
                name == table.source) {
                found.push_back(table.source);
            }
        }
        if (found.size() > before) continue;
        const auto meant = DidYouMean(name, names);
        return UserError(fmt::format("stream {} has no table \"{}\"", status_.name, name),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    return found;
}

void StreamBoard::ShowState(StreamStatus::State state) {
    std::lock_guard lock(mutex_);
    status_.state = state;
    status_.error.reset();
}

void StreamBoard::ShowError(StreamStatus::State state, Error error) {
    std::lock_guard lock(mutex_);
    status_.state = state;
    ++status_.errors.at(static_cast<std::size_t>(error.kind));
    status_.error = std::move(error);
}

void StreamBoard::ShowPosition(const Position& position) {
    std::lock_guard lock(mutex_);
    status_.position = position.text;
}

void StreamBoard::ShowCommit(const Applier::Applied& applied) {
    std::lock_guard lock(mutex_);
    status_.position = applied.position.text;
    if (applied.commit_time != 0) status_.commit_time = applied.commit_time;
    // One without changes only moves the position of an idle stream.
    if (applied.changes > 0) status_.commits.Add(applied.changes, applied.bytes, applied.seconds);
    for (const auto& target : applied.tables) {
        for (auto& table : status_.tables) {
            if (table.name == target.name) table.last_change_at = applied.commit_time;
        }
    }
}

void StreamBoard::ShowTables(const std::vector<SourceTable>& found,
                             const std::vector<StreamState::Table>& known) {
    std::vector<StreamStatus::Table> shown;
    const auto add = [&](const std::string& schema, const std::string& name) -> auto& {
        auto& show = shown.emplace_back();
        show.name = TargetTable(dataset_, schema, name).name;
        show.source = schema + "." + name;
        return show;
    };
    for (const auto& table : found) {
        auto& show = add(table.schema, table.name);
        show.rows_estimate = table.rows_estimate;
        show.notes = table.notes;
        show.masks = table.masks;
        for (const auto& column : table.columns.columns) {
            if (!column.note.empty()) show.notes.push_back(column.name + ": " + column.note);
        }
        if (table.refusal.empty()) continue;
        show.state = StreamStatus::TableState::kRefused;
        show.notes.insert(
            show.notes.begin(),
            table.refusal + (table.mend_sql.empty() ? "" : "; mend: " + table.mend_sql));
    }
    for (const auto& table : known) {
        auto show = std::find_if(shown.begin(), shown.end(), [&](const StreamStatus::Table& one) {
            return one.source == table.ToString();
        });
        if (show == shown.end()) {
            add(table.schema, table.name);
            show = std::prev(shown.end());
        }
        // As it is by now, with what mends it, is said already.
        const bool is_refused = show->state == StreamStatus::TableState::kRefused;
        // Its turn to be copied has yet to come.
        show->state = table.phase == TablePhase::kCopying ? StreamStatus::TableState::kWaiting
                                                          : Shown(table.phase);
        if (!is_refused) show->reason = table.reason;
    }
    std::lock_guard lock(mutex_);
    for (auto& show : shown) {
        for (const auto& before : status_.tables) {
            if (before.source != show.source) continue;
            show.rows_copied = before.rows_copied;
            show.last_change_at = before.last_change_at;
            // One that is being copied is still so.
            if (before.state == StreamStatus::TableState::kCopying &&
                show.state == StreamStatus::TableState::kWaiting) {
                show.state = before.state;
            }
        }
    }
    status_.tables = std::move(shown);
}

void StreamBoard::ShowPhase(const std::string& source_name, TablePhase phase,
                            const std::string& reason, std::int64_t rows_copied) {
    std::lock_guard lock(mutex_);
    for (auto& table : status_.tables) {
        if (table.source != source_name) continue;
        table.state = Shown(phase);
        table.reason = reason;
        if (rows_copied > 0 || phase == TablePhase::kCopying) table.rows_copied = rows_copied;
    }
}

void StreamBoard::ShowBeside(const std::string& source_name, TablePhase phase,
                             std::int64_t rows_copied) {
    // Live over there is not yet live here.
    if (phase == TablePhase::kLive) phase = TablePhase::kCopying;
    std::lock_guard lock(mutex_);
    for (auto& table : status_.tables) {
        if (table.source != source_name) continue;
        table.state = Shown(phase);
        table.rows_copied = rows_copied;
    }
}

}  // namespace biwa
