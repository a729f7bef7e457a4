#include "instance/engine.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "project/files.h"
#include "project/secrets.h"
#include "transform/compile/prepare.h"

namespace biwa {

namespace {

// Tables that a stream's patterns name outright: what can be known without asking the source.
std::set<TableName> NamedTables(const Engine& engine, const Project& project) {
    std::set<TableName> tables;
    for (const auto& [name, stream] : project.streams) {
        const auto dataset =
            DatasetOf(engine, stream.dataset, project.connections.at(stream.connection));
        for (const auto& pattern : stream.tables) {
            if (pattern.ends_with('*')) continue;
            const auto dot = pattern.find('.');
            const auto schema =
                dot == std::string::npos ? dataset.usual_schema : pattern.substr(0, dot);
            const auto table = dot == std::string::npos ? pattern : pattern.substr(dot + 1);
            tables.insert(TargetTable(dataset, schema, table));
        }
    }
    return tables;
}

}  // namespace

ConnectionKinds Engine::connection_kinds() const {
    ConnectionKinds kinds;
    for (const auto& [name, kind] : sources.kinds()) kinds[name] = kind.settings;
    return kinds;
}

transform::CompileInput CompileInputOf(const Engine& engine, const Project& project) {
    transform::CompileInput input;
    input.files = project.definitions;
    input.includes = project.includes;
    input.read_file = [files = ProjectFiles(project.root)](const std::string& path) {
        // What is no file of the project is to require() as if it were not there.
        Problems ignored;
        return files.Exists(path) ? files.Read(path, ignored) : std::nullopt;
    };
    input.settings = project.models;
    input.tables = NamedTables(engine, project);
    for (const auto& [name, stream] : project.streams) {
        for (const auto& dataset : stream.datasets()) input.stream_datasets.insert(dataset);
    }
    return input;
}

Result<std::shared_ptr<const transform::CompiledGraph>> CompileProject(const Engine& engine,
                                                                       const Project& project) {
    auto graph = BIWA_TRY(transform::Compile(CompileInputOf(engine, project)));
    return std::make_shared<const transform::CompiledGraph>(
        transform::PrepareForEngine(std::move(graph)));
}

Result<std::shared_ptr<Source>> OpenConnection(const Engine& engine, const Project& project,
                                               const std::string& connection) {
    const auto& config = project.connections.at(connection);
    return OpenConnection(engine, project, config);
}

Result<std::shared_ptr<Source>> OpenConnection(const Engine& engine, const Project& project,
                                               const ConnectionConfig& config) {
    auto settings = BIWA_TRY(ResolveSecrets(project, config));
    const auto* kind = engine.sources.Find(config.kind);
    if (kind == nullptr) {
        return Corrupt(
            fmt::format("connection {} is of unknown kind \"{}\"", config.name, config.kind));
    }
    for (const auto& setting : kind->settings) {
        const auto path = settings.find(setting.name);
        if (setting.type != SettingType::kPath || path == settings.end()) continue;
        // One that is absolute stays as it is.
        if (!path->second.empty()) path->second = (project.root / path->second).string();
    }
    auto source = kind->open(settings);
    if (!source) return Within(config.location.ToString(), source.error());
    return std::shared_ptr<Source>(std::move(*source));
}

TargetDataset DatasetOf(const Engine& engine, const std::string& dataset,
                        const ConnectionConfig& connection) {
    const auto* kind = engine.sources.Find(connection.kind);
    return {dataset, kind != nullptr && kind->usual_schema ? kind->usual_schema(connection.settings)
                                                           : "public"};
}

}  // namespace biwa
