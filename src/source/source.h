// Where data comes from, as replication sees it. A source is one configured connection; what it can
// do is said by the types it gives out (capability, not flag).
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/position.h"
#include "model/row_store.h"
#include "model/rows.h"
#include "model/table.h"
#include "model/table_part.h"
#include "source/key_range.h"

namespace biwa {

// What a table has been through that no change tells of: each text is another one after such a
// thing.
struct TableShape {
    // Where the rows lie, by what stays the same of each part (a partition, for as long as it is
    // one; else the table itself).
    std::map<std::string, std::string> parts;
    // The names of those of them that had rows already when they became the table's.
    std::map<std::string, std::string> filled_parts;
    // Of what was said of each column, by its number, those that the stream leaves out too; "" of
    // one that was dropped.
    std::map<std::int32_t, std::string> columns;
};

// A table of a source.
//
// columns.key tells its rows apart: a primary key; or, with columns.key_repeats, all columns, where
// rows may be there several times and each change brings the whole old row; or nothing, where only
// inserts (and truncates) can be followed.
struct SourceTable {
    std::string schema;
    std::string name;
    // Tells the table from another that had its name before or has it later; empty: not known.
    std::string id = {};
    TableSchema columns;
    TableShape shape = {};  // empty: the source does not tell
    std::int64_t rows_estimate = 0;
    std::int64_t bytes = 0;
    // Why this table cannot be streamed as it is, and what would mend it; empty when it can.
    std::string refusal;
    std::string mend_sql;
    // What its reader has to know although it can be streamed.
    std::vector<std::string> notes = {};
    // Columns that are masked, those that are left out too, and how.
    std::map<std::string, std::string> masks = {};
    // Whether columns may be masked, by what they are called.
    bool is_masked_by_name = false;
    // What of it is copied; empty: all. `columns` are those.
    TablePart part = {};
    // Whether the stream gets its changes now, where the source tells that of each table.
    std::optional<bool> is_published = {};

    std::string ToString() const { return schema + "." + name; }
};

// A part of a table that is copied as a whole; its text means something to its source only.
struct SnapshotRange {
    std::string text;
    std::int64_t rows_estimate = 0;
};

// Copies tables as they stood at one moment.
class SnapshotReader {
  public:
    virtual ~SnapshotReader() = default;
    virtual Result<std::vector<SnapshotRange>> Split(const SourceTable& table) = 0;
    // Columns of texts that seldom repeat (Column::seldom_repeats), beside those that the table
    // says: what a look at some rows of the ranges tells, where the server counts nothing.
    virtual Result<std::set<std::string>> TextsThatSeldomRepeat(const SourceTable&,
                                                                const std::vector<SnapshotRange>&) {
        return std::set<std::string>();
    }
    // Any number at once, each with a connection of its own. From any thread.
    virtual Result<std::unique_ptr<RowReader>> Read(const SourceTable& table,
                                                    const SnapshotRange& range) = 0;
    // Whether the ranges are still the parts of the table that they were when it was split. Where
    // the table changes after that, Read is kUnavailable.
    virtual Result<bool> AreCurrent(const SourceTable& table,
                                    const std::vector<SnapshotRange>& ranges) = 0;
    // kUnavailable: rows that Read was asked for may be those of other columns, which have got the
    // names of these since the table was described. Asked after Read, where that matters, and
    // holds until those rows end. From any thread. Nothing where Read finds it out itself.
    virtual Status CheckColumns(const SourceTable&) { return {}; }
    // Values so far that the warehouse's types cannot hold, and that became NULL. From any thread.
    virtual std::uint64_t unrepresentable() const = 0;
};

enum class ChangeKind : std::uint8_t { kInsert, kUpdate, kDelete };

// Where a change stands in its source's history.
struct ChangeOrigin {
    // Of the transaction: grows from each to the one that was committed next, and is less than the
    // Position::order of its end.
    std::uint64_t commit = 0;
    // When it was committed, by the source's clock; never before those that come before it.
    Micros commit_time = 0;
    // Grows from each change of the transaction to the next, over all tables.
    std::uint64_t sequence = 0;
};

// The changes of one table, in the order of their commits, since the part before.
struct TableChanges {
    std::string schema;  // as the source names the table
    std::string name;
    std::string id = {};  // SourceTable::id; may be empty where that is
    std::shared_ptr<const TableSchema> columns;

