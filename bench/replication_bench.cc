// The measuring half of the replication benchmarks: each command prints one JSON object. bench/run
// prepares the server and puts ours beside the limit.
//
//   copy-limit TABLE              one backend's COPY … (FORMAT binary), read and thrown away
//   store-limit FOLDER TABLE      the engine alone: rows of the table, out of its own memory into
//                                 its file, compressed as a stream's table; cpu_s is of that
//   pgoutput-limit SLOT PUB LSN   pgoutput messages read and counted until LSN
//   snapshot FOLDER TABLE         a stream's copy, until changes are being followed
//   start FOLDER TABLE            the same, unmeasured: prepares `changes`
//   changes FOLDER TABLE LSN      a stream's changes, until those before LSN are in the warehouse
//   follow FOLDER TABLES [read]   a stream, until standard input ends; as if nobody read what
//                                 comes, or somebody
//   freshness FOLDER TABLES RATE SECONDS
//                                 from a commit at the source until a query here sees it, while so
//                                 many changes a second are made of so many tables fresh0, fresh1,
//                                 …, ten a transaction, and a dashboard is looked at
// The connection is that of libpq's environment (PGHOST, …).
#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "base/process_memory.h"
#include "base/text.h"
#include "bench.h"
#include "replication/text_storage.h"
#include "source/postgres/pgoutput.h"
#include "source/postgres/postgres_source.h"

namespace biwa::bench {
namespace {

void CopyLimit(const std::string& table) {
    PGconn* connection = PQconnectdb("");
    if (PQstatus(connection) != CONNECTION_OK) Die(PQerrorMessage(connection));
    const auto begin = Steady::now();
    PQclear(PQexec(connection, fmt::format("COPY {} TO STDOUT (FORMAT binary)", table).c_str()));
    double rows = 0;
    for (char* buffer = nullptr; PQgetCopyData(connection, &buffer, 0) > 0; ++rows) {
        PQfreemem(buffer);
    }
    PrintResult(rows - 1, Since(begin));
    PQfinish(connection);
}

std::uint64_t Number(const char* bytes) {
    std::uint64_t value;
    std::memcpy(&value, bytes, sizeof value);
    return __builtin_bswap64(value);
}

void PgOutputLimit(const std::string& slot, const std::string& publication,
                   const std::string& lsn) {
    const auto until = postgres::ParseLsn(lsn);
    PGconn* connection = PQconnectdb("replication=database");
    if (PQstatus(connection) != CONNECTION_OK) Die(PQerrorMessage(connection));
    const auto begin = Steady::now();
    PQclear(PQexec(connection, fmt::format("START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version "
                                           "'1', publication_names '{}', binary 'true')",
                                           slot, publication)
                                   .c_str()));
    double changes = 0;
    char* buffer = nullptr;
    for (int length; (length = PQgetCopyData(connection, &buffer, 0)) > 0; PQfreemem(buffer)) {
        if (buffer[0] == 'k') {
            if (Number(buffer + 1) >= *until) break;
            continue;
        }
        const char kind = buffer[25];
        if (kind == 'I' || kind == 'U' || kind == 'D') ++changes;
        if (kind == 'C' && Number(buffer + 25 + 10) >= *until) break;
    }
    PrintResult(changes, Since(begin));
    PQfinish(connection);
}

std::unique_ptr<Source> OpenSource() {
    SourceRegistry sources;
    RegisterPostgresSource(sources);
    auto source = sources.Find("postgres")
                      ->open({{"host", Environment("PGHOST")},
                              {"port", Environment("PGPORT")},
                              {"user", Environment("PGUSER")},
                              {"password", Environment("PGPASSWORD")},
                              {"database", Environment("PGDATABASE")}});
    return Must(std::move(source));
}

// The first rows of a table.
class FirstRows final : public RowSource {
  public:
    FirstRows(const std::string& table, std::size_t rows_max)
        : rows_max_(rows_max),
          source_(OpenSource()),
          stream_(Must(source_->OpenStream("bench", {}))),
          table_(Must(stream_->Tables({"public." + table}, IfMissing::kRefuse)).at(0)),
          snapshot_(Must(stream_->ResumeSnapshot())),
          ranges_(Must(snapshot_->Split(table_))) {}

