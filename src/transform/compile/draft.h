// A definition on its way to be part of the graph.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transform/compile/config.h"
#include "transform/compile/graph.h"
#include "transform/compile/problem.h"
#include "transform/compile/script_session.h"
#include "transform/compile/scripted_sqlx.h"
#include "transform/compile/sqlx_lexer.h"

namespace biwa::transform {

// Of a .sqlx file, of an item of actions.yaml, or made in a .js file. The files must outlive it.
struct Draft {
    Draft(const DefinitionFile& from, std::shared_ptr<const LineIndex> of_file)
        : file(from), lines(of_file), sql_file(&from), sql_lines(std::move(of_file)) {}
    explicit Draft(const DefinitionFile& from)
        : Draft(from, std::make_shared<LineIndex>(from.text)) {}

    SourceLocation Locate(std::size_t offset) const {
        const auto place = lines->Find(offset);
        return {file.path, place.line, place.column};
    }
    // Of the SQL's file, where that is another.
    SourceLocation location() const {
        if (sql_file == &file) return Locate(config.offset);
        return {sql_file->path, 1, 1};
    }

    const DefinitionFile& file;  // with the config
    std::shared_ptr<const LineIndex> lines;
    const DefinitionFile* sql_file;  // with the SQL: actions.yaml has it elsewhere
    std::shared_ptr<const LineIndex> sql_lines;
    SqlxFile sqlx;
    std::optional<ScriptedSqlx> script;          // of the .sqlx, where it needs an engine
    const MadeAction* made = nullptr;            // in a .js file
    std::pair<std::string, std::string> origin;  // `made`'s: dataset and project, or empty
    DefinitionConfig config;
    TableName canonical;
    TableName target;
    std::vector<Problem> problems;           // places in `file`
    std::vector<Problem> sql_problems;       // places in `sql_file`
    std::vector<TableReference> references;  // of the SQL
    std::size_t action_place = 0;
};

}  // namespace biwa::transform
