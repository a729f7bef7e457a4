// Compiles a project's definitions: the first part of Dataform's language, the one that needs no
// JavaScript engine. Pure: it reads what it is given and nothing else.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "project/project.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

struct CompileInput {
    std::vector<DefinitionFile> files;
    ModelsConfig settings;
    std::set<TableName> tables;             // that are there besides the project's models
    std::set<std::string> stream_datasets;  // filled by streams: any of their tables may be read
};

struct CompilationError {
    SourceLocation location;
    std::string message;
};

struct Compilation {
    CompiledGraph graph;                   // what could be made of it, where there are errors
    std::vector<CompilationError> errors;  // sorted by place
};

Compilation CompileAll(const CompileInput& input);

// The error holds all that is wrong, one "file:line:column: …" a line.
Result<CompiledGraph> Compile(const CompileInput& input);

}  // namespace biwa::transform