    const SourceTable& table() const { return table_; }
    const std::vector<Column>& columns() const override { return table_.columns.columns; }
    std::size_t rows_estimate() const override { return rows_max_; }
    Result<std::unique_ptr<RowReader>> Open() override { return std::make_unique<Reader>(*this); }

  private:
    class Reader final : public RowReader {
      public:
        explicit Reader(FirstRows& rows) : rows_(rows) {}
        Result<std::size_t> Fill(RowBlock& block) override {
            while (read_ < rows_.rows_max_) {
                if (!range_) {
                    if (next_ == rows_.ranges_.size()) break;
                    range_ = BIWA_TRY(rows_.snapshot_->Read(rows_.table_, rows_.ranges_[next_++]));
                }
                const auto rows = BIWA_TRY(range_->Fill(block));
                read_ += rows;
                if (rows > 0) return rows;
                range_.reset();
            }
            return std::size_t{0};
        }

      private:
        FirstRows& rows_;
        std::unique_ptr<RowReader> range_;
        std::size_t next_ = 0, read_ = 0;
    };

    const std::size_t rows_max_;
    std::unique_ptr<Source> source_;
    std::unique_ptr<StreamSource> stream_;
    SourceTable table_;
    std::unique_ptr<SnapshotReader> snapshot_;
    std::vector<SnapshotRange> ranges_;
};

void StoreLimit(const std::string& folder, const std::string& table) {
    constexpr std::size_t kRows =
        4 * 122'880;  // two of the engine's groups for each of its threads
    DuckDbOptions options;
    options.path = folder + "/alone.duckdb";
    // The rows, and about as much beside them as a copy has: memory that serves again costs less
    // than what the system has to make ready.
    options.memory_limit_bytes = std::uint64_t{2} << 30;
    const auto warehouse = Must(OpenDuckDb(options));
    const auto in_transaction = [&](const auto& work) {
        const auto transaction = Must(warehouse->Begin());
        const auto rows = work(*transaction);
        Must(transaction->Commit());
        return static_cast<double>(rows);
    };
    std::string definitions;
    in_transaction([&](WriteTransaction& transaction) {
        FirstRows rows(table, kRows);
        const auto texts = ChooseTexts(TextsAsked(), {rows.table()}, warehouse->free_bytes());
        const auto* const method = texts == TextStorage::kPlain ? "uncompressed" : "fsst";
        for (const auto& column : rows.columns()) {
            // As a stream's table has it.
            const bool is_hinted = column.type.id == TypeId::kText && column.seldom_repeats;
            definitions +=
                fmt::format("{}{} {}{}{}", definitions.empty() ? "" : ", ",
                            QuoteIdentifier(column.name), ToSql(column.type),
                            is_hinted ? " USING COMPRESSION " : "", is_hinted ? method : "");
        }
        Must(transaction.Execute("ATTACH ':memory:' AS memory"));
        return Must(
            transaction.ExecuteWith("CREATE TABLE memory.stored AS FROM $rows", {{"rows", rows}}));
    });
    const auto cpu_before = CpuSeconds();
    const auto begin = Steady::now();
    const auto rows = in_transaction([&](WriteTransaction& transaction) {
        Must(transaction.Execute(fmt::format("CREATE TABLE stored ({})", definitions)));
        return Must(transaction.ExecuteWith("INSERT INTO stored FROM memory.stored", {}));
    });
    const auto seconds = Since(begin);
    fmt::print("{{\"rows\": {:.0f}, \"rows_per_s\": {:.0f}, \"cpu_s\": {:.2f}, \"file_mb\": {}}}\n",
               rows, rows / seconds, CpuSeconds() - cpu_before, warehouse->size_bytes() >> 20);
}

void Stream(const std::string& folder, const std::string& table, const std::string& end) {
    const auto source = OpenSource();
    RunStream(*source, folder, table, "public", end,
              [](const std::string& lsn) { return Must(postgres::ParseLsn(lsn)); });
}

// Follows tables until its standard input ends; says "following" when it does. As if somebody read
// what comes, or nobody.
void Follow(const std::string& folder, const std::string& tables, bool is_read) {
    const auto warehouse = OpenWarehouse(folder);
    const auto source = OpenSource();
    const auto runner = NewRunner(*warehouse, *source, {tables}, "public", is_read);
    while (!IsFollowing(runner->status())) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const auto cpu_before = CpuSeconds();
    fmt::print("following\n");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    fmt::print("{{\"changes\": {}, \"cpu_s\": {:.2f}}}\n", runner->status().changes_total,
               CpuSeconds() - cpu_before);
}

struct Committed {
    int table;
    std::int64_t id;
    Steady::time_point at;
};

std::string FreshTable(int table) { return fmt::format("fresh{}", table); }

void Run(PGconn* connection, const std::string& sql) {
    PGresult* result = PQexec(connection, sql.c_str());
    if (PQresultStatus(result) != PGRES_COMMAND_OK) Die(PQerrorMessage(connection));
    PQclear(result);
}

constexpr int kWriters = 4;  // one alone waits for the server's disk at each commit

// Transactions of ten changes of one table each, its share of the tables in turn. Tells when each
// had committed, by the highest id that it inserted.
void MakeChanges(int writer, int tables, double rate, double seconds, std::mutex& mutex,
                 std::vector<Committed>& committed) {
    PGconn* connection = PQconnectdb("");
    if (PQstatus(connection) != CONNECTION_OK) Die(PQerrorMessage(connection));
    const auto begin = Steady::now();
    constexpr int kPerTransaction = 10;
    constexpr std::int64_t kFirst = 1'000'000'000;  // above what was there before
    for (std::int64_t n = 0; Since(begin) < seconds; ++n) {
        std::this_thread::sleep_until(
            begin + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(
                        static_cast<double>(n * kWriters + writer) * kPerTransaction / rate)));
        const auto turn = n * kWriters + writer;
        const auto table = static_cast<int>(turn % tables);
        auto id = kFirst + turn / tables * (kPerTransaction - 2);
        std::string values;
        for (int i = 0; i < kPerTransaction - 2; ++i) {
            values += fmt::format("{}({}, {})", i == 0 ? "" : ", ", ++id, n);
        }
        Run(connection,
            fmt::format("BEGIN; INSERT INTO {0} VALUES {1}; UPDATE {0} SET value = value + 1 "
                        "WHERE id = {2}; DELETE FROM {0} WHERE id = {3}; COMMIT",
                        FreshTable(table), values, id - 1, id - 4));
        std::lock_guard lock(mutex);
        committed.push_back({table, id, Steady::now()});
    }
    PQfinish(connection);
}

// As a dashboard that somebody looks at does: five tiles, anew each second.
void LookAtDashboard(Warehouse& warehouse, int tables, std::stop_token stop,
                     std::vector<double>& took_ms) {
    const auto session = Must(warehouse.OpenSession());
    std::string all;
    for (int i = 0; i < tables; ++i) {
        all += fmt::format("{}SELECT {} AS t, id, value FROM bench.{}", i == 0 ? "" : " UNION ALL ",
                           i, FreshTable(i));
    }
    const std::vector<std::string> tiles = {
        "SELECT count(*), avg(value) FROM (" + all + ")",
        "SELECT t, count(*), max(value) FROM (" + all + ") GROUP BY t ORDER BY t",
        "SELECT value % 50 AS v, count(*) FROM (" + all + ") GROUP BY v ORDER BY v",
        "SELECT t, id FROM (" + all + ") ORDER BY id DESC LIMIT 20",
        "SELECT count(DISTINCT id % 10000) FROM (" + all + ")"};
    for (std::size_t n = 0; !stop.stop_requested(); ++n) {
        const auto begin = Steady::now();
        const auto rows = Must(session->Query(tiles[n % tiles.size()]));
        while (Must(rows->Next()) != nullptr) {
        }
        took_ms.push_back(Since(begin) * 1000);
        std::this_thread::sleep_until(begin + std::chrono::milliseconds(200));
    }
}

// Which of the committed transactions the warehouse shows, asked again and again until all are.
std::vector<double> WatchThem(Warehouse& warehouse, int tables, double seconds, std::mutex& mutex,
                              const std::vector<Committed>& committed) {
    std::string sql;
    for (int i = 0; i < tables; ++i) {
        sql += fmt::format("{}(SELECT max(id) FROM bench.{})", i == 0 ? "SELECT " : ", ",
                           FreshTable(i));
    }
    const auto session = Must(warehouse.OpenSession());
    std::vector<double> seen_ms;
    std::vector<std::size_t> unseen;
    std::size_t known = 0;
    const auto begin = Steady::now();
    while (Since(begin) < seconds + 10) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::vector<std::int64_t> visible;
        {
            const auto rows = Must(session->Query(sql));
            const auto* block = Must(rows->Next());
            for (int i = 0; i < tables; ++i) {
                visible.push_back(block->columns[static_cast<std::size_t>(i)].Get<std::int64_t>(0));
            }
        }
        const auto now = Steady::now();
        std::lock_guard lock(mutex);
        for (; known < committed.size(); ++known) unseen.push_back(known);
        std::erase_if(unseen, [&](std::size_t place) {
            const auto& one = committed[place];
            if (one.id > visible[static_cast<std::size_t>(one.table)]) return false;
            seen_ms.push_back(std::chrono::duration<double, std::milli>(now - one.at).count());
            return true;
        });
        if (unseen.empty() && Since(begin) > seconds + 0.5) return seen_ms;
    }
    Die("not everything became visible");
}

