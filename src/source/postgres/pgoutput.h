// Logical replication messages of PostgreSQL's output plugin pgoutput, protocol version 1, into
// batches of changes (PostgreSQL manual, "Logical Replication Message Formats").
//
//   B  int64 LSN of the commit, int64 time, int32 xid
//   C  int8 flags, int64 LSN of the commit, int64 LSN after it, int64 time
//   R  int32 id, text schema, text table, int8 replica identity, int16 columns:
//      for each int8 flags (1: of the key), text name, int32 type, int32 type modifier
//   I  int32 id, 'N' tuple
//   U  int32 id, ['K' tuple | 'O' tuple], 'N' tuple
//   D  int32 id, 'K' tuple | 'O' tuple
//   T  int32 tables, int8 options, int32 id …
//   O, Y, M  passed over
//   tuple: int16 columns: for each 'n' (NULL) | 'u' (unchanged TOAST value) | 't' or 'b' int32
//   length,
//          bytes (text or binary form)
//
// Texts end with a zero byte; times are microseconds since 2000-01-01.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/postgres/types.h"
#include "source/source.h"

namespace biwa::postgres {

struct RelationColumn {
    std::string name;
    Oid type = 0;
    std::int32_t modifier = -1;
    bool in_key = false;
};

// A table as pgoutput announces it: as it was when the changes that follow were made.
struct Relation {
    std::uint32_t id = 0;
    std::string schema;
    std::string name;
    char replica_identity = 'd';
    std::vector<RelationColumn> columns;
};

struct ResolvedRelation {
    std::shared_ptr<const TableSchema> columns;
    std::vector<ColumnDecoder> decoders;  // one a column
    // The names under which the changes are handed out, where they are not the relation's own.
    std::string schema = {};
    std::string name = {};
    std::vector<TableChanges::HeardColumn> may_be = {};  // TableChanges::may_be
    // Changes of transactions whose commit record lies before this are passed over.
    std::uint64_t from = 0;
    // All are, and it is told what columns they have.
    bool names_only = false;
};

// Knows the tables of the stream and the types of the database.
class RelationResolver {
  public:
    virtual ~RelationResolver() = default;
    // Nothing for a table that is not of the stream: its changes are passed over.
    virtual Result<std::optional<ResolvedRelation>> Resolve(const Relation& relation) = 0;
};

// "16/B374D848"
std::string LsnText(std::uint64_t lsn);
Result<std::uint64_t> ParseLsn(std::string_view text);

// Used by one thread. Bytes that are not of the protocol give kCorrupt, whatever they are.
class PgOutputDecoder {
  public:
    explicit PgOutputDecoder(RelationResolver& resolver) : resolver_(resolver) {}

    Status Decode(std::string_view message);
    // The same; large values of it are not copied but hold on to it.
    Status Decode(const SharedBytes& message);

    // What was decoded since the last call. Its `commit` is set when no transaction is open.
    ChangeBatch TakeBatch();
    std::uint64_t changes() const { return batch_.changes; }
    // Whether there is a whole number of transactions, one at the least.
    bool at_commit() const { return !in_transaction_ && batch_.commit.has_value(); }
    bool in_transaction() const { return in_transaction_; }
    // Values that the warehouse's types cannot hold, since the start.
    std::uint64_t unrepresentable() const { return unrepresentable_; }

  private:
    struct Table {
        Relation relation;
        std::optional<ResolvedRelation> resolved;  // nothing: passed over
        std::vector<bool> in_key;                  // of resolved->columns, one a column
        std::optional<std::size_t> in_batch;       // its current part of the batch
        std::size_t rows_expected = 0;             // as many as in its part of the last batch
    };
    struct Field {
        char kind = 'n';
        std::string_view bytes;
    };
    class Reader;

    Status DecodeBegin(Reader& reader);
    Status DecodeRelation(Reader& reader);
    Status DecodeCommit(Reader& reader);
    Status DecodeInsert(Reader& reader);
    Status DecodeUpdate(Reader& reader);
    Status DecodeDelete(Reader& reader);
    Status DecodeTruncate(Reader& reader);

    Result<Table*> ReadTable(Reader& reader);
    Status ReadTuple(Reader& reader, const Table& table, std::vector<Field>& fields);
    TableChanges& PartOf(Table& table);
    Status SetCell(const Table& table, std::size_t column, const Field& field, RowStore& rows,
                   std::size_t cells_column, std::size_t row);
    static const RelationColumn* LacksOfKey(const Table& table, const std::vector<Field>& fields);
    static Status CheckKey(const Table& table, const std::vector<Field>& fields);
    // Whether the changes of this transaction are none of the table's.
    bool IsPassedOver(const Table& table) const {
        return !table.resolved || table.resolved->names_only ||
               origin_.commit < table.resolved->from;
    }
    void Count(TableChanges& part, ChangeKind kind);
    Status PassOver(Table& table);

    RelationResolver& resolver_;
    std::map<std::uint32_t, Table> tables_;
    // The last table, which most often is the next too.
    Table* last_table_ = nullptr;
    ChangeBatch batch_;
    bool in_transaction_ = false;
    // Of the last change; `commit` is where the record of its transaction's commit begins.
    ChangeOrigin origin_;
    std::uint64_t unrepresentable_ = 0;
    const SharedBytes* message_ = nullptr;  // while it is decoded
    std::vector<Field> old_fields_, new_fields_;
};

}  // namespace biwa::postgres
