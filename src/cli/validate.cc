// biwa validate, biwa schema: what can be said of a project's files alone.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"

namespace biwa::cli {

void AddValidate(Commands& commands) {
    commands.Add("validate", "Check the project's files", [&commands]() -> Result<int> {
        const auto project = BIWA_TRY(commands.OpenProject());
        const auto graph = BIWA_TRY(CompileProject(commands.engine, *project));
        // Columns as they are named, and what is done to them.
        std::map<std::string, std::map<std::string, std::string>> masks;
        for (const auto& [name, stream] : project->streams) {
            for (const auto& mask : stream.masks) masks[name][mask.columns] = ToString(mask.mask);
            if (stream.mask_by_default) masks[name]["all other columns"] = "null";
        }
        if (commands.json) {
            Print(nlohmann::json{{"ok", true},
                                 {"masks", masks},
                                 {"connections", project->connections.size()},
                                 {"streams", project->streams.size()},
                                 {"models", graph->actions.size()},
                                 {"dashboards", project->dashboards.size()}}
                      .dump() +
                  "\n");
        } else {
            Say(
                fmt::format("The project {} is good: {} connections, {} streams, {} models and "
                            "assertions, {} dashboards.",
                            project->name, project->connections.size(), project->streams.size(),
                            graph->actions.size(), project->dashboards.size()));
            for (const auto& note : graph->notes) Say(note);
            for (const auto& [stream, columns] : masks) {
                Say(fmt::format("Masks of stream {}:", stream));
                for (const auto& [name, mask] : columns) Say(fmt::format("  {}: {}", name, mask));
            }
        }
        return kGood;
    });
}

void AddSchema(Commands& commands) {
    const auto kind = std::make_shared<std::string>();
    auto* command = commands.Add(
        "schema", "Print the JSON Schema of a kind of project file",
        [&commands, kind]() -> Result<int> {
            const auto kinds = FileKinds(commands.engine.connection_kinds());
            const auto found = kinds.find(*kind);
            if (found != kinds.end()) {
                Print(JsonSchema(found->first, found->second));
                return kGood;
            }
            std::vector<std::string> names;
            names.reserve(kinds.size());
            for (const auto& [name, settings] : kinds) names.push_back(name);
            if (kind->empty()) {
                Print(Join(names, "\n") + "\n");
                return kGood;
            }
            const auto meant = DidYouMean(*kind, names);
            return UserError(fmt::format("there is no kind of file \"{}\"", *kind),
                             meant.empty() ? "Kinds: " + Join(names, ", ")
                                           : fmt::format("Did you mean \"{}\"?", meant));
        });
    command->add_option("KIND", *kind, "Which one; left out: lists them");
}

}  // namespace biwa::cli
