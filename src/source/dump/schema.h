// What the statements of a dump say of its tables.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/dump/statements.h"
#include "source/postgres/types.h"

namespace biwa::dump {

// As format_type writes it: "numeric(10,2)", "public.mood[]", "timestamp(3) with time zone".
struct TypeName {
    std::string name;                    // without what stands in brackets
    std::vector<std::string> arguments;  // "10", "2"
    bool is_array = false;
};

struct ColumnText {
    std::string name;
    TypeName type;
};

struct TableText {
    std::vector<ColumnText> columns;
    std::vector<std::string> key;      // of its primary key
    std::vector<std::string> parents;  // "schema.table": that it inherits from
};

// "COPY schema.table (a, b) FROM stdin"
struct CopyText {
    std::string table;  // "schema.table"
    std::vector<std::string> columns;
};

class Schema {
  public:
    // Statements of no concern, and such as are not understood, are passed over.
    void Take(std::string_view statement);
    // "a bigint, b text, PRIMARY KEY (a)". kUser when that is not what it is.
    static Result<TableText> ParseColumns(std::string_view text);

    // Null: the dump does not say what the table is.
    const TableText* Find(const std::string& table) const;
    // The partitioned table that this is a part of, at whatever depth; else the table itself.
    const std::string& RootOf(const std::string& table) const;
    // The column, of the table itself or of one that it inherits from; null when there is none.
    const ColumnText* FindColumn(const std::string& table, const std::string& column) const;

    bool IsArray(const TypeName& type) const { return WithoutDomains(type).is_array; }
    // How values of the type are read; those of a type that is not known as text. `dimensions`: of
    // the values of an array.
    postgres::ColumnDecoder DecoderOf(const TypeName& type, int dimensions);

    // "INSERT INTO" was among the statements: rows that are not read.
    bool has_inserts() const { return has_inserts_; }
    // What "SET client_encoding" says; empty when nothing does.
    const std::string& encoding() const { return encoding_; }

  private:
    TypeName WithoutDomains(TypeName type) const;
    postgres::Oid OidOf(const std::string& type);

    std::map<std::string, TableText> tables_;
    std::map<std::string, std::string> parts_;  // a partition to what it was attached to
    std::set<std::string> enums_;
    std::map<std::string, TypeName> domains_;
    bool has_inserts_ = false;
    std::string encoding_;
    postgres::TypeCatalog catalog_;
    std::map<std::string, postgres::Oid> oids_;  // of types that are not built in; any numbers
};

// Nothing when the statement is no COPY of rows that follow it.
Result<CopyText> ParseCopy(std::string_view statement);

}  // namespace biwa::dump
