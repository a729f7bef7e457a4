// The measuring half of `bench/run models`: each command prints one JSON object.
//
//   bare FOLDER MODELS    the models' SQL by a client of the engine that does nothing else: one
//                         statement a model, each its own transaction
//   run FOLDER MODELS     the same models as definitions, by Biwa's runner
// Both build every model into a new file once, then measure building them all again.
#include <duckdb.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "transform/compile/compile.h"
#include "transform/run/model_runner.h"
#include "transform/run/selection.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa {
namespace {

[[noreturn]] void Die(const std::string& message) {
    fmt::print(stderr, "models_bench: {}\n", message);
    std::exit(1);
}

std::string ModelSql(int model) {
    return fmt::format("SELECT i AS id, i % 10 AS part, {} AS model FROM range(1000) AS r(i)",
                       model);
}

double Seconds(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// `first`: when nothing was there yet.
void PrintResult(int models, double first, double seconds) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print(
        "{{\"models\": {}, \"first_seconds\": {:.4f}, \"seconds\": {:.4f}, \"rss_mb\": {}}}\n",
        models, first, seconds, usage.ru_maxrss / 1024);
}

void Bare(const std::string& folder, int models) {
    duckdb_database database = nullptr;
    duckdb_connection connection = nullptr;
    if (duckdb_open((folder + "/bare.duckdb").c_str(), &database) != DuckDBSuccess ||
        duckdb_connect(database, &connection) != DuckDBSuccess) {
        Die("cannot open the file");
    }
    const auto execute = [&](const std::string& sql) {
        duckdb_result result;
        if (duckdb_query(connection, sql.c_str(), &result) != DuckDBSuccess)
            Die(duckdb_result_error(&result));
        duckdb_destroy_result(&result);
    };
    execute("SET threads = 2");
    execute("CREATE SCHEMA mart");
    double seconds[2] = {};
    for (int round = 0; round < 2; ++round) {
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < models; ++i) {
            execute(fmt::format("CREATE OR REPLACE TABLE mart.m{} AS {}", i, ModelSql(i)));
        }
        seconds[round] = Seconds(began);
    }
    PrintResult(models, seconds[0], seconds[1]);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

void RunModels(const std::string& folder, int models) {
    transform::CompileInput input;
    input.settings.default_dataset = "mart";
    for (int i = 0; i < models; ++i) {
        input.files.push_back(
            {fmt::format("definitions/m{}.sqlx", i), "config { type: \"table\" }\n" + ModelSql(i)});
    }
    const auto graph = transform::Compile(input);
    if (!graph) Die(graph.error().ToString());
    DuckDbOptions options;
    options.path = folder + "/ours.duckdb";
    const auto warehouse = OpenDuckDb(options);
    if (!warehouse) Die(warehouse.error().ToString());
    SystemClock clock;
    const auto selection = transform::Select(*graph, {});
    double seconds[2] = {};
    for (int round = 0; round < 2; ++round) {
        // As a command does, that knows of earlier runs by the warehouse alone.
        const auto began = std::chrono::steady_clock::now();
        transform::ModelRunner runner(**warehouse, clock);
        const auto result = runner.Run(*graph, *selection, {}, nullptr, {});
        seconds[round] = Seconds(began);
        for (const auto& action : result.actions) {
            if (action.error) Die(action.error->ToString());
        }
    }
    PrintResult(models, seconds[0], seconds[1]);
}

}  // namespace
}  // namespace biwa

int main(int argc, char** argv) {
    const std::string command = argc > 3 ? argv[1] : "";
    if (command == "bare") {
        biwa::Bare(argv[2], std::atoi(argv[3]));
    } else if (command == "run") {
        biwa::RunModels(argv[2], std::atoi(argv[3]));
    } else {
        biwa::Die("usage: models_bench bare|run FOLDER MODELS");
    }
}
