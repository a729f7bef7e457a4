#include "replication/stream_reconciler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "replication/backfill.h"
#include "replication/history.h"
#include "replication/retry.h"
#include "replication/stream_state.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

using std::chrono::milliseconds;

template <typename Each>
Status ForEachRow(ReadSession& session, const std::string& sql, const Each& each) {
    const auto rows = BIWA_TRY(session.Query(sql));
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return {};
        for (std::size_t row = 0; row < block->rows; ++row) each(block->columns, row);
    }
}

template <typename Enum>
Enum Parse(std::string_view name, std::initializer_list<Enum> all) {
    for (const auto one : all) {
        if (ToString(one) == name) return one;
    }
    return *all.begin();
}

class HostedStream final : public ReconciledStream {
  public:
    std::function<Result<bool>(const Position&)> has_applied;
    std::function<Status(const SourceTable&, const std::vector<std::vector<std::string>>&)> repair;
    std::function<void(std::size_t, std::size_t)> on_parts;

    Result<bool> HasApplied(const Position& position) const override {
        return has_applied(position);
    }
    Status Repair(const SourceTable& table,
                  const std::vector<std::vector<std::string>>& keys) override {
        return repair(table, keys);
    }
    void OnParts(std::size_t done, std::size_t all) override { on_parts(done, all); }
};

}  // namespace

StreamReconciler::StreamReconciler(Warehouse& warehouse, std::string stream, TargetDataset dataset,
                                   milliseconds every, bool repair, ReconcileHost host)
    : warehouse_(warehouse),
      stream_(std::move(stream)),
      dataset_(std::move(dataset)),
      every_(every),
      repair_when_due_(repair),
      host_(std::move(host)) {
    thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

StreamReconciler::~StreamReconciler() { Stop(); }

void StreamReconciler::Stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

Status StreamReconciler::Begin(const std::vector<std::string>& tables, bool repair) {
    return Begin(Request{tables, repair});
}

Status StreamReconciler::BeginBackfill(const std::string& table, const KeyRange& range) {
    return Begin(Request{{table}, true, range});
}

Status StreamReconciler::Begin(Request request) {
    {
        std::lock_guard lock(mutex_);
        if (request_ || status_.is_running) {
            return Fail(ErrorKind::kConflict,
                        fmt::format("stream {} is being compared already", stream_),
                        "`biwa status` shows how far it is.");
        }
        status_.is_running = true;
        status_.is_repairing = request.repair;
        request_ = std::move(request);
    }
    asked_.notify_all();
    return {};
}

Reconciliation StreamReconciler::status() const {
    std::lock_guard lock(mutex_);
    return status_;
}

std::optional<StreamReconciler::Request> StreamReconciler::WaitForRequest(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (request_) return std::exchange(request_, std::nullopt);
        Micros last = 0;
        for (const auto& result : status_.results) last = std::max(last, result.at);
        const auto due = last + std::chrono::microseconds(every_).count();
        if (every_.count() > 0 && SystemClock().Now() >= due && host_.is_streaming()) {
            status_.is_running = true;
            status_.is_repairing = repair_when_due_;
            return Request{{}, repair_when_due_};
        }
        asked_.wait_for(lock, stop, std::chrono::seconds(1), [&] { return request_.has_value(); });
    }
    return std::nullopt;
}

