// biwa up [URL]: from nothing, or from a database's address, to a page that shows it.
#include <fmt/format.h>

#include <filesystem>

#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "project/scaffold.h"
#include "replication/target_table.h"

namespace biwa::cli {

namespace {

struct UpOptions {
    std::string url;
    std::string listen;
};

// The kind of source that an address begins with, "mysql" of "mysql://…".
Result<std::string> KindOf(const Engine& engine, const std::string& url) {
    const auto scheme = url.substr(0, url.find("://"));
    const auto name = scheme == "postgresql" ? "postgres" : scheme;
    std::string known;
    for (const auto& [kind_name, kind] : engine.sources.kinds()) {
        if (!kind.parse_url) continue;
        if (kind_name == name) return name;
        known += (known.empty() ? "" : ", ") + kind_name + "://…";
    }
    // The address is not repeated: a password may stand in it.
    return UserError("this is not the address of a database", "Known are " + known);
}

// Writes a project for the database into the folder.
Status WriteProjectFor(Engine& engine, const std::filesystem::path& root, const std::string& url) {
    ScaffoldDatabase database;
    database.kind = BIWA_TRY(KindOf(engine, url));
    const auto& kind = *engine.sources.Find(database.kind);
    const auto values = BIWA_TRY(kind.parse_url(url));
    const auto source = BIWA_TRY(kind.open(values));
    const auto stream = BIWA_TRY(source->OpenStream("new", {}));
    // Where the usual schema is one of many databases, the others are not meant.
    const auto pattern = kind.usual_schema ? kind.usual_schema(values) + ".*" : std::string("*");
    TargetDataset dataset;
    if (kind.usual_schema) dataset.usual_schema = kind.usual_schema(values);
    const auto tables = BIWA_TRY(stream->Tables({pattern}, IfMissing::kPassOver));
    for (const auto& setting : kind.settings) {
        if (setting.name == "port") database.port = std::atoi(setting.default_text.c_str());
    }
    for (const auto& [name, value] : values) {
        if (name == "host") {
            database.host = value;
        } else if (name == "port") {
            database.port = std::atoi(value.c_str());
        } else if (name == "database") {
            database.database = value;
        } else if (name == "user") {
            database.user = value;
        } else if (name == "password") {
            database.password = value;
        } else {
            database.more[name] = value;
        }
    }
    for (const auto& table : tables) {
        if (!table.refusal.empty()) {
            Say(fmt::format("  left out: {} {}\n            {}", table.ToString(), table.refusal,
                            table.mend_sql));
            continue;
        }
        database.tables.push_back({table.schema, table.name,
                                   TargetTable(dataset, table.schema, table.name).name,
                                   table.columns, table.rows_estimate});
    }
    if (database.tables.empty()) {
        return UserError("the database has no table that can be followed",
                         "Make one with a primary key, or check what the user may see.");
    }
    const auto files = FilesForDatabase(database);
    BIWA_TRY(WriteProject(root, files));
    Say(fmt::format("Wrote a project of {} files for {} tables to {}", files.size(),
                    database.tables.size(), root.string()));
    return {};
}

Result<int> Up(Commands& commands, const UpOptions& options) {
    const auto root = std::filesystem::absolute(commands.project_folder).lexically_normal();
    if (!options.url.empty()) {
        if (std::filesystem::exists(root / "biwa.yaml")) {
            return UserError(fmt::format("there is a project in {} already", root.string()),
                             "`biwa up` alone runs it; a new one wants an empty folder.");
        }
        BIWA_TRY(WriteProjectFor(commands.engine, root, options.url));
    }
    const auto project = BIWA_TRY(commands.OpenProject());
    TakeStopSignals();
    if (!options.url.empty()) {
        const auto problems = Examine(commands.engine, *project, false);
        if (problems > 0) {
            return UserError(
                fmt::format("{} problems stand between here and the first row", problems),
                "Mend them as said above, then `biwa up`: the project is written.");
        }
    }
    const auto instance = BIWA_TRY(Instance::Open(commands.engine, project));
    const auto plan = BIWA_TRY(instance->MakePlan());
    if (plan.has_changes()) {
        Say(PlanToText(plan));
        BIWA_TRY(instance->Apply(plan, "command"));
    }
    return ServeUntilStopped(*instance, options.listen);
}

}  // namespace

void AddUp(Commands& commands) {
    const auto options = std::make_shared<UpOptions>();
    auto* command = commands.Add("up", "Apply the project and serve it",
                                 [&commands, options] { return Up(commands, *options); });
    command->add_option("URL", options->url,
                        "postgres://user@host/database or mysql://…: write a project for it first");
    command->add_option("--listen", options->listen, "Address of the page, e.g. 127.0.0.1:8700")
        ->type_name("HOST:PORT");
}

}  // namespace biwa::cli
