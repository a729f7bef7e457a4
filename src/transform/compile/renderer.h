// Makes SQL of statements: puts values where placeholders are, and keeps note of the tables read.
#pragma once

#include <vector>

#include "transform/compile/graph.h"
#include "transform/compile/sqlx_lexer.h"
#include "transform/compile/table_names.h"

namespace biwa::transform {

class ScriptedSqlx;

// Of one definition file. The references must outlive it.
class Renderer {
  public:
    struct Subject {
        TableName target;
        bool makes_table = false;  // self() may be written
    };
    Renderer(Subject subject, const LineIndex& lines, const ModelsConfig& settings,
             const TableNames& names, std::vector<Problem>& problems);
    // What evaluates the placeholders that need a JavaScript engine; it must outlive this.
    void UseScript(ScriptedSqlx* script) { script_ = script; }

    // What is wrong goes to the problems; the SQL then has gaps.
    SqlText Render(const SqlStatement& statement, bool incremental);
    std::vector<SqlText> Render(const std::vector<SqlStatement>& statements, bool incremental);

    // What ref() and resolve() put into SQL; `refers`: it is depended on.
    Parsed<std::string> TableOf(TableReference reference, bool refers);
    // What self(), name() and schema() put.
    Parsed<std::string> NameOf(std::string_view function, std::size_t offset) const;

    // What the SQL rendered so far refers to.
    const std::vector<TableReference>& references() const { return references_; }

  private:
    class Writer;
    using Done = Parsed<void>;
    Done Put(const Expression& expression, Writer& out);
    Done PutCall(const Expression& call, Writer& out);
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
    bool incremental_ = false;
};

}  // namespace biwa::transform
