#include "store_limit.h"

#include <duckdb.h>

#include <vector>

#include "base/text.h"
#include "bench.h"
#include "replication/change_buffer.h"
#include "warehouse/duckdb/blocks.h"
#include "warehouse/duckdb/handles.h"

namespace biwa::bench {

namespace {

// As many as a stream that is behind folds at once.
constexpr std::uint64_t kBatchChanges = 1'000'000;

// A file of the engine with the settings that the warehouse has.
class EngineAlone {
  public:
    explicit EngineAlone(const std::string& path) {
        if (duckdb_open(path.c_str(), database_.out()) != DuckDBSuccess ||
            duckdb_connect(database_.get(), connection_.out()) != DuckDBSuccess) {
            Die("cannot open " + path);
        }
        const DuckDbOptions usual;
        Execute(
            fmt::format("SET memory_limit = '{}B'; SET threads = {}; "
                        "SET checkpoint_threshold = '{}B'; SET preserve_insertion_order = false; "
                        "SET block_allocator_memory = '{}B'; "
                        "SET allocator_bulk_deallocation_flush_threshold = '16MiB'",
                        usual.memory_limit_bytes, usual.threads, usual.checkpoint_bytes,
                        usual.memory_limit_bytes / 2));
    }

    void Execute(const std::string& sql) {
        duck::QueryResult result;
        if (duckdb_query(connection_.get(), sql.c_str(), result.out()) != DuckDBSuccess) {
            Die(duckdb_result_error(result.get()));
        }
    }

    void Append(const char* schema, const std::string& table,
                const std::vector<duck::DataChunk>& chunks) {
        duckdb_appender appender = nullptr;
        bool is_good = duckdb_appender_create(connection_.get(), schema, table.c_str(),
                                              &appender) == DuckDBSuccess;
        for (const auto& chunk : chunks) {
            is_good = is_good && duckdb_append_data_chunk(appender, chunk.get()) == DuckDBSuccess;
        }
        is_good = is_good && duckdb_appender_close(appender) == DuckDBSuccess;
        if (!is_good) Die(duckdb_appender_error(appender));
        duckdb_appender_destroy(&appender);
    }

  private:
    duck::Database database_;
    duck::Connection connection_;
};

// All rows in the engine's own memory. Their texts stay where they are.
std::vector<duck::DataChunk> Materialize(RowSource* source) {
    std::vector<duck::DataChunk> chunks;
    if (source == nullptr) return chunks;
    std::vector<duck::LogicalType> types;
    std::vector<duckdb_logical_type> raw_types;
    for (const auto& column : source->columns()) {
        raw_types.push_back(types.emplace_back(duck::ToLogicalType(column.type)).get());
    }
    const auto reader = Must(source->Open());
    duck::ChunkBlock block(source->columns());
    for (;;) {
        duck::DataChunk chunk(duckdb_create_data_chunk(raw_types.data(), raw_types.size()));
        const auto rows = Must(reader->Fill(block.ForWriting(chunk.get())));
        if (rows == 0) return chunks;
        duckdb_data_chunk_set_size(chunk.get(), rows);
        chunks.push_back(std::move(chunk));
    }
}

double Store(EngineAlone& engine, const std::string& table, const ChangeBuffer& buffer) {
    const auto keys = Materialize(buffer.DeletedKeys().get());
    const auto rows = Materialize(buffer.Rows().get());
    const auto key = QuoteIdentifier(buffer.columns().columns[buffer.columns().key[0]].name);
    const auto target = fmt::format("bench.{}", QuoteIdentifier(table));
    const auto began = Steady::now();
    engine.Execute("BEGIN");
    if (!keys.empty()) {
        engine.Execute(fmt::format(
            "CREATE OR REPLACE TEMP TABLE changed_keys AS SELECT {} FROM {} LIMIT 0", key, target));
        engine.Append(nullptr, "changed_keys", keys);
        engine.Execute(fmt::format("DELETE FROM {} USING changed_keys AS k WHERE {}.{} = k.{}",
                                   target, target, key, key));
    }
    engine.Append("bench", table, rows);
    engine.Execute("COMMIT");
    return Since(began);
}

}  // namespace

void StoreLimit(StreamSource& source, const std::string& folder, const std::string& table,
                const std::string& begin, const std::string& end,
                const std::function<std::uint64_t(const std::string&)>& order_of) {
    const auto tables = Must(source.Tables({"bench." + table}, IfMissing::kRefuse));
    const auto changes = Must(source.Follow({{tables.at(0), 0}}, {order_of(begin), begin},
                                            std::chrono::milliseconds(1000)));
    EngineAlone engine(folder + "/warehouse.duckdb");
    std::unique_ptr<ChangeBuffer> buffer;
    double seconds = 0, stored = 0;
    for (bool at_end = false; !at_end;) {
        auto batch = Must(changes->Poll({}, std::chrono::milliseconds(200)));
        if (!batch) continue;
        at_end = batch->commit && batch->commit->order >= order_of(end);
        for (auto& part : batch->tables) {
            if (!buffer) buffer = std::make_unique<ChangeBuffer>(part.columns);
            buffer->Add(std::move(part), true);
        }
        if (!buffer || !(at_end || (batch->commit && buffer->changes() >= kBatchChanges))) continue;
        seconds += Store(engine, table, *buffer);
        stored += static_cast<double>(buffer->changes());
        buffer.reset();
    }
    PrintResult(stored, seconds);
}

}  // namespace biwa::bench
