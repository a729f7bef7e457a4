// What app/ brings: the kinds of things there are; and what follows from a project's files and
// these alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "project/project.h"
#include "replication/target_table.h"
#include "server/http/http_server.h"
#include "source/registry.h"
#include "transform/compile/compile.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct Engine {
    SourceRegistry sources;
    std::function<Result<std::unique_ptr<Warehouse>>(const WarehouseConfig&)> open_warehouse;
    std::vector<http::StaticFile> web_files;
    std::string version;

    ConnectionKinds connection_kinds() const;
};

// What the compiler is given: the project's definitions, and what its streams bring.
transform::CompileInput CompileInputOf(const Engine& engine, const Project& project);
// Compiles that, and prepares it for the warehouse.
Result<std::shared_ptr<const transform::CompiledGraph>> CompileProject(const Engine& engine,
                                                                       const Project& project);

// Everything that a project wants, for a plan.
std::vector<Resource> DesiredResources(const Project& project,
                                       const transform::CompiledGraph& graph);

// Opens a connection of the project, its secrets resolved.
Result<std::shared_ptr<Source>> OpenConnection(const Engine& engine, const Project& project,
                                               const std::string& connection);
// One as it was applied, which the files may not say any more.
Result<std::shared_ptr<Source>> OpenConnection(const Engine& engine, const Project& project,
                                               const ConnectionConfig& config);

// A stream's dataset, and which of the source's schemas is the usual one.
TargetDataset DatasetOf(const Engine& engine, const std::string& dataset,
                        const ConnectionConfig& connection);

}  // namespace biwa
