// What the language server asks of the rest of Biwa.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "project/project.h"
#include "transform/compile/graph.h"

namespace biwa::lsp {

struct ColumnFacts {
    std::string name;
    std::string type;  // may be empty
    std::string description;
};

// A table that is in the warehouse.
struct TableFacts {
    TableName name;
    std::vector<ColumnFacts> columns;
};

// Used by the thread that runs the server.
class ProjectTools {
  public:
    virtual ~ProjectTools() = default;
    // Errors as those of LoadProject and Compile: one "file:line:column: …" a line.
    virtual Result<std::shared_ptr<const Project>> Load(const std::filesystem::path& root,
                                                        const UnsavedTexts& unsaved) = 0;
    virtual Result<std::shared_ptr<const transform::CompiledGraph>> Compile(
        const Project& project) = 0;
    // What an instance that runs for the project has; nothing when none does. Soon.
    virtual std::vector<TableFacts> Tables(const Project& project) = 0;
};

}  // namespace biwa::lsp
