// How long a batch takes to be applied to a table of a given size. Prints one JSON object.
//
//   apply_bench FOLDER ROWS [BATCHES]
//
// Makes a table of so many rows of 76 bytes, then applies to it, each in a transaction of its own
// as the stream does: batches of 10,000 upserts and 1,000 deletes of recent keys (the last 100,000)
// and of keys anywhere, and 1,000,000 changes of keys anywhere at once, as when far behind. Then
// the same with the history of the table kept, which begins with a copy of its rows.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/log.h"
#include "bench.h"
#include "replication/applier.h"
#include "replication/target_table.h"

namespace biwa::bench {
namespace {

// An applier asks its source only for what a copy has missed: not here.
class NoSource final : public StreamSource {
  public:
    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>&, IfMissing) override {
        return kNone;
    }
    Status CheckStart() override { return kNone; }
    Result<StreamStart> Start(const std::vector<SourceTable>&, bool) override { return kNone; }
    Status Publish(const std::vector<SourceTable>&, const std::set<std::string>&) override {
        return kNone;
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override { return kNone; }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>&, const Position&,
                                                 std::chrono::milliseconds) override {
        return kNone;
    }
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable&, const KeyRange&) override {
        return kNone;
    }
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable&, const std::vector<std::vector<std::string>>&) override {
        return kNone;
    }
    Result<std::string> CheckHistory(const std::string&, const Position&) override { return kNone; }
    Result<Position> Head() override { return kNone; }
    Result<SourceProgress> Progress() override { return kNone; }
    Status Remove() override { return kNone; }

  private:
    const tl::unexpected<Error> kNone = Corrupt("the benchmark has no source");
};

TableSchema Schema() {
    TableSchema schema;
    schema.columns = {{"id", {TypeId::kInt64}, false, ""},
                      {"pupil", {TypeId::kInt64}, false, ""},
                      {"problem", {TypeId::kInt32}, false, ""},
                      {"correct", {TypeId::kBool}, false, ""},
                      {"seconds", {TypeId::kDouble}, false, ""},
                      {"answered_at", {TypeId::kTimestampTz}, false, ""},
                      {"note", {TypeId::kText}, false, ""}};
    schema.key = {0};
    return schema;
}

class Bench {
  public:
    Bench(const std::string& folder, std::int64_t rows) : rows_(rows), next_(rows) {
        warehouse_ = OpenWarehouse(folder);
        Must(PrepareStateTables(*warehouse_));
        state_.tables.push_back({.schema = "public", .name = "t"});
        state_.tables[0].phase = TablePhase::kLive;
        Make();
        Must(warehouse_->Checkpoint());
        Restart(false);
    }

    // Seconds that it takes to begin.
    double Restart(bool keeps_history) {
        applier_ = std::make_unique<Applier>(
            *warehouse_, "bench", state_,
            [](const StreamState::Table& table) {
                return TableName{"bench", table.name};
            },
            source_);
        std::map<std::string, HistoryKey> kept;
        if (keeps_history) kept["public.t"] = HistoryKey::Of(*schema_);
        const auto begin = Steady::now();
        Must(applier_->KeepHistory(kept));
        return Since(begin);
    }

