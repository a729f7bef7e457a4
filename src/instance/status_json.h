// What an instance tells of itself, as the JSON of docs/api.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "instance/freshness.h"
#include "model/table.h"
#include "project/project.h"
#include "replication/stream_status.h"
#include "transform/compile/graph.h"
#include "transform/run/result.h"
#include "warehouse/warehouse.h"
#include "workflow/refresher.h"

namespace biwa {

struct InstanceFacts {
    std::string version;
    const Project* project = nullptr;
    Micros started_at = 0;
    std::uint64_t warehouse_bytes = 0;
    std::vector<StreamStatus> streams;
    std::vector<workflow::ModelStatus> models;
    std::map<TableName, ModelFreshness> freshness;  // of those that promise something
    std::map<TableName, std::int64_t> rows;         // of each table of the warehouse
    std::uint64_t resident_bytes = 0;               // of the process
    double cpu_seconds = 0;
    std::size_t queries_running = 0;
    std::size_t queries_waiting = 0;
};

// Of this process, into the facts.
void MeasureProcess(InstanceFacts& facts);

std::string StatusJson(const InstanceFacts& facts);
std::string RunJson(const transform::RunResult& result);
// One of its "models".
std::string ModelRunJson(const transform::ActionResult& result);
// {"columns": ["id"], "rows": [["7"], [null]]}, all values as text.
std::string FailingRowsJson(const transform::FailingRows& failing);

// Rows of every table that is not Biwa's own.
Result<std::map<TableName, std::int64_t>> CountTables(Warehouse& warehouse);
// Datasets, tables and columns, with the models' descriptions.
Result<std::string> CatalogJson(Warehouse& warehouse, const std::map<TableName, std::int64_t>& rows,
                                const transform::CompiledGraph& graph);

}  // namespace biwa
