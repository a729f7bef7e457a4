// What the server's catalogue (information_schema) says of tables, columns and character sets.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/mysql/columns.h"
#include "source/mysql/connection.h"
#include "source/source.h"

namespace biwa::mysql {

// The server's character sets, asked of it when they are first needed. Used by one thread.
class CharacterSets {
  public:
    // Null for "binary".
    Result<std::shared_ptr<const CharacterSet>> Find(const Connection& connection,
                                                     const std::string& name);
    Result<std::shared_ptr<const CharacterSet>> FindByCollation(const Connection& connection,
                                                                std::uint16_t collation);

  private:
    std::map<std::string, std::shared_ptr<const CharacterSet>> sets_;
    std::map<std::uint16_t, std::string> names_;  // by the collation's number
};

struct CatalogColumn {
    std::string name;
    ColumnInfo info;
    bool nullable = true;
    // Computed when it is read. Its value is not in every change, so it is left out.
    bool is_virtual = false;
    bool is_computed = false;  // virtual or not
    bool is_numbered = false;  // AUTO_INCREMENT
    // What a new row has in it when nothing is given: a constant, or NULL.
    bool default_is_constant = false;
    bool has_default = false;  // else one has to be given, and the server's mode decides
    std::optional<std::string> default_text;  // as the warehouse reads it; nothing of NULL
};

// A table with what reading it takes.
struct CatalogTable {
    SourceTable table;
    std::vector<CatalogColumn> columns;   // all of them, in the table's order
    std::vector<ColumnDecoder> decoders;  // one a column of table.columns
};

// A row, unless the server writes no log: the file, its end, what binlog_do_db and binlog_ignore_db
// name and, of MySQL, the GTIDs.
Result<QueryRows> LogStatus(const Connection& connection);

// The tables that a pattern names, sorted: "schema.table", "schema.*", "schema.prefix*", "table"
// (of the connection's database), "*". A pattern that names nothing gives kUser, with what was
// near, or is passed over. Without `sets` the decoders read a SELECT's rows, but not the binary
// log's.
Result<std::vector<CatalogTable>> ReadTables(const Connection& connection,
                                             const std::string& database,
                                             const std::vector<std::string>& patterns,
                                             IfMissing if_missing = IfMissing::kRefuse,
                                             CharacterSets* sets = nullptr);

// Whether a column of the table map may be this one of the catalogue.
bool Fits(const ColumnInfo& info, const MappedColumn& mapped);

}  // namespace biwa::mysql