    // What a batch costs: seconds until it is committed, and those of the processors.
    struct Cost {
        double seconds, cpu_s;
    };
    // A batch of updates, a tenth of it inserts, and of deletes. Keys are of the last `among` rows.
    Cost Apply(std::int64_t upserts, std::int64_t deletes, std::int64_t among) {
        ChangeBatch batch;
        batch.changes = static_cast<std::uint64_t>(upserts + deletes);
        batch.commit = Position{++commits_, "bench"};
        auto& part = batch.tables.emplace_back();
        part.schema = "public";
        part.name = "t";
        part.columns = schema_;
        part.rows = RowStore(schema_->columns);
        part.old_keys = RowStore({schema_->columns[0]});
        const auto first = std::max<std::int64_t>(0, rows_ - among);
        const auto any = [&] {
            return first +
                   static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(rows_ - first));
        };
        for (std::int64_t i = 0; i < upserts + deletes; ++i) {
            const auto kind = i >= upserts  ? ChangeKind::kDelete
                              : i % 10 == 0 ? ChangeKind::kInsert
                                            : ChangeKind::kUpdate;
            Add(part, kind == ChangeKind::kInsert ? next_++ : any(), kind);
        }
        const auto begin = Steady::now();
        const auto cpu_before = CpuSeconds();
        Must(applier_->Add(std::move(batch)));
        Must(applier_->Commit());
        return {Since(begin), CpuSeconds() - cpu_before};
    }

  private:
    // The writer's transaction ends with it: a checkpoint waits for that.
    void Make() {
        auto transaction = Must(warehouse_->Begin());
        Must(SavePhase(*transaction, "bench", StreamPhase::kStreaming));
        Must(SaveTable(*transaction, "bench", state_.tables[0]));
        Must(PrepareTarget(*transaction, {"bench", "t"}, *schema_));
        Must(transaction->Execute(
            fmt::format("INSERT INTO bench.t SELECT i, i % 100000, i % 5000, i % 3 = 0, i * 0.5, "
                        "make_timestamptz(1767225600000000 + i * 1000000), 'answer number ' || i "
                        "FROM range({}) AS numbers(i)",
                        rows_)));
        Must(transaction->Commit());
    }
    void Add(TableChanges& part, std::int64_t id, ChangeKind kind) {
        auto& rows = part.rows;
        const auto row = rows.AddRow();
        rows.cells(0).Set(row, id);
        rows.cells(1).Set<std::int64_t>(row, id % 100'000);
        rows.cells(2).Set(row, static_cast<std::int32_t>(id % 5'000));
        rows.cells(3).Set<std::uint8_t>(row, id % 3 == 0);
        rows.cells(4).Set(row, static_cast<double>(id) / 2);
        rows.cells(5).Set<std::int64_t>(row, 1'767'225'600'000'000 + id);
        rows.cells(6).Set(row, rows.arena().Copy(fmt::format("answer number {}", id)));
        part.kinds.push_back(kind);
        // Transactions of ten changes.
        part.SetOrigin({commits_ * 1'000'000 + row / 10, static_cast<Micros>(commits_), row % 10});
    }

    const std::int64_t rows_;
    std::int64_t next_;
    std::uint64_t commits_ = 0;
    std::mt19937_64 random_{1};
    const std::shared_ptr<const TableSchema> schema_ =
        std::make_shared<const TableSchema>(Schema());
    NoSource source_;
    std::unique_ptr<Warehouse> warehouse_;
    StreamState state_;
    std::unique_ptr<Applier> applier_;
};

double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void Run(const std::string& folder, std::int64_t rows, int batches) {
    Bench bench(folder, rows);
    const auto measure = [&](std::int64_t among) -> Bench::Cost {
        std::vector<double> seconds, cpu;
        for (int i = 0; i < batches; ++i) {
            const auto cost = bench.Apply(10'000, 1'000, among);
            seconds.push_back(cost.seconds);
            cpu.push_back(cost.cpu_s);
        }
        return {Median(std::move(seconds)), Median(std::move(cpu))};
    };
    const auto recent = measure(100'000);
    const auto anywhere = measure(rows);
    const auto behind = bench.Apply(910'000, 90'000, rows);
    const auto begin_s = bench.Restart(true);
    const auto history_recent = measure(100'000);
    const auto history_anywhere = measure(rows);
    const auto history_behind = bench.Apply(910'000, 90'000, rows);
    fmt::print(
        "{{\"rows\": {}, \"recent_ms\": {:.1f}, \"recent_cpu_ms\": {:.1f}, \"anywhere_ms\": "
        "{:.1f}, \"anywhere_cpu_ms\": {:.1f}, \"behind_changes_per_s\": {:.0f}, "
        "\"behind_cpu_s\": {:.2f}, \"history_begin_s\": {:.2f}, \"history_recent_ms\": {:.1f}, "
        "\"history_recent_cpu_ms\": {:.1f}, \"history_anywhere_ms\": {:.1f}, "
        "\"history_behind_changes_per_s\": {:.0f}, \"history_behind_cpu_s\": {:.2f}, \"rss_mb\": "
        "{}}}\n",
        rows, recent.seconds * 1000, recent.cpu_s * 1000, anywhere.seconds * 1000,
        anywhere.cpu_s * 1000, 1'000'000 / behind.seconds, behind.cpu_s, begin_s,
        history_recent.seconds * 1000, history_recent.cpu_s * 1000, history_anywhere.seconds * 1000,
        1'000'000 / history_behind.seconds, history_behind.cpu_s, PeakMegabytes());
}

}  // namespace
}  // namespace biwa::bench

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: apply_bench FOLDER ROWS [BATCHES]\n");
        return 64;
    }
    biwa::SetLogLevel(biwa::LogLevel::kWarn);
    biwa::bench::Run(argv[1], std::atoll(argv[2]), argc > 3 ? std::atoi(argv[3]) : 20);
}
