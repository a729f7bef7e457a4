#include "replication/stream_watch.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "replication/retry.h"

namespace biwa {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kMeasureEvery{1'000};
constexpr std::chrono::seconds kHistoryEvery{5};
constexpr std::size_t kHistoryPoints = 120;

}  // namespace

StreamWatch::StreamWatch(const StreamOptions& options, const OpenStreamSource& open_source,
                         const StreamLine& line, StreamBoard& board, TableKeeper& keeper,
                         TableIntake& intake, WatchHost host)
    : options_(options),
      open_source_(open_source),
      line_(line),
      board_(board),
      keeper_(keeper),
      intake_(intake),
      host_(std::move(host)) {}

void StreamWatch::Start() {
    thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

void StreamWatch::Stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void StreamWatch::Run(std::stop_token stop) {
    std::unique_ptr<StreamSource> source;
    auto last = steady_clock::now();
    auto last_point = last, last_look = last;
    const auto every = std::min(kMeasureEvery, options_.discover_every);
    while (SleepFor(stop, every)) {
        const auto now = steady_clock::now();
        const bool measures = now - last >= kMeasureEvery;
        if (measures) {
            Measure(std::chrono::duration<double>(now - last).count());
            last = now;
        }
        if (keeper_.HasHeard()) host_.wake();
        const auto state = board_.state();
        const bool has_begun = state != StreamStatus::State::kStarting;
        if (has_begun && !source) {
            if (auto opened = open_source_(options_.name)) source = std::move(*opened);
        }
        // A stream that has failed has its log kept all the same.
        if (has_begun && source && measures) AskProgress(*source);
        if (has_begun && state != StreamStatus::State::kFailed && source &&
            now - last_look >= options_.discover_every) {
            Look(*source);
            last_look = steady_clock::now();
        }
        if (now - last_point < kHistoryEvery) continue;
        last_point = now;
        const auto lag = line_.lag_seconds(board_.status());
        board_.Change([&](StreamStatus& status) {
            status.history.push_back({SystemClock().Now(), status.changes_per_s, lag});
            if (status.history.size() > kHistoryPoints) status.history.pop_front();
        });
    }
}

void StreamWatch::Measure(double seconds) {
    const auto changes = line_.changes_applied();
    const auto rows = line_.rows_copied() + intake_.rows_copied();
    if (intake_.IsDueAgain()) host_.wake();
    board_.Change([&](StreamStatus& status) {
        status.changes_per_s = static_cast<double>(changes - last_changes_) / seconds;
        status.rows_per_s =
            rows >= last_rows_ ? static_cast<double>(rows - last_rows_) / seconds : 0;
        for (auto& table : status.tables) {
            if (table.state == StreamStatus::TableState::kCopying) table.rows_copied = rows;
        }
    });
    last_changes_ = changes;
    last_rows_ = rows;
}

void StreamWatch::AskProgress(StreamSource& source) {
    const auto progress = source.Progress();
    if (!progress) return;
    // The log is one: what is kept for both is what is kept for the one that is further behind.
    const auto in_all = std::max(progress->retained_bytes, RetainedBeside());
    board_.Change([&](StreamStatus& status) {
        status.lag_bytes = progress->lag_bytes;
        status.retained_bytes = in_all;
    });
    Guard(source, progress->retained_bytes, in_all);
}

std::uint64_t StreamWatch::RetainedBeside() {
    if (!intake_.is_joining()) {
        beside_.reset();
        return 0;
    }
    if (!beside_) {
        auto opened = open_source_(JoinName(options_.name));
        if (!opened) return 0;
        beside_ = std::move(*opened);
    }
    // An error: its place in the log is not made yet.
    const auto progress = beside_->Progress();
    if (!progress) return 0;
    const auto retained = progress->retained_bytes;
    if (options_.log_guard.stops(retained)) {
        intake_.GiveUpFor(options_.log_guard.CopyStopped(retained));
        host_.wake();
    }
    return retained;
}

void StreamWatch::Guard(StreamSource& source, std::uint64_t retained, std::uint64_t in_all) {
    const auto& guard = options_.log_guard;
    if (guard.stops(retained) && !given_up_.exchange(true)) host_.stop();
    const auto warning = guard.warns(in_all) && !given_up_ ? guard.Warning(in_all) : std::string();
    bool is_new = false;
    board_.Change([&](StreamStatus& status) {
        is_new = status.warning.empty() && !warning.empty();
        status.warning = warning;
    });
    if (is_new) LogWarn("stream {}: {}", options_.name, warning);
    // What it was doing has to end first: a slot that is in use cannot be dropped.
    if (!given_up_ || !host_.has_ended()) return;
    const auto done = host_.give_up(source);
    auto error = guard.Stopped(retained);
    if (!done) {
        error = Within("giving up the stream by wal_guard.stop, which is tried again", done.error())
                    .value();
    }
    LogError("stream {} has stopped: {}", options_.name, error.ToString());
    board_.Change([&](StreamStatus& status) {
        status.state = StreamStatus::State::kFailed;
        status.error = std::move(error);
        if (!done) return;
        ++status.errors.at(static_cast<std::size_t>(status.error->kind));
        status.lag_bytes = status.retained_bytes = 0;
    });
}

// Wakes the stream's thread when the source's tables are not those that it has seen.
void StreamWatch::Look(StreamSource& source) {
    const auto found = keeper_.Find(source, IfMissing::kPassOver, board_.Kept());
    const auto state = board_.state();
    // What stands in the way of a look stops the stream, which would hear of no new table; if it is
    // still there at the next one: names are exchanged one after the other. A stream that finds
    // nothing in its way is not asked again.
    const bool is_refused = !found && found.error().kind != ErrorKind::kUnavailable;
    const auto before = std::exchange(refused_, is_refused ? found.error().message : std::string());
    if (is_refused && before == refused_ && woken_for_ != refused_ &&
        state == StreamStatus::State::kStreaming) {
        woken_for_ = refused_;
        host_.wake();
    }
    if (!found) return;
    woken_for_.clear();
    // While tables are copied too: what is published otherwise than its key is makes the
    // application's own updates fail.
    const bool is_running = state == StreamStatus::State::kSnapshot ||
                            state == StreamStatus::State::kCatchingUp ||
                            state == StreamStatus::State::kStreaming;
    if (is_running && keeper_.AreNews(*found)) host_.wake();
}

}  // namespace biwa
