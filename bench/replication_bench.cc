// The measuring half of the replication benchmarks: each command prints one JSON object. bench/run
// prepares the server and puts ours beside the limit.
//
//   copy-limit TABLE              one backend's COPY … (FORMAT binary), read and thrown away
//   pgoutput-limit SLOT PUB LSN   pgoutput messages read and counted until LSN
//   snapshot FOLDER TABLE         a stream's copy, until changes are being followed
//   start FOLDER TABLE            the same, unmeasured: prepares `changes`
//   changes FOLDER TABLE LSN      a stream's changes, until those before LSN are in the warehouse
//   freshness FOLDER TABLE RATE SECONDS
//                                 from a commit at the source until a query here sees it, while so
//                                 many changes a second are made, ten a transaction
// The connection is that of libpq's environment (PGHOST, …).
#include <fmt/format.h>
#include <libpq-fe.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "replication/stream_runner.h"
#include "source/postgres/pgoutput.h"
#include "source/postgres/postgres_source.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa {
namespace {

using Steady = std::chrono::steady_clock;

[[noreturn]] void Die(const std::string& message) {
    fmt::print(stderr, "replication_bench: {}\n", message);
    std::exit(1);
}

double Since(Steady::time_point begin) {
    return std::chrono::duration<double>(Steady::now() - begin).count();
}

std::string Environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

void PrintResult(double rows, double seconds) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print(
        "{{\"rows\": {:.0f}, \"seconds\": {:.3f}, \"rows_per_s\": {:.0f}, \"cpu_s\": {:.2f}, "
        "\"rss_mb\": {}}}\n",
        rows, seconds, rows / seconds,
        static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
        usage.ru_maxrss / 1024);
}

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
    if (!source) Die(source.error().ToString());
    return std::move(*source);
}

StreamOptions BenchStream(const std::string& table) {
    StreamOptions options;
    options.name = "bench";
    options.dataset = "bench";
    options.tables = {table};
    return options;
}

void RunStream(const std::string& folder, const std::string& table, const std::string& lsn) {
    DuckDbOptions options;
    options.path = folder + "/warehouse.duckdb";
    auto warehouse = OpenDuckDb(options);
    if (!warehouse) Die(warehouse.error().ToString());
    const auto source = OpenSource();
    const auto begin = Steady::now();
    double result = 0;
    {
        StreamRunner runner(
            **warehouse, BenchStream(table),
            [&](const std::string& line) { return source->OpenStream(line, {}); }, nullptr);
        for (;;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            const auto status = runner.status();
            if (status.error) Die(status.error->ToString());
            const bool live = status.state == StreamStatus::State::kStreaming ||
                              status.state == StreamStatus::State::kCatchingUp;
            if (!live || status.position.empty()) continue;
            if (lsn.empty()) {
                result = static_cast<double>(status.tables.at(0).rows_copied);
                break;
            }
            if (*postgres::ParseLsn(status.position) >= *postgres::ParseLsn(lsn)) {
                result = static_cast<double>(status.changes_total);
                break;
            }
        }
        PrintResult(result, Since(begin));
    }
}

struct Committed {
    std::int64_t id;
    Steady::time_point at;
};

// Inserts and updates rows of TABLE (id bigint, value bigint); tells when each transaction had
// committed, by the highest id that it inserted.
void MakeChanges(const std::string& table, double rate, double seconds, std::mutex& mutex,
                 std::vector<Committed>& committed) {
    PGconn* connection = PQconnectdb("");
    if (PQstatus(connection) != CONNECTION_OK) Die(PQerrorMessage(connection));
    const auto begin = Steady::now();
    constexpr int kPerTransaction = 10;
    std::int64_t id = 0;
    for (std::int64_t n = 0; Since(begin) < seconds; ++n) {
        std::this_thread::sleep_until(
            begin + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(
                        static_cast<double>(n) * kPerTransaction / rate)));
        std::string values;
        for (int i = 0; i < kPerTransaction - 2; ++i) {
            values += fmt::format("{}({}, {})", i == 0 ? "" : ", ", ++id, n);
        }
        const auto sql = fmt::format(
            "BEGIN; INSERT INTO {0} VALUES {1}; UPDATE {0} SET value = value + 1 WHERE id = {2}; "
            "DELETE FROM {0} WHERE id = {3}; COMMIT",
            table, values, id / 2 + 1, id - 4);
        PGresult* result = PQexec(connection, sql.c_str());
        if (PQresultStatus(result) != PGRES_COMMAND_OK) Die(PQerrorMessage(connection));
        PQclear(result);
        std::lock_guard lock(mutex);
        committed.push_back({id, Steady::now()});
    }
    PQfinish(connection);
}

