// A .sqlx file taken apart: its config, its JavaScript, its SQL with the placeholders cut out.
//
//     config { … }              JavaScript: one object literal
//     js { … }                  JavaScript
//     pre_operations { … }      SQL statements, run before
//     post_operations { … }     SQL statements, run after
//     incremental_where { … }   SQL: a condition on the rows of an incremental build
//     input "t" { … }           SQL: rows in place of a table, of a unit test; "dataset", "t" too
//     SELECT … ${ref("t")} …    SQL; a line's end of "---" parts statements
//
// ${…} is a placeholder in SQL, in strings and in quoted names; in a comment it is text. The blocks
// are known at the top of the file only, not in strings, comments or other blocks. Strings are the
// warehouse's ('it''s', E'it\'s', $$it's$$), where Dataform reads BigQuery's ('it\'s', '''it's''');
// names may stand in BigQuery's `…`, which mean nothing in the warehouse's SQL.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "transform/compile/problem.h"

namespace biwa::transform {

// A piece of the file. Views point into the text that was lexed.
struct SourceText {
    std::size_t offset = 0;
    std::string_view text;
};

struct SqlPart {
    enum class Kind { kText, kPlaceholder };
    Kind kind = Kind::kText;
    SourceText source;  // of a placeholder: what is between "${" and "}"
};
using SqlStatement = std::vector<SqlPart>;

struct SqlxInput {
    std::vector<SourceText> names;  // the table's, with its dataset and project in front
    std::vector<SqlStatement> statements;
    std::size_t offset = 0;
};

struct SqlxFile {
    std::optional<SourceText> config;  // with its braces
    std::vector<SourceText> js;        // without
    std::vector<SqlStatement> statements;
    std::vector<SqlStatement> pre_operations;
    std::vector<SqlStatement> post_operations;
    std::vector<SqlStatement> incremental_where;
    std::vector<SqlxInput> inputs;
};

// Statements of nothing but white space are left out.
Parsed<SqlxFile> LexSqlx(std::string_view text);

// Whether there is anything in it but white space and comments.
bool HasSql(const SqlStatement& statement);

}  // namespace biwa::transform
