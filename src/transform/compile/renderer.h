// Makes SQL of statements: puts values where placeholders are, and keeps note of the tables read.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "transform/compile/graph.h"
#include "transform/compile/sqlx_lexer.h"
#include "transform/compile/table_names.h"

namespace biwa::transform {

class ScriptedSqlx;

// Of one definition file. The references must outlive it.
class Renderer {
  public:
    // Rows in place of tables, as SQL: of a unit test.
    using Inputs = std::map<TableName, std::string>;
    struct Subject {
        TableName target;
        std::string project;             // where it is not the project's
        bool makes_table = false;        // self() may be written
        bool refers = true;              // ref() may be written
        const Inputs* inputs = nullptr;  // then every table has to be among them
    };
    Renderer(Subject subject, const LineIndex& lines, const ModelsConfig& settings,
             const TableNames& names, std::vector<Problem>& problems);
    // What evaluates the placeholders that need a JavaScript engine; it must outlive this.
    void UseScript(ScriptedSqlx* script);

    // What is wrong goes to the problems; the SQL then has gaps.
    SqlText Render(const SqlStatement& statement, bool incremental);
    std::vector<SqlText> Render(const std::vector<SqlStatement>& statements, bool incremental);

    // What ref() and resolve() put into SQL; `refers`: it is depended on.
    Parsed<std::string> TableOf(TableReference reference, bool refers);
    // What self(), name(), schema() and database() put.
    Parsed<std::string> NameOf(std::string_view function, std::size_t offset);

    // What the SQL rendered so far refers to.
    const std::vector<TableReference>& references() const { return references_; }
    // Where there are inputs: what has none and was referred to.
    const std::set<TableName>& missing_inputs() const { return missing_inputs_; }

  private:
    class Writer;
    using Done = Parsed<void>;
    Done Put(const Expression& expression, Writer& out);
    Done PutCall(const Expression& call, Writer& out);
    // A table, or the rows in its place.
    std::string SqlOf(const TableName& table);
    Done PutWhen(const Expression& call, Writer& out);
    Parsed<bool> Decide(const Expression& condition) const;
    Parsed<TableReference> ReadReference(const Expression& call) const;

    const Subject subject_;
    const LineIndex& lines_;
    const ModelsConfig& settings_;
    const TableNames& names_;
    std::vector<Problem>& problems_;
    std::vector<TableReference> references_;
    ScriptedSqlx* script_ = nullptr;
    std::set<TableName> missing_inputs_;
    bool incremental_ = false;
};

}  // namespace biwa::transform
