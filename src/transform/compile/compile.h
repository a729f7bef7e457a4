// Compiles a project's definitions, in Dataform's language. Pure: it reads what it is given and
// nothing else. A JavaScript engine is started only when something needs it.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "project/project.h"
#include "script/engine.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

struct CompileInput {
    std::vector<DefinitionFile> files;     // definitions/**, sorted by path
    std::vector<DefinitionFile> includes;  // includes/**.js, sorted by path
    // For require() and getContents(): the text of any other file inside of the project, by its
    // path from there; nothing when there is none. May be empty.
    std::function<std::optional<std::string>(const std::string& path)> read_file;
    script::Limits script_limits;
    ModelsConfig settings;
    std::set<TableName> tables;             // that are there besides the project's models
    std::set<std::string> stream_datasets;  // filled by streams: any of their tables may be read
};

struct Compilation {
    CompiledGraph graph;              // what could be made of it, where there are errors
    std::vector<FileProblem> errors;  // sorted by place
};

Compilation CompileAll(const CompileInput& input);

// The error holds all that is wrong, one "file:line:column: …" a line.
Result<CompiledGraph> Compile(const CompileInput& input);

}  // namespace biwa::transform
