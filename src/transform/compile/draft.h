// A definition on its way to be part of the graph.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transform/compile/config.h"
#include "transform/compile/graph.h"
#include "transform/compile/problem.h"
#include "transform/compile/scripted_sqlx.h"
#include "transform/compile/sqlx_lexer.h"

namespace biwa::transform {

// Of a .sqlx file, of an item of actions.yaml, or of what a .js file made. The files must outlive
// it.
struct Draft {
    explicit Draft(const DefinitionFile& from)
        : file(from), lines(from.text), sql_file(&from), sql_lines(lines) {}

    SourceLocation Locate(std::size_t offset) const {
        const auto place = lines.Find(offset);
        return {file.path, place.line, place.column};
    }

    const DefinitionFile& file;  // with the config
    LineIndex lines;
    const DefinitionFile* sql_file;  // with the SQL: actions.yaml has it elsewhere
    LineIndex sql_lines;
    SqlxFile sqlx;
    std::unique_ptr<ScriptedSqlx> script;  // of the .sqlx, where it needs an engine
    const MadeAction* made = nullptr;      // in a .js file
    DefinitionConfig config;
    TableName canonical;
    TableName target;
    std::vector<Problem> problems;           // places in `file`
    std::vector<Problem> sql_problems;       // places in `sql_file`
    std::vector<TableReference> references;  // of the SQL
    std::size_t action_place = 0;
};

}  // namespace biwa::transform
