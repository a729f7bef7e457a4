// What the measuring programs have in common. Each prints its result as one line of JSON; an error
// ends it with 1.
#pragma once

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "replication/stream_runner.h"
#include "source/registry.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::bench {

using Steady = std::chrono::steady_clock;

[[noreturn]] inline void Die(const std::string& message) {
    fmt::print(stderr, "bench: {}\n", message);
    std::exit(1);
}

template <typename T>
T Must(Result<T> result) {
    if (!result) Die(result.error().ToString());
    return std::move(*result);
}
inline void Must(const Status& status) {
    if (!status) Die(status.error().ToString());
}

inline double Since(Steady::time_point begin) {
    return std::chrono::duration<double>(Steady::now() - begin).count();
}

inline std::string Environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

// Of the processors, of all threads.
inline double CpuSeconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
inline std::int64_t PeakMegabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

inline void PrintResult(double rows, double seconds, std::uint64_t file_bytes = 0) {
    fmt::print(
        "{{\"rows\": {:.0f}, \"seconds\": {:.3f}, \"rows_per_s\": {:.0f}, \"cpu_s\": {:.2f}, "
        "\"rss_mb\": {}, \"file_mb\": {}}}\n",
        rows, seconds, rows / seconds, CpuSeconds(), PeakMegabytes(), file_bytes >> 20);
}

// What BENCH_TEXTS says of those that seldom repeat; what a stream does of itself where it is
// unset.
inline std::optional<TextStorage> TextsAsked() {
    const auto asked = Environment("BENCH_TEXTS");
    if (asked.empty()) return std::nullopt;
    return asked == "plain" ? TextStorage::kPlain : TextStorage::kCompressed;
}

// BENCH_MEMORY_MB is what the engine may take; its default otherwise.
inline std::unique_ptr<Warehouse> OpenWarehouse(const std::string& folder) {
    DuckDbOptions options;
    options.path = folder + "/warehouse.duckdb";
    if (const auto limit = Environment("BENCH_MEMORY_MB"); !limit.empty()) {
        options.memory_limit_bytes = std::stoull(limit) << 20;
    }
    return Must(OpenDuckDb(options));
}

// A stream of these tables into dataset "bench".
inline std::unique_ptr<StreamRunner> NewRunner(Warehouse& warehouse, Source& source,
                                               std::vector<std::string> tables,
                                               const std::string& usual_schema,
                                               bool is_read = true) {
    StreamOptions options;
    options.name = "bench";
    options.dataset = {"bench", usual_schema};
    options.tables = std::move(tables);
    options.texts = TextsAsked();
    options.is_read = [is_read] { return is_read; };
    return std::make_unique<StreamRunner>(
        warehouse, std::move(options),
        [&source](const std::string& line) { return source.OpenStream(line, {}); }, nullptr);
}

inline bool IsFollowing(const StreamStatus& status) {
    if (status.error) Die(status.error->ToString());
    return (status.state == StreamStatus::State::kStreaming ||
            status.state == StreamStatus::State::kCatchingUp) &&
           !status.position.empty();
}

// Runs the stream until its tables are copied, where `end` is empty, or its position has reached
// that. `order_of` tells which position comes first. Prints rows or changes a second.
inline void RunStream(Source& source, const std::string& folder, const std::string& table,
                      const std::string& usual_schema, const std::string& end,
                      const std::function<std::uint64_t(const std::string&)>& order_of) {
    const auto warehouse = OpenWarehouse(folder);
    const auto begin = Steady::now();
    const auto runner = NewRunner(*warehouse, source, {table}, usual_schema);
    for (;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const auto status = runner->status();
        if (!IsFollowing(status)) continue;
        if (end.empty()) {
            return PrintResult(static_cast<double>(status.tables.at(0).rows_copied), Since(begin),
                               warehouse->size_bytes());
        }
        if (order_of(status.position) >= order_of(end)) {
            return PrintResult(static_cast<double>(status.changes_total), Since(begin));
        }
    }
}

}  // namespace biwa::bench