void StreamReconciler::Run(std::stop_token stop) {
    // What it has found is remembered beside the stream's own books, which the stream makes.
    while (!ReadResults()) {
        if (!SleepFor(stop, milliseconds(100))) return;
    }
    while (const auto request = WaitForRequest(stop)) {
        const auto compared =
            request->range ? ReadAnew(*request, stop) : CompareAll(*request, stop);
        {
            std::lock_guard lock(mutex_);
            status_.is_running = false;
            status_.table.clear();
            status_.error = compared ? "" : compared.error().message;
        }
        if (compared || stop.stop_requested()) continue;
        LogWarn("stream {}: {}: {}", stream_,
                request->range ? "reading rows anew" : "comparing it with its source",
                compared.error().message);
        // A schedule that cannot be kept is not tried again at once.
        if (every_.count() > 0) SleepFor(stop, std::min(every_, milliseconds(60'000)));
    }
}

Status StreamReconciler::CompareAll(const Request& request, std::stop_token stop) {
    {
        std::lock_guard lock(mutex_);
        status_.last_run.clear();
        status_.tables_done = status_.tables = 0;
    }
    const auto source = BIWA_TRY(host_.open_source());
    auto tables = BIWA_TRY(host_.find_tables(*source));
    std::erase_if(tables, [&](const SourceTable& table) {
        return !request.tables.empty() && std::find(request.tables.begin(), request.tables.end(),
                                                    table.ToString()) == request.tables.end();
    });
    ReconcileOptions options;
    options.repair = request.repair;
    for (const auto& table : tables) {
        const auto target = TargetTable(dataset_, table.schema, table.name);
        {
            std::lock_guard lock(mutex_);
            status_.table = table.ToString();
            status_.tables = tables.size();
            status_.parts_done = status_.parts = 0;
        }
        HostedStream hosted;
        hosted.has_applied = host_.has_applied;
        hosted.repair = [&](const SourceTable& one,
                            const std::vector<std::vector<std::string>>& keys) {
            return Repair(*source, one, target, keys);
        };
        hosted.on_parts = [&](std::size_t done, std::size_t all) { ShowParts(done, all); };
        TableComparison result;
        if (!table.refusal.empty()) {
            result.outcome = TableComparison::Outcome::kNotComparable;
            result.reason = table.refusal;
        } else if (!host_.is_live(table.ToString())) {
            result.reason = "its changes are not followed at present";
        } else {
            Reconciler reconciler(warehouse_, *source, hosted, watch_, options, stop);
            auto compared = reconciler.Compare(table, target);
            if (stop.stop_requested()) return {};
            if (!compared) {
                result.reason = compared.error().message;
            } else if (!host_.is_live(table.ToString())) {
                result.reason = "had to be copied anew meanwhile";
            } else {
                result = std::move(*compared);
            }
        }
        result.source = table.ToString();
        if (result.at == 0) result.at = SystemClock().Now();
        BIWA_TRY(SaveResult(table, result));
        if (result.outcome == TableComparison::Outcome::kDiffers) {
            LogWarn("stream {}: {} of {} rows of {} differ from the source", stream_,
                    result.differing(), result.rows, result.source);
        } else if (result.outcome == TableComparison::Outcome::kRepaired) {
            LogWarn("stream {}: {} rows of {} differed from the source and were repaired", stream_,
                    result.repaired, result.source);
        }
        std::lock_guard lock(mutex_);
        std::erase_if(status_.results,
                      [&](const TableComparison& one) { return one.source == result.source; });
        status_.last_run.push_back(result.source);
        status_.results.push_back(std::move(result));
        ++status_.tables_done;
    }
    return {};
}

Status StreamReconciler::Forget(WriteTransaction& transaction, const std::string& schema,
                                const std::string& name) {
    {
        std::lock_guard lock(mutex_);
        std::erase_if(status_.results, [&](const TableComparison& one) {
            return one.source == schema + "." + name;
        });
    }
    return ForgetResult(transaction, schema, name);
}

Status StreamReconciler::ForgetResult(WriteTransaction& transaction, const std::string& schema,
                                      const std::string& name) {
    for (const auto* books : {"reconciliations", "differing_rows"}) {
        BIWA_TRY(transaction.Execute(fmt::format(
            "DELETE FROM _biwa.{} WHERE (stream, source_schema, source_table) = ({}, {}, {})",
            books, QuoteLiteral(stream_), QuoteLiteral(schema), QuoteLiteral(name))));
    }
    return {};
}

void StreamReconciler::ShowParts(std::size_t done, std::size_t all) {
    std::lock_guard lock(mutex_);
    status_.parts_done = done;
    status_.parts = all;
}

Status StreamReconciler::ReadAnew(const Request& request, std::stop_token stop) {
    const auto& name = request.tables.front();
    {
        std::lock_guard lock(mutex_);
        status_.last_run.clear();
        status_.table = name;
        status_.tables_done = status_.parts_done = status_.parts = 0;
        status_.tables = 1;
        status_.keys_read_anew = 0;
    }
    const auto source = BIWA_TRY(host_.open_source());
    const auto tables = BIWA_TRY(host_.find_tables(*source));
    const auto table = std::find_if(tables.begin(), tables.end(),
                                    [&](const SourceTable& one) { return one.ToString() == name; });
    if (table == tables.end() || !table->refusal.empty() || !host_.is_live(name)) {
        return Unavailable(fmt::format("{} is not followed at present", name));
    }
    const auto target = TargetTable(dataset_, table->schema, table->name);
    HostedStream hosted;
    hosted.repair = [&](const SourceTable& one, const std::vector<std::vector<std::string>>& keys) {
        return Repair(*source, one, target, keys);
    };
    hosted.on_parts = [&](std::size_t done, std::size_t all) { ShowParts(done, all); };
    const auto keys =
        BIWA_TRY(Backfill(warehouse_, *source, hosted, *table, target, *request.range, stop));
    LogInfo("stream {}: {} keys of {} were read anew", stream_, keys, name);
    std::lock_guard lock(mutex_);
    status_.keys_read_anew = keys;
    status_.tables_done = 1;
    return {};
}

// On the stream's thread no change waits to be written: the next ones are told apart by the
// position up to which these rows may have them already.
Status StreamReconciler::Repair(StreamSource& source, const SourceTable& table,
                                const TableName& target,
                                const std::vector<std::vector<std::string>>& keys) {
    BIWA_TRY(host_.on_stream_thread([&](StreamLine& line) -> Status {
        auto* known = line.state().Find(table.ToString());
        if (known == nullptr || known->phase != TablePhase::kLive) {
            return Unavailable(fmt::format("{} is not followed at present", table.ToString()));
        }
        // A stream that is paused has not found out whether the server is still the one it was.
        BIWA_TRY(line.CheckHistory(source));
        auto transaction = BIWA_TRY(warehouse_.Begin());
        const auto until = BIWA_TRY(RepairRows(*transaction, source, table, target, keys)).order;
        const auto overlap_until = std::max(known->overlap_until, until);
        BIWA_TRY(SaveOverlap(*transaction, stream_, table.schema, table.name, overlap_until));
        // No change says what these rows have become.
        BIWA_TRY(EndEpoch(*transaction, stream_, table.schema, table.name));
        BIWA_TRY(transaction->Commit());
        known->overlap_until = overlap_until;
        return {};
    }));
    LogDebug("stream {}: {} rows of {} were read anew", stream_, keys.size(), table.ToString());
    host_.on_changed(target);
    return {};
}

Status StreamReconciler::SaveResult(const SourceTable& table, const TableComparison& result) {
    const auto of_table = fmt::format("{}, {}, {}", QuoteLiteral(stream_),
                                      QuoteLiteral(table.schema), QuoteLiteral(table.name));
    auto transaction = BIWA_TRY(warehouse_.Begin());
    BIWA_TRY(ForgetResult(*transaction, table.schema, table.name));
    BIWA_TRY(transaction->Execute(fmt::format(
        "INSERT INTO _biwa.reconciliations VALUES ({}, '{}', {}, make_timestamptz({}), {}, {}, {}, "
        "{}, {}, {}, {})",
        of_table, ToString(result.outcome), QuoteLiteral(result.reason), result.at, result.seconds,
        result.rows, result.missing, result.extra, result.different, result.changing,
        result.repaired)));
    std::string values;
    for (const auto& row : result.keys) {
        std::string key;
        for (const auto& text : row.key) key += (key.empty() ? "" : ", ") + QuoteLiteral(text);
        values += fmt::format("{}({}, [{}], '{}')", values.empty() ? "" : ", ", of_table, key,
                              ToString(row.difference));
    }
    if (!values.empty()) {
        BIWA_TRY(transaction->Execute("INSERT INTO _biwa.differing_rows VALUES " + values));
    }
    return transaction->Commit();
}

Status StreamReconciler::ReadResults() {
    using Outcome = TableComparison::Outcome;
    const auto session = BIWA_TRY(warehouse_.OpenSession());
    std::vector<TableComparison> results;
    BIWA_TRY(ForEachRow(
        *session,
        fmt::format("SELECT source_schema || '.' || source_table, outcome, reason, "
                    "epoch_us(compared_at), seconds, rows, missing, extra, different, changing, "
                    "repaired FROM _biwa.reconciliations WHERE stream = {} ORDER BY compared_at",
                    QuoteLiteral(stream_)),
        [&](const std::vector<Cells>& cells, std::size_t row) {
            auto& result = results.emplace_back();
            result.source = cells[0].GetString(row);
            result.outcome = Parse(cells[1].GetString(row),
                                   {Outcome::kNotCompared, Outcome::kEqual, Outcome::kDiffers,
                                    Outcome::kRepaired, Outcome::kNotComparable});
            result.reason = cells[2].GetString(row);
            result.at = cells[3].Get<std::int64_t>(row);
            result.seconds = cells[4].Get<double>(row);
            result.rows = cells[5].Get<std::int64_t>(row);
            result.missing = cells[6].Get<std::uint64_t>(row);
            result.extra = cells[7].Get<std::uint64_t>(row);
            result.different = cells[8].Get<std::uint64_t>(row);
            result.changing = cells[9].Get<std::uint64_t>(row);
            result.repaired = cells[10].Get<std::uint64_t>(row);
        }));
    BIWA_TRY(ForEachRow(
        *session,
        fmt::format("SELECT source_schema || '.' || source_table, key, difference "
                    "FROM _biwa.differing_rows WHERE stream = {} ORDER BY rowid",
                    QuoteLiteral(stream_)),
        [&](const std::vector<Cells>& cells, std::size_t row) {
            const auto found = std::find_if(
                results.begin(), results.end(),
                [&](const TableComparison& one) { return one.source == cells[0].GetString(row); });
            if (found == results.end()) return;
            auto& key = found->keys.emplace_back();
            const auto list = cells[1].Get<ListCell>(row);
            for (auto i = list.offset; i < list.offset + list.length; ++i) {
                key.key.emplace_back(cells[1].child->GetString(i));
            }
            key.difference =
                Parse(cells[2].GetString(row),
                      {RowDifference::kDifferent, RowDifference::kMissing, RowDifference::kExtra});
        }));
    std::lock_guard lock(mutex_);
    status_.results = std::move(results);
    return {};
}

}  // namespace biwa
