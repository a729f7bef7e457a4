// Events of the binary log into batches of changes.
//
// The tables come with a number that the server gives each definition of a table; a TABLE_MAP
// explains it before its rows. A transaction begins with a GTID or BEGIN and ends with an XID or
// COMMIT; a change of a definition stands alone.
//
// What a row lacks (binlog_row_image is MINIMAL or NOBLOB) is `unchanged` in an update, and the
// column's default in an insert.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "source/mysql/columns.h"
#include "source/mysql/position.h"
#include "source/mysql/statements.h"
#include "source/mysql/transaction_payload.h"
#include "source/source.h"

namespace biwa::mysql {

struct ResolvedTable {
    static constexpr std::size_t kLeftOut = static_cast<std::size_t>(-1);

    std::shared_ptr<const TableSchema> columns;
    std::vector<ColumnDecoder> decoders;  // one a column of the table map
    std::vector<std::size_t> places;      // of each in `columns`, or kLeftOut
    std::vector<std::size_t> key;         // the columns of the table map that are the key
    std::vector<bool> is_key;             // one a column of `columns`
};

// A table of the stream.
struct KnownTable {
    std::shared_ptr<const TableSchema> columns;  // as they were last known
    // Changes up to this place (Position::order) are in the copy of the table already.
    std::uint64_t seen = 0;
    // And those behind this one are not the stream's.
    std::uint64_t until = std::numeric_limits<std::uint64_t>::max();

    bool IsFollowedAt(std::uint64_t order) const { return order > seen && order <= until; }
};

// Knows the tables of the stream.
class TableResolver {
  public:
    virtual ~TableResolver() = default;
    // Null when it is not of the stream.
    virtual const KnownTable* Find(const std::string& schema, const std::string& table) const = 0;
    virtual std::vector<std::string> TablesOf(const std::string& schema) const = 0;
    // The schemas that have a table of the stream of that name.
    virtual std::vector<std::string> SchemasOf(const std::string& table) const = 0;
    // Gives a statement's names the spelling of the stream's table, should the server compare them
    // without regard to case.
    virtual Status Spell(TableEffect&) { return {}; }
    // The same of columns, which the server compares without regard to case in whatever script.
    virtual Status SpellColumns(TableEffect&) { return {}; }
    // Tables of the stream whose rows such a statement (Statement::Kind::kRows) may have changed
    // without naming them: by a view, a trigger or a function.
    virtual Result<TableNames> ReachedBy(const Statement&) { return TableNames(); }
    // A statement that changes no rows may have made some of those.
    virtual void ForgetPrograms() {}
    // Text in the character set that this is a collation of; as it is where that cannot be read.
    virtual Result<std::string> ToUtf8(std::uint16_t collation, std::string_view text) = 0;
    // Nothing for a table that is not of the stream: its changes are passed over.
    virtual Result<std::optional<ResolvedTable>> Resolve(const TableMap& map) = 0;
    // The table was altered in this way: its columns are to be asked for anew.
    virtual void Forget(const TableEffect& effect) = 0;
    // Whether rows from before the ALTER of that second (of the server's clock) may have been read
    // by what the catalogue says since: where the log does not name columns, or has not all values.
    virtual bool MayHaveMisread(const TableEffect& effect, std::int64_t altered_s) const = 0;
    // A row of what each column has when an insert does not say; undefined where that is not known.
    struct Defaults {
        RowStore row;
        std::vector<bool> known;
    };
    virtual Result<const Defaults*> DefaultsOf(const TableMap& map,
                                               const ResolvedTable& resolved) = 0;
    // What it knows at a place that whoever goes on from there cannot ask for, and the same of a
    // place to go on from. `time_s` is that of the last event: what was asked before is exact.
    virtual void Note(std::int64_t time_s, PlaceNotes& notes) const = 0;
    virtual void Recall(const PlaceNotes& notes) = 0;
};

// Used by one thread. Bytes that are not of the format give kCorrupt, whatever they are; what is of
// it and cannot be followed has the table copied anew (TableChanges::recopy) or, where the table is
// not known, gives kConflict.
class BinlogDecoder {
  public:
    // `from`: where the first event is; `knows_place` is false where the server was asked for what
    // follows on the GTIDs, and finds the place itself. `checksums`: until a FORMAT_DESCRIPTION
    // says otherwise.
    BinlogDecoder(TableResolver& resolver, BinlogPlace from, bool knows_place, bool checksums);

    // One event, from its header on. Where it has an owner, large values of it are not copied but
    // hold on to it.
    Status Decode(const SharedBytes& event);
    Status Decode(std::string_view bytes) { return Decode(SharedBytes{nullptr, bytes}); }
    // Whether the last event holds others that were not decoded yet: those come before the next.
    bool has_more() const { return payload_.has_value(); }
    // One of those; its bytes. has_more().
    Result<std::size_t> DecodeMore();

    // What was decoded since the last call. Its `commit` is set when no transaction is open.
    ChangeBatch TakeBatch();
    std::uint64_t changes() const { return batch_.changes; }
    // Whether there is a whole number of transactions, one at the least.
    bool at_commit() const { return !in_transaction_ && batch_.commits > 0; }
    bool in_transaction() const { return in_transaction_; }
    // Where the next event is; of a transaction that is open, where it began.
    const BinlogPlace& place() const { return place_; }
    // The same, with all that going on from it takes.
    Position ToPosition() const;
    // Whether all before place() was read or is older than what was asked for.
    bool knows_place() const { return knows_place_; }
    // Gives back to the system what the rows of earlier batches have taken.
    void ReleaseMemory() { slabs_->Release(); }
    // Whether the log has said which file it is.
    bool has_format() const { return has_format_; }
    // Values that the warehouse's types cannot hold, since the start.
    std::uint64_t unrepresentable() const { return context_.unrepresentable; }

