// What a statement in the binary log does to tables. With binlog_format=ROW the changes of rows
// come as rows; statements are what begins and ends transactions, and changes of definitions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace biwa::mysql {

struct TableEffect {
    enum class Kind {
        kDefined,    // its columns may be others now
        kEmptied,    // it is there and has no rows
        kDropped,    // it is gone
        kSucceeded,  // another is in its place that has its rows
        kReplaced,   // its rows are others, and the log does not have them; `why` says how
    };
    Kind kind = Kind::kDefined;
    std::string schema;
    std::string table;  // empty: all of the schema
    std::string why = {};
    // Of kDefined: columns that went and came, in small letters. One that went and came again has
    // another's values.
    std::vector<std::string> dropped = {}, added = {};
    // Of kReplaced: columns that got other names by it, as they are written.
    std::vector<std::pair<std::string, std::string>> renamed = {};
    // Of kDefined: what columns have that rows do not name may be another from here on.
    bool changes_defaults = false;
};

struct Statement {
    enum class Kind {
        kBegin,
        kCommit,
        kRollback,
        kSavepoint,
        kRollbackToSavepoint,
        kXaCommit,
        kXaRollback,
        kRows,  // changes rows, as a statement
        kOther,
    };
    Kind kind = Kind::kOther;
    // In their order. Of kRows: the tables that may be meant, every name that stands in it.
    std::vector<TableEffect> effects;
    std::string savepoint = {};  // in small letters
    // TRUNCATE and ALTER do not say whether they mean a temporary table; CREATE and DROP do.
    bool may_be_of_temporary = false;
    // Of kRows: it is a stored function that was called, and no name of a table stands in it.
    bool calls_function = false;
};

// `database`: that of tables without one in front. `has_backslashes`: whether those escape what
// follows them in a text, which they do but for sql_mode=NO_BACKSLASH_ESCAPES.
Statement ReadStatement(std::string_view sql, const std::string& database,
                        bool has_backslashes = true);

}  // namespace biwa::mysql
