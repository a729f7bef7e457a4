// The columnar store that everything ends up in, as the rest of Biwa sees it.
//
// The SQL that goes through here is the warehouse's own dialect, made by the caller. One writer at
// a time: Begin waits for its turn. Any number of sessions read, each a consistent snapshot.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/rows.h"
#include "model/table.h"
#include "warehouse/lineage.h"

namespace biwa {

// A result that is read while it is being made. Not thread-safe.
class RowStream {
  public:
    virtual ~RowStream() = default;
    // The columns' types are always ones of TypeId: what the engine has beyond (structs, maps, …)
    // comes as text.
    virtual const std::vector<Column>& columns() const = 0;
    // The next block, lent until the next call; nullptr at the end.
    virtual Result<const RowBlock*> Next() = 0;
};

// How wide a column's values are in memory.
struct ColumnWidth {
    enum class Kind { kFixed, kText, kBytes, kNested };
    std::string name;
    Kind kind = Kind::kFixed;
    std::uint64_t bytes = 0;  // kFixed: of each value
};

// All-or-nothing writing. Rolled back when destroyed before Commit. Used by one thread, Interrupt
// excepted.
class WriteTransaction {
  public:
    virtual ~WriteTransaction() = default;

    // Here and below: a statement that would begin or end a transaction is refused (kUser).
    virtual Status Execute(std::string_view sql) = 0;
    virtual Result<std::unique_ptr<RowStream>> Query(std::string_view sql) = 0;
    // Of a table's columns, in their order. No query: it takes some microseconds.
    virtual Result<std::vector<ColumnWidth>> Widths(const TableName& table) = 0;

    // Runs `sql` with each $name in it standing for the rows of a source: "INSERT INTO t SELECT *
    // FROM $rows". Returns the number of rows that the statement changed.
    //
    // With a `key`, some of the source's columns, $in_name(t.a, t.b) may stand in the condition
    // under which a large table is joined with the source by that key: "DELETE FROM t USING $keys
    // AS k WHERE t.a = k.a AND $in_keys(t.a)". It changes nothing in what the statement does. It is
    // where those of the table's rows are passed over that have no such key, and where the reading
    // of it rests.
    struct NamedRows {
        std::string name;
        RowSource& rows;
        std::vector<std::size_t> key = {};
    };
    virtual Result<std::uint64_t> ExecuteWith(std::string_view sql,
                                              const std::vector<NamedRows>& rows) = 0;

    // Readers see what was inserted into a table, of which it has many rows, with the commit and
    // not a moment before. Without this they may see it, or a part of it, while the commit is
    // written.
    virtual Status HideUntilCommit(const TableName& table) = 0;

    // From now on its statements rest now and then, so that others find a processor: they take some
    // times as long, and many times while `nobody_waits` for what it does (the warehouse knows who
    // waits for the writer); asked on any thread, until the transaction ends. For the writer.
    virtual void TakeItEasy(std::function<bool()> nobody_waits) = 0;
    // In the midst of long work between statements: rests, if it has time and a rest is due.
    virtual void MayRest() = 0;

    virtual Status Commit() = 0;
    // Ends the running statement with kUser "cancelled". From any thread. A statement that has not
    // begun yet does not notice.
    virtual void Interrupt() = 0;
};

// Where intermediate results are kept: temporary tables that one of its transactions has made are
// there in the next, which sees the others' commits. Beside the writer: nothing else is written.
class Workbench {
  public:
    virtual ~Workbench() = default;
    // One at a time; ends before the workbench does.
    virtual Result<std::unique_ptr<WriteTransaction>> Begin() = 0;
};

// A connection that reads. It cannot write, nor reach files or other hosts. Used by one thread,
// Interrupt excepted.
class ReadSession {
  public:
    virtual ~ReadSession() = default;
    // Refuses (kUser) whatever is not one statement that reads.
    virtual Result<std::unique_ptr<RowStream>> Query(std::string_view sql) = 0;
    // The names and types that the statement would give, without running it.
    virtual Result<std::vector<Column>> Describe(std::string_view sql) = 0;
    // Ends the running query with kUser "cancelled". From any thread.
    virtual void Interrupt() = 0;
};

// Tables that have columns and no rows, for the engine to say what queries over them would give and
// where that comes from. It knows nothing of the warehouse but what it is told. Used by one thread.
class ShadowSchema {
  public:
    virtual ~ShadowSchema() = default;
    // A table with these names and types; sources are not looked at. Takes the place of another.
    virtual Status Define(const TableName& table, const std::vector<BoundColumn>& columns) = 0;
    // The table that a query would make. kUser: what is wrong with the query; kUnavailable: it
    // cannot be told what its columns come from.
    virtual Result<BoundQuery> Define(const TableName& table, std::string_view sql) = 0;
    // The same without making it.
    virtual Result<BoundQuery> Bind(std::string_view sql) = 0;
};

class Warehouse {
  public:
    virtual ~Warehouse() = default;

    // For short writes that must agree with replication: waits for the one writer, who is that
    // until it has committed or is gone.
    virtual Result<std::unique_ptr<WriteTransaction>> Begin() = 0;
    // For long writes of tables that nobody else writes (models): beside the writer.
    virtual Result<std::unique_ptr<WriteTransaction>> BeginBeside() = 0;
    virtual Result<std::unique_ptr<ReadSession>> OpenSession() = 0;
    // One for which the warehouse has these views and nothing else. They are CREATE VIEW statements
    // in any order; one whose query has names that are not there is left out. In their queries the
    // warehouse itself is the catalogue that current_database() names, which the session's own
    // queries must not.
    virtual Result<std::unique_ptr<ReadSession>> OpenSessionOn(
        const std::vector<std::string>& datasets, std::vector<std::string> views) = 0;
    virtual Result<std::unique_ptr<Workbench>> OpenWorkbench() = 0;

    virtual Result<std::unique_ptr<ShadowSchema>> MakeShadowSchema() = 0;

    // Folds the log into the file now; it is folded by itself when it has grown. Waits for the
    // writer; kConflict: a transaction beside it is open.
    virtual Status Checkpoint() = 0;

    virtual std::uint64_t size_bytes() const = 0;
    // On the disk where it grows; 0 where that cannot be told.
    virtual std::uint64_t free_bytes() const = 0;
};

}  // namespace biwa
