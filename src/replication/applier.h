// Brings changes into the warehouse: folded by key, all tables and the position in one transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "replication/change_buffer.h"
#include "replication/history.h"
#include "replication/stream_state.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// Used by one thread. After an error it is spent: begin again from the position in the warehouse.
class Applier {
  public:
    using TargetOf = std::function<TableName(const StreamState::Table&)>;
    // Applies the changes of the tables of `state` that are live or gone, and notes what masked
    // columns of the others are called. `source` is asked for rows that a copy has missed.
    Applier(Warehouse& warehouse, std::string stream, const StreamState& state,
            const TargetOf& target_of, StreamSource& source);
    ~Applier();

    // Before anything is added: keeps the history of these tables ("schema.table" of the source),
    // whose rows are told apart so, from now on, and of no others.
    Status KeepHistory(const std::map<std::string, HistoryKey>& tables);

    // Takes a batch in. The warehouse is touched only if memory must be freed (a transaction larger
    // than `bytes_max`) or a table's columns changed.
    Status Add(ChangeBatch batch);

    // Whether what was taken in ends with a commit, so that it can be made visible.
    bool can_commit() const { return at_commit_ && position_.has_value(); }
    std::uint64_t changes() const { return changes_; }
    std::size_t bytes() const;
    // Whether Add failed because an ALTER had to be committed without the changes before it, which
    // have to be read again.
    bool has_altered_alone() const { return has_altered_alone_; }

    struct Applied {
        Position position;
        Micros commit_time = 0;
        std::uint64_t changes = 0;
        std::size_t bytes = 0;  // of memory, before it was applied
        double seconds = 0;
        std::vector<TableName> tables;
        // Tables that have to be copied anew: from now on their changes are passed over.
        std::vector<StreamState::Table> waiting;
        // Of tables with rows that were read at the source, and so are ahead of the changes: up to
        // where (StreamState::Table::overlap_until), by name.
        std::map<std::string, std::uint64_t> overlaps;
    };
    // Applies and commits what was taken in. Only when can_commit().
    Result<Applied> Commit();
    // The same, resting in between: it takes up to kEasy times as long, and up to kEasiest times
    // while `nobody_waits` for it, which is asked now and then and on any thread.
    Result<Applied> CommitAtEase(std::function<bool()> nobody_waits);
    static constexpr int kEasy = 4, kEasiest = 20;

    static constexpr std::size_t kBytesMax = 192 << 20;

  private:
    // Changes with the same columns, and what has to be done before them (TargetFit).
    struct Waiting {
        std::vector<std::string> before_rows;
        std::vector<Column> kept;
        std::unique_ptr<ChangeBuffer> buffer;
        // History: what is known of its rows' key, and where another span begins with it.
        HistoryKey key = {};
        std::optional<ChangeOrigin> another_key = {};
        // Some of its changes may be in the copy already.
        bool overlaps = false;
    };
    struct Table {
        StreamState::Table known;
        TableName target;
        std::shared_ptr<const TableSchema> prepared;  // the target has these columns
        std::vector<Column> kept;                     // and these, which the source has no more
        bool is_passed_over = false;                  // has to be copied anew first
        // One for each set of columns that the waiting changes have, in their order.
        std::vector<Waiting> waiting;
        ChangeBuffer::Memory memory;  // for the next of them

        std::uint64_t changes = 0;  // written since the last commit
        bool may_be_empty = true;   // before what was written since

        bool wants_history = false;
        std::optional<HistoryEpoch> history;  // the span that is open
        HistoryKey history_key;               // of the changes that were taken in last
        Micros last_change = 0;               // of those
        // When the first was committed that has to be passed over; 0: not known.
        Micros passed_over_from = 0;
    };

    Status Open();
    // Whether the rows are those of one moment, with all the changes until then.
    bool IsExact(const Table& table) const;
    bool NeedsAnotherCopy(const Table& table, const TableChanges& part) const;
    Status PrepareNew(const ChangeBatch& batch);
    Status Prepare(Table& table, const TableChanges& part);
    Status Alter(WriteTransaction& transaction, const Table& table, const TargetFit& fit);
    void Adopt(Table& table, const TableChanges& part, TargetFit fit);
    Status NoteDropped(const Table& table, const TableChanges& part);
    Status PassOver(Table& table, std::string reason, TablePhase phase = TablePhase::kWaiting);
    Status Flush(Table& table);
    Status FlushWaiting(Table& table, const Waiting& waiting);
    // Where keys repeat: rids the table of so many copies of each row.
    Status DeleteCopies(Table& table, const ChangeBuffer& buffer);
    Status FlushAll();
    HistoryTable HistoryOf(const Table& table) const;
    // No time of its changes is before this.
    Micros HistoryFloor(const Table& table) const;
    Status WriteHistoryOf(Table& table, const Waiting& waiting);
    // Of tables that have got so far that their rows are those of one moment.
    Status BeginHistories(const Position& position);
    Status Complete(Table& table, const Waiting& waiting, RowSource& partial_rows);
    Status MendMissing(Table& table, const TableSchema& columns);

    Warehouse& warehouse_;
    const std::string stream_;
    StreamSource& source_;
    std::map<std::string, Table> tables_;  // by "schema.table" of the source
    // The stream's others, by the same.
    std::map<std::string, StreamState::Table> not_followed_;
    std::unique_ptr<WriteTransaction> transaction_;
    std::map<TableName, bool> touched_;
    bool has_altered_alone_ = false;
    // Since the last commit:
    std::vector<StreamState::Table> passed_over_;
    // What columns of those are called now, and which have gone, in the order of the log.
    struct Renamed {
        TableName target;
        std::vector<std::string> dropped;
        NewNames renamed;
    };
    std::vector<Renamed> renamed_;
    // Of tables that are passed over, by name.
    std::map<std::string, std::set<std::shared_ptr<const std::vector<TableChanges::HeardColumn>>>>
        heard_;
    std::map<std::string, std::uint64_t> overlaps_;  // Applied::overlaps
    std::uint64_t known_until_;                      // changes up to here were taken in
    std::optional<Position> position_;
    const Micros commit_time_before_;
    Micros commit_time_;  // never goes back
    std::uint64_t changes_ = 0;
    bool at_commit_ = true;
};

}  // namespace biwa
