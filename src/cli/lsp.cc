// biwa lsp
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "lsp/server.h"

namespace biwa::cli {

namespace {

class EngineTools final : public lsp::ProjectTools {
  public:
    explicit EngineTools(const Engine& engine) : engine_(engine) {}

    LoadedProject Load(const std::filesystem::path& root, const UnsavedTexts& unsaved) override {
        return LoadWithProblems(root, engine_.connection_kinds(), unsaved);
    }

    transform::Compilation Compile(const Project& project) override {
        auto input = CompileInputOf(engine_, project);
        // A loop that is half typed must not take the editor's answers with it.
        input.script_limits.time_max = std::chrono::seconds(5);
        return transform::CompileAll(input);
    }

    // The warehouse's file is not opened: while an editor had it, Biwa could not start.
    std::vector<lsp::TableFacts> Tables(const Project& project) override {
        std::vector<lsp::TableFacts> tables;
        for (const auto& name : CompileInputOf(engine_, project).tables)
            tables.push_back({name, {}});
        const auto running = FindRunning(project);
        if (!running) return tables;
        http::HttpClient::Options options;
        options.token = running->token;
        options.connect_time_max = std::chrono::milliseconds(300);
        options.quiet_time_max = std::chrono::milliseconds(2'000);
        const auto answer = http::HttpClient(running->address, options).Get("/api/v1/catalog");
        if (answer) AddCatalog(*answer, tables);
        return tables;
    }

  private:
    static std::string TextOf(const nlohmann::json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : "";
    }

    static void AddCatalog(const std::string& answer, std::vector<lsp::TableFacts>& tables) {
        const auto catalog = nlohmann::json::parse(answer, nullptr, false);
        if (!catalog.is_object()) return;
        std::map<TableName, lsp::TableFacts> by_name;
        for (auto& table : tables) by_name[table.name] = std::move(table);
        const auto list = [](const nlohmann::json& object, const char* key) {
            const auto found = object.find(key);
            return found != object.end() && found->is_array() ? *found : nlohmann::json::array();
        };
        for (const auto& dataset : list(catalog, "datasets")) {
            for (const auto& table : list(dataset, "tables")) {
                lsp::TableFacts facts;
                facts.name = {TextOf(dataset, "name"), TextOf(table, "name")};
                for (const auto& column : list(table, "columns")) {
                    facts.columns.push_back({TextOf(column, "name"), TextOf(column, "type"),
                                             TextOf(column, "description")});
                }
                by_name[facts.name] = std::move(facts);
            }
        }
        tables.clear();
        for (auto& [name, table] : by_name) tables.push_back(std::move(table));
    }

    const Engine& engine_;
};

}  // namespace

void AddLsp(Commands& commands) {
    auto* command =
        commands.Add("lsp", "Serve an editor: the Language Server Protocol on stdin and stdout",
                     [&commands]() -> Result<int> {
                         std::ios::sync_with_stdio(false);
                         // One thread reads, another writes: reading must not flush what is being
                         // written.
                         std::cin.tie(nullptr);
                         EngineTools tools(commands.engine);
                         lsp::ServerOptions options;
                         options.version = commands.engine.version;
                         return lsp::Serve(std::cin, std::cout, tools, options);
                     });
    // Editors' clients say so; there is no other way.
    command->add_flag_callback(
        "--stdio", [] {}, "Taken, as there is no other way");
}

}  // namespace biwa::cli
