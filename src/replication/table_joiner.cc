#include "replication/table_joiner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/give_way.h"
#include "base/log.h"
#include "replication/retry.h"
#include "replication/stream_tables.h"
#include "replication/target_table.h"

namespace biwa {

TableJoiner::TableJoiner(Warehouse& warehouse, LineOptions options, OpenSource open_source,
                         std::vector<std::string> tables, std::chrono::milliseconds retry_first,
                         OnTableChanged on_table, std::function<void()> wake)
    : warehouse_(warehouse),
      options_(std::move(options)),
      open_source_(std::move(open_source)),
      tables_(std::move(tables)),
      retry_first_(retry_first),
      on_table_(std::move(on_table)),
      wake_(std::move(wake)),
      line_(warehouse_, options_, *this) {
    thread_ = std::jthread([this](std::stop_token stop) {
        const GivesWay to_the_source;
        Run(stop);
    });
}

TableJoiner::~TableJoiner() {
    thread_.request_stop();
    thread_.join();
}

std::optional<Error> TableJoiner::failed() const {
    std::lock_guard lock(mutex_);
    return failed_;
}

std::optional<StreamState> TableJoiner::FinishAt(const Position& position,
                                                 std::chrono::milliseconds timeout,
                                                 std::stop_token stop) {
    finish_at_ = std::max<std::uint64_t>(position.order, 1);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, timeout, [&] { return is_finished_ || failed_; });
    if (is_finished_) return line_.state();
    finish_at_ = 0;
    is_ready_ = false;
    return std::nullopt;
}

void TableJoiner::Run(std::stop_token stop) {
    Retry retry(retry_first_);
    while (!stop.stop_requested()) {
        static std::atomic<int> attempts = 0;
        attempt_ = ++attempts;
        const auto attempt = Attempt(stop);
        if (stop.stop_requested() || attempt) return;
        is_ready_ = false;
        auto error = attempt.error();
        if (error.kind == ErrorKind::kUnavailable) {
            if (line_.TakeProgressed()) retry.Reset();
            LogWarn("stream {}: {}; trying again", options_.name, error.message);
            if (!retry.Wait(stop)) return;
            continue;
        }
        if (const auto given_up = GiveUp(error); !given_up) {
            LogWarn("stream {}: {}", options_.name, given_up.error().ToString());
        }
        {
            std::lock_guard lock(mutex_);
            failed_ = std::move(error);
        }
        changed_.notify_all();
        wake_();
        return;
    }
}

// Leaves nothing at the source that would keep its log.
Status TableJoiner::GiveUp(const Error& error) {
    LogWarn("stream {}: its tables cannot be copied for now: {}", options_.name, error.ToString());
    // What Begin found to be somebody else's stays.
    if (line_.state().phase == StreamPhase::kNew) return {};
    const auto source = BIWA_TRY(open_source_());
    return line_.Remove(*source);
}

Status TableJoiner::Attempt(std::stop_token stop) {
    BIWA_TRY(line_.Read());
    const auto source = BIWA_TRY(open_source_());
    const auto& state = line_.state();
    auto wanted = tables_;
    for (const auto& table : state.tables) wanted.push_back(table.ToString());
    const auto tables =
        BIWA_TRY(FindTables(*source, options_.dataset, wanted, {}, IfMissing::kPassOver));

    // What was begun is gone on with, unless a part of it was to be copied at one moment.
    const bool must_restart =
        state.phase == StreamPhase::kLeaving ||
        std::any_of(state.tables.begin(), state.tables.end(), [&](const StreamState::Table& one) {
            const auto found = std::find_if(
                tables.begin(), tables.end(),
                [&](const SourceTable& table) { return table.ToString() == one.ToString(); });
            if (found == tables.end()) return false;
            return one.part != found->part.ToString() ||
                   (one.phase == TablePhase::kCopying && NeedsOneMoment(found->columns));
        });
    if (must_restart) {
        BIWA_TRY(line_.Remove(*source));
        BIWA_TRY(line_.Read());
    }
    if (state.phase == StreamPhase::kNew || state.phase == StreamPhase::kStarting) {
        std::vector<SourceTable> now;
        auto why_none = Fail(ErrorKind::kConflict, "the tables are not there any more");
        for (const auto& table : tables) {
            const bool is_wanted =
                std::find(tables_.begin(), tables_.end(), table.ToString()) != tables_.end();
            if (is_wanted && table.refusal.empty()) now.push_back(table);
            if (is_wanted && !table.refusal.empty()) {
                why_none = UserError(table.refusal, table.mend_sql);
            }
        }
        if (now.empty()) return why_none;
        BIWA_TRY(line_.Begin(*source, now));
    }
    BIWA_TRY(line_.Copy(*source, tables, stop, [] { return false; }));
    if (stop.stop_requested()) return {};
    const auto is_finished = [this] {
        const auto finish_at = finish_at_.load();
        return finish_at != 0 && line_.durable_order() >= finish_at;
    };
    for (;;) {
        BIWA_TRY(line_.Follow(*source, tables, stop, is_finished));
        if (stop.stop_requested()) return {};
        std::lock_guard lock(mutex_);
        // Whoever asked may have lost patience meanwhile.
        if (!is_finished()) continue;
        is_finished_ = true;
        changed_.notify_all();
        return {};
    }
}

void TableJoiner::OnState(StreamStatus::State state) {
    if (state != StreamStatus::State::kStreaming || is_ready_.exchange(true)) return;
    wake_();
}

void TableJoiner::OnTable(const std::string& source_name, TablePhase phase, const std::string&,
                          std::int64_t rows_copied) {
    on_table_(source_name, phase, rows_copied);
}

}  // namespace biwa