double At(std::vector<double>& values, double part) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

void Freshness(const std::string& folder, int tables, double rate, double seconds) {
    const auto warehouse = OpenWarehouse(folder);
    const auto source = OpenSource();
    const auto runner = NewRunner(*warehouse, *source, {"public.fresh*"}, "public");
    while (runner->status().state != StreamStatus::State::kStreaming) {
        if (const auto error = runner->status().error) Die(error->ToString());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    std::mutex mutex;
    std::vector<Committed> committed;
    std::vector<double> seen_ms, tiles_ms;
    {
        std::jthread dashboard(
            [&](std::stop_token stop) { LookAtDashboard(*warehouse, tables, stop, tiles_ms); });
        std::vector<std::jthread> writers;
        for (int writer = 0; writer < kWriters; ++writer) {
            writers.emplace_back(
                [&, writer] { MakeChanges(writer, tables, rate, seconds, mutex, committed); });
        }
        seen_ms = WatchThem(*warehouse, tables, seconds, mutex, committed);
    }
    const auto made = static_cast<double>(seen_ms.size()) * 10 / seconds;
    fmt::print(
        "{{\"transactions\": {}, \"changes_per_s\": {:.0f}, \"p50_ms\": {:.1f}, "
        "\"p99_ms\": {:.1f}, \"max_ms\": {:.1f}, \"tiles\": {}, \"tile_p50_ms\": {:.1f}, "
        "\"tile_p99_ms\": {:.1f}}}\n",
        seen_ms.size(), made, At(seen_ms, 0.5), At(seen_ms, 0.99), At(seen_ms, 1), tiles_ms.size(),
        At(tiles_ms, 0.5), At(tiles_ms, 0.99));
}

}  // namespace
}  // namespace biwa::bench

int main(int argc, char** argv) {
    using namespace biwa;
    using namespace biwa::bench;
    SetLogLevel(LogLevel::kWarn);
    KeepLargeBlocksApart();
    const std::string command = argc > 1 ? argv[1] : "";
    const auto argument = [&](int i) -> std::string { return i < argc ? argv[i] : ""; };
    if (command == "copy-limit") {
        CopyLimit(argument(2));
    } else if (command == "store-limit") {
        StoreLimit(argument(2), argument(3));
    } else if (command == "pgoutput-limit") {
        PgOutputLimit(argument(2), argument(3), argument(4));
    } else if (command == "snapshot" || command == "start") {
        Stream(argument(2), argument(3), "");
    } else if (command == "changes") {
        Stream(argument(2), argument(3), argument(4));
    } else if (command == "follow") {
        Follow(argument(2), argument(3), argument(4) == "read");
    } else if (command == "freshness") {
        Freshness(argument(2), std::stoi(argument(3)), std::stod(argument(4)),
                  std::stod(argument(5)));
    } else {
        Die("unknown command: see the top of bench/replication_bench.cc");
    }
}
