// A .sqlx file as it stands, or as far as it has been typed: its blocks, and its SQL in tokens.
//
// Where LexSqlx (compile/sqlx_lexer.h) understands a file, both agree; where it refuses one, this
// goes on with a guess. Sections stand one behind another without a gap, and so do the tokens of a
// section's body: put together they are the file.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace biwa::transform {

struct SqlToken {
    enum class Kind {
        kSpace,   // with line ends or without
        kWord,    // a name, a keyword, a number
        kString,  // '…', E'…', $$…$$; with the placeholders in it
        kName,    // "…", the same
        kLineComment,
        kComment,
        kPlaceholder,  // ${…}
        kSeparator,    // --- at the end of a line
        kMark,         // one byte of anything else
    };
    Kind kind = Kind::kSpace;
    std::size_t offset = 0;  // byte of the file
    std::string_view text;
    bool closed = true;

    std::size_t end() const { return offset + text.size(); }
    bool Is(char mark) const { return kind == Kind::kMark && text[0] == mark; }
    bool IsComment() const { return kind == Kind::kLineComment || kind == Kind::kComment; }
    bool HoldsPlaceholders() const {
        return kind == Kind::kPlaceholder || kind == Kind::kString || kind == Kind::kName;
    }
};

struct SqlxSection {
    enum class Kind {
        kSql,  // outside of blocks
        kConfig,
        kJs,
        kPreOperations,
        kPostOperations,
        kIncrementalWhere,
        kInput,
    };
    Kind kind = Kind::kSql;
    std::size_t offset = 0;     // byte of the file
    std::string_view text;      // all of it
    std::string_view head;      // of a block: "config {", up to and with the brace
    std::string_view body;      // between the braces; of kSql all of it
    bool closed = true;         // the "}" is there
    std::vector<SqlToken> sql;  // of the body; empty for kConfig and kJs

    std::size_t end() const { return offset + text.size(); }
    std::size_t body_offset() const { return offset + head.size(); }
    bool HoldsSql() const { return kind != Kind::kConfig && kind != Kind::kJs; }
};

std::string_view ToString(SqlxSection::Kind kind);

std::vector<SqlxSection> OutlineSqlx(std::string_view text);

}  // namespace biwa::transform