  private:
    struct Table {
        std::string bytes;  // of its table map
        TableMap map;
        std::optional<ResolvedTable> resolved;  // nothing: passed over
        std::uint64_t seen = 0, until = 0;      // of the KnownTable
        std::optional<std::size_t> in_batch;    // its current part of the batch
        std::size_t rows_expected = 0;          // as many as in its part of the last batch
        // Of each column of the map, in that part.
        struct Target {
            Cells* cells = nullptr;  // none: it is left out
            bool is_key = false;
        };
        std::vector<Target> targets;
    };
    // One row as it stands in the log: for each column its bytes, or why there are none.
    struct Field {
        enum class State : std::uint8_t { kAbsent, kNull, kValue };
        State state = State::kAbsent;
        std::string_view bytes;
    };

    Status DecodeOne(const Event& event, const SharedBytes& bytes);
    Status DecodeFormat(const Event& event);
    Status DecodeRotate(const Event& event);
    Status DecodeQuery(const Event& event);
    Result<Statement> StatementOf(const Query& query);
    Status DecodeTableMap(const Event& event);
    Status DecodeRows(const Event& event);
    void Begin();
    void Commit(const Event& event);
    Status Apply(const TableEffect& effect, std::uint64_t end, std::int64_t time_s);
    // Whether the table is there.
    void NoteGone(const TableName& table, TableEffect::Kind kind);
    Status AddRow(Table& table, RowsKind kind);
    Status AddWholeRow(Table& table, RowsKind kind, std::string_view& rows);
    Status ReadWholeKey(Table& table, std::string_view& rows);
    Result<bool> ReadWholeRow(Table& table, TableChanges& part, std::size_t row,
                              std::string_view& rows);
    Status AddOldKey(const Table& table, TableChanges& part, std::size_t row);
    // What the open transaction has changed from behind `sequence` on was rolled back, and not only
    // not written: takes it out of the batch. Tables of which it was given out are copied anew.
    void TakeBack(std::uint64_t sequence);
    // Of the batch: parts in which nothing is left.
    void DropEmptyParts();
    void GoBackTo(const std::string& savepoint);
    TableNames TablesOfTransaction() const;
    void PassOverAll(const TableNames& tables, const std::string& why);
    void PrepareXa(const Event& event);
    void EndXa(const std::string& statement, bool is_rollback);

    Status ReadRow(const Table& table, const std::vector<std::size_t>& present,
                   std::string_view& rows, std::vector<Field>& fields) const;
    Status AddInsert(Table& table);
    Status AddUpdate(Table& table);
    Status AddDelete(Table& table);
    Status CheckKey(const Table& table, const std::vector<Field>& fields) const;
    // False when the bytes are not of the column's type: BadCell.
    bool SetCell(const Table& table, std::size_t column, const Field& field, Cells& cells,
                 std::size_t row, Arena& arena);
    static tl::unexpected<Error> CutOff(const Table& table);
    tl::unexpected<Error> Misread(const Table& table, const std::string& what) const;
    tl::unexpected<Error> BadCell(const Table& table, std::size_t column) const;
    // The defaults, if they are known of all columns that the insert lacks.
    Result<const TableResolver::Defaults*> DefaultsOf(const Table& table);
    TableChanges& PartOf(Table& table);
    TableChanges& NewPart(std::shared_ptr<const TableSchema> columns, const std::string& schema,
                          const std::string& name, std::size_t rows_expected = 0);
    void Count(TableChanges& part, ChangeKind kind);
    // Tells that the table has to be copied anew; nothing more of it is read.
    void PassOver(const std::string& schema, const std::string& name, const std::string& why,
                  const std::vector<std::pair<std::string, std::string>>& renamed = {});
    tl::unexpected<Error> Conflict(const std::string& what) const;

    TableResolver& resolver_;
    BinlogPlace place_;
    bool knows_place_;
    std::uint64_t file_number_ = 0;  // with the place's base
    // The end of the last event, which in a file only grows; an event has its lower 32 bits.
    std::uint64_t end_ = 0;
    std::int64_t time_s_ = 0;  // of the last event
    bool checksums_;
    bool has_format_ = false;
    bool in_transaction_ = false;
    // Of the open transaction: where its savepoints are among its changes, how many of those were
    // given out already, and of which tables.
    std::map<std::string, std::set<std::uint64_t>> savepoints_;
    std::uint64_t given_out_ = 0;
    TableNames tables_given_out_;
    std::optional<Gtid> gtid_;
    std::optional<MySqlGtid> mysql_gtid_;
    std::map<std::uint64_t, Table> tables_;
    std::set<std::string> columns_dropped_;  // "schema.table.column" of those that are there
    std::set<std::string> passed_over_;      // those that have to be copied anew
    // Of the last change; `commit` is where its transaction begins in the log.
    ChangeOrigin origin_;
    const std::shared_ptr<Slabs> slabs_ = std::make_shared<Slabs>();
    ChangeBatch batch_;
    std::optional<TransactionPayload> payload_;
    std::vector<std::size_t> before_columns_, after_columns_;
    std::vector<Field> before_, after_;
    std::string uncompressed_;
    DecodeContext context_;
};

}  // namespace biwa::mysql