void Freshness(const std::string& folder, const std::string& table, double rate, double seconds) {
    DuckDbOptions options;
    options.path = folder + "/warehouse.duckdb";
    auto warehouse = OpenDuckDb(options);
    if (!warehouse) Die(warehouse.error().ToString());
    const auto source = OpenSource();
    StreamRunner runner(
        **warehouse, BenchStream(table),
        [&](const std::string& line) { return source->OpenStream(line, {}); }, nullptr);
    while (runner.status().state != StreamStatus::State::kStreaming) {
        if (const auto error = runner.status().error) Die(error->ToString());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    std::mutex mutex;
    std::vector<Committed> committed;
    std::jthread writer([&] { MakeChanges(table, rate, seconds, mutex, committed); });
    auto session = (*warehouse)->OpenSession();
    std::vector<double> seen_ms;
    const auto begin = Steady::now();
    for (std::size_t next = 0; Since(begin) < seconds + 5;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::int64_t visible = 0;
        {
            auto rows = (*session)->Query(fmt::format("SELECT coalesce(max(id), 0) FROM bench.{}",
                                                      table.substr(table.find('.') + 1)));
            if (!rows) Die(rows.error().ToString());
            const auto block = (*rows)->Next();
            if (!block) Die(block.error().ToString());
            visible = (*block)->columns[0].Get<std::int64_t>(0);
        }
        const auto now = Steady::now();
        std::lock_guard lock(mutex);
        for (; next < committed.size() && committed[next].id <= visible; ++next) {
            seen_ms.push_back(
                std::chrono::duration<double, std::milli>(now - committed[next].at).count());
        }
        if (next == committed.size() && Since(begin) > seconds + 0.5) break;
    }
    writer.join();
    if (seen_ms.size() != committed.size()) Die("not everything became visible");
    std::sort(seen_ms.begin(), seen_ms.end());
    const auto at = [&](double part) {
        return seen_ms[static_cast<std::size_t>(part * static_cast<double>(seen_ms.size() - 1))];
    };
    fmt::print(
        "{{\"transactions\": {}, \"changes_per_s\": {:.0f}, \"p50_ms\": {:.1f}, "
        "\"p99_ms\": {:.1f}, \"max_ms\": {:.1f}}}\n",
        seen_ms.size(), static_cast<double>(seen_ms.size()) * 10 / seconds, at(0.5), at(0.99),
        at(1));
}

}  // namespace
}  // namespace biwa

int main(int argc, char** argv) {
    using namespace biwa;
    SetLogLevel(LogLevel::kWarn);
    const std::string command = argc > 1 ? argv[1] : "";
    const auto argument = [&](int i) -> std::string { return i < argc ? argv[i] : ""; };
    if (command == "copy-limit") {
        CopyLimit(argument(2));
    } else if (command == "pgoutput-limit") {
        PgOutputLimit(argument(2), argument(3), argument(4));
    } else if (command == "snapshot" || command == "start") {
        RunStream(argument(2), argument(3), "");
    } else if (command == "changes") {
        RunStream(argument(2), argument(3), argument(4));
    } else if (command == "freshness") {
        Freshness(argument(2), argument(3), std::stod(argument(4)), std::stod(argument(5)));
    } else {
        Die("unknown command: see the top of bench/replication_bench.cc");
    }
}