    // One row a change: the row as it became or, of a delete, its key and NULLs (the key is the
    // whole row where keys repeat).
    RowStore rows;
    std::vector<ChangeKind> kinds;
    // Updates that changed the key (where keys repeat: all updates): row of `rows` and row of
    // `old_keys`, which has the key's columns only. In ascending order of the former.
    struct KeyChange {
        std::uint32_t row;
        std::uint32_t old_key;
    };
    std::vector<KeyChange> key_changes;
    RowStore old_keys;
    // Updates that left a large value as it was, and so did not send it. Ascending by row. An
    // insert may be here too, of a row that was there before and not of the stream: then the value
    // is at the source only.
    struct Unchanged {
        std::uint32_t row;
        std::uint32_t column;
    };
    std::vector<Unchanged> unchanged;
    // One for each run of rows of one transaction whose sequence numbers follow one another: its
    // first row, and that row's origin. Ascending.
    struct Run {
        std::uint32_t row;
        ChangeOrigin origin;
    };
    std::vector<Run> origins;
    // The table was emptied before the first of these changes, there.
    bool truncated_first = false;
    ChangeOrigin truncated_at = {};
    // Why the table has to be copied anew: its rows have changed in a way that the source cannot
    // tell. No changes of it follow.
    std::string recopy = {};
    // Columns that got other names by that: the former and the new one, in no order of their own.
    std::vector<std::pair<std::string, std::string>> renamed = {};
    // Columns that the source dropped before the first of these changes. What comes by such a name
    // later is another column.
    std::vector<std::string> dropped = {};
    // What a column is called here.
    struct HeardColumn {
        std::int32_t number;  // Column::number
        std::string name;
        std::string mask = {};  // as people write it
    };
    // The columns without a number that are not gone for certain, with each number that they may
    // have.
    std::vector<HeardColumn> may_be = {};
    // Those of the columns that are masked.
    std::shared_ptr<const std::vector<HeardColumn>> heard = {};
    // These are no changes: only what the table's columns are called (FollowedTable::names_only).
    bool names_only = false;

    // Says where the last of `kinds` stands.
    void SetOrigin(const ChangeOrigin& origin) {
        const auto row = static_cast<std::uint32_t>(kinds.size() - 1);
        if (!origins.empty()) {
            const auto& last = origins.back();
            const bool goes_on = last.origin.commit == origin.commit &&
                                 last.origin.sequence + (row - last.row) == origin.sequence;
            if (goes_on) return;
        }
        origins.push_back({row, origin});
    }
};

// What a source has read since the last Poll.
struct ChangeBatch {
    std::vector<TableChanges> tables;
    std::uint64_t changes = 0;
    std::size_t bytes = 0;  // of memory, about
    // Set when the batch ends with a commit: everything up to here is in it or in those before.
    // A transaction too large for one batch is given in several, the last of which has it.
    std::optional<Position> commit;
    Micros commit_time = 0;     // when the last of them was committed, by the source's clock
    std::uint64_t commits = 0;  // none: nothing has happened, only that is how far the source is
    bool is_awaited = false;    // the source waits until that is durable
};

// Follows the changes of a set of tables. One thread at a time.
class ChangeSource {
  public:
    virtual ~ChangeSource() = default;
    // The next changes, or nothing when there were none for `timeout`. `durable`: what the source
    // may forget. kUnavailable: the connection broke; open anew and go on from the last commit.
    virtual Result<std::optional<ChangeBatch>> Poll(const Position& durable,
                                                    std::chrono::milliseconds timeout) = 0;
    // Says that we are alive and what is durable, while nobody has time to Poll.
    virtual Status Acknowledge(const Position& durable) = 0;
    // Values so far that the warehouse's types cannot hold, and that became NULL.
    virtual std::uint64_t unrepresentable() const = 0;
};

// How far the source's own history has got, and what it keeps for a stream.
struct SourceProgress {
    Position head;
    std::uint64_t lag_bytes = 0;       // between what was acknowledged and the head
    std::uint64_t retained_bytes = 0;  // of its log, kept for this stream
};

// What was made at the source for a stream.
struct StreamStart {
    Position position;                         // changes from here on are kept for the stream
    std::unique_ptr<SnapshotReader> snapshot;  // as of exactly that position
    // The snapshot is of a later moment: changes that follow may be in it already. Their tables
    // have keys, by which a change can come twice.
    bool is_later = false;
    Micros time = 0;  // when that was, by the source's clock
};

// A table whose changes are followed: those of commits after `from`. Before that its rows hold them
// already, as it was copied later than the stream has got. Those after `until` are not the stream's
// any more; a source that was told by Publish may know itself.
struct FollowedTable {
    // Of one that waits to be copied: none of its changes are for the line. What is said of it may
    // bear on those that will be.
    static constexpr auto kNotYet = std::numeric_limits<std::uint64_t>::max();

