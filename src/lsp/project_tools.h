// What the language server asks of the rest of Biwa.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/table.h"
#include "project/project.h"
#include "transform/compile/compile.h"

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

class ProjectTools {
  public:
    virtual ~ProjectTools() = default;
    virtual LoadedProject Load(const std::filesystem::path& root, const UnsavedTexts& unsaved) = 0;
    virtual transform::Compilation Compile(const Project& project) = 0;
    // What an instance that runs for the project has; nothing when none does. It may take seconds,
    // and is called on a thread of its own.
    virtual std::vector<TableFacts> Tables(const Project& project) = 0;
};

}  // namespace biwa::lsp
