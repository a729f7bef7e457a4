// biwa compile: what the project's definitions come to.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/command.h"
#include "transform/compile/compile.h"
#include "transform/compile/dataform_json.h"

namespace biwa::cli {

namespace {

struct CompileOptions {
    std::vector<std::string> vars;  // "name=value"
    std::string schema_suffix;
    std::string table_prefix;
};

// Options of the command line count before the project's settings.
Status Apply(const CompileOptions& options, ModelsConfig& settings) {
    for (const auto& pair : options.vars) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return UserError(fmt::format("--vars: \"{}\" sets no variable", pair),
                             "Write --vars name=value");
        }
        settings.vars.Set(pair.substr(0, equals), pair.substr(equals + 1));
    }
    if (!options.schema_suffix.empty()) settings.dataset_suffix = options.schema_suffix;
    if (!options.table_prefix.empty()) settings.name_prefix = options.table_prefix;
    return {};
}

void PrintStatement(const transform::SqlText& sql) { Print(sql.sql + ";\n"); }

void PrintBuild(const transform::BuildSql& build) {
    for (const auto& operation : build.pre_operations) PrintStatement(operation);
    PrintStatement(build.query);
    for (const auto& operation : build.post_operations) PrintStatement(operation);
}

void PrintGraph(const transform::CompiledGraph& graph) {
    for (const auto& action : graph.actions) {
        Print(fmt::format("-- {} {} ({}){}\n", transform::ToString(action.type),
                          action.target.ToString(), action.location.file,
                          action.disabled ? ", disabled" : ""));
        if (action.type == transform::ActionType::kOperations) {
            for (const auto& operation : action.operations) PrintStatement(operation);
        } else {
            PrintBuild(action.full);
        }
        if (action.type == transform::ActionType::kIncremental) {
            Print("-- onto what is there:\n");
            PrintBuild(action.incremental);
            if (action.incremental_where) Print("-- where " + action.incremental_where->sql + "\n");
        }
        Print("\n");
    }
    for (const auto& test : graph.tests) {
        Print(fmt::format("-- test {} of {} ({})\n", test.name, test.model.ToString(),
                          test.location.file));
        PrintStatement(test.query);
        Print("-- expected:\n");
        PrintStatement(test.expected);
        Print("\n");
    }
}

Result<int> Compile(const Commands& commands, const CompileOptions& options) {
    const auto project = BIWA_TRY(commands.OpenProject());
    auto input = CompileInputOf(commands.engine, *project);
    BIWA_TRY(Apply(options, input.settings));
    const auto compilation = transform::CompileAll(input);
    if (commands.json) {
        Print(transform::ToDataformJson(compilation, input.settings));
    } else if (compilation.errors.empty()) {
        PrintGraph(compilation.graph);
        for (const auto& note : compilation.graph.notes) Say(note);
    }
    for (const auto& error : compilation.errors)
        Say(fmt::format("{}: {}", error.location.ToString(), error.message));
    return compilation.errors.empty() ? kGood : kFailed;
}

}  // namespace

void AddCompile(Commands& commands) {
    const auto options = std::make_shared<CompileOptions>();
    auto* command = commands.Add("compile", "Compile the models and print them",
                                 [&commands, options] { return Compile(commands, *options); });
    command->add_option("--vars", options->vars, "Variables of the project: name=value,name=value")
        ->delimiter(',');
    command->add_option("--schema-suffix", options->schema_suffix,
                        "dev makes mart_dev of each dataset of the project's actions");
    command->add_option("--table-prefix", options->table_prefix,
                        "dev makes dev_daily of each name of the project's actions");
}

}  // namespace biwa::cli