    SourceTable table;
    std::uint64_t from = 0;  // Position::order
    std::uint64_t until = std::numeric_limits<std::uint64_t>::max();
    // Of one that is to be copied anew: its changes are passed over, but what its columns were
    // called when they were made is told, where the source numbers columns.
    bool names_only = false;
};

enum class IfMissing { kRefuse, kPassOver };

// A stream's two ways through a source.
class StreamSource {
  public:
    virtual ~StreamSource() = default;

    // The tables of the patterns ("public.answers", "public.*"), with what hinders each. A pattern
    // that no table fits gives kUser, or is passed over.
    virtual Result<std::vector<SourceTable>> Tables(const std::vector<std::string>& patterns,
                                                    IfMissing if_missing) = 0;

    // Whether Start could go ahead: kUser when the source is not set up for it, or when what Start
    // would make is there already and so is somebody else's. Changes nothing.
    virtual Status CheckStart() = 0;
    // Makes what a stream needs at the source (publication, slot). `replace`: an earlier start of
    // this instance may have left it unfinished. Else what is there already gives kUser.
    virtual Result<StreamStart> Start(const std::vector<SourceTable>& tables, bool replace) = 0;
    // Makes the changes of exactly these tables part of the stream, from now on. `as_they_are`:
    // names of those among them whose changes are already, of the part that is wanted. kConflict
    // when what Start made is gone.
    virtual Status Publish(const std::vector<SourceTable>& tables,
                           const std::set<std::string>& as_they_are) = 0;
    // For a snapshot that was cut off: reads as of now, which is later than the position of Start.
    virtual Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() = 0;
    // Whether the source still has the history after `from`, and the same one that led there:
    // kConflict when it has not. Tells which history it is, to be remembered with the position and
    // given as `known` the next time; "" where that is not known.
    virtual Result<std::string> CheckHistory(const std::string& known, const Position& from) = 0;
    // The changes of these tables after `from`; those of any other are passed over. While there are
    // none, how far the source has got is given as a batch without changes, at most every
    // `idle_every`. kConflict when the source no longer has the history from there on.
    virtual Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>& tables,
                                                         const Position& from,
                                                         std::chrono::milliseconds idle_every) = 0;
    // The rows of these keys as they are now, in the columns of `table`; those that are gone are
    // left out. Each key as texts, one a column of table.columns.key. There may be rows among them
    // whose keys the source takes for the same, and the warehouse does not: of other letters
    // ("Tanaka" for "tanaka"), or digits ("1.0" for "1").
    virtual Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) = 0;
    // The keys that the table has in the range now, in the columns of its key.
    virtual Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable& table,
                                                        const KeyRange& range) = 0;

    // Where the source is now: what was committed before this call lies before it.
    virtual Result<Position> Head() = 0;
    virtual Result<SourceProgress> Progress() = 0;
    // Takes away what Start made. Fine when it is gone already.
    virtual Status Remove() = 0;
    // `position`, with what `other` says of these tables ("schema.table") beyond a place: they come
    // from the line that has it.
    virtual Result<Position> WithNotesOf(const Position& position, const Position& /*other*/,
                                         const std::set<std::string>& /*tables*/) {
        return position;
    }
    // Whether Remove will find the source.
    virtual Status CheckReach() { return {}; }
};

// One thing looked at by `biwa doctor`.
struct Finding {
    enum class Level { kGood, kWarning, kProblem };
    Level level = Level::kGood;
    std::string what;  // "wal_level is replica"
    std::string why;   // why it matters
    std::string mend;  // SQL or words
};

}  // namespace biwa
