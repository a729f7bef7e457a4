// What the masked tables of a stream are by now: what the policy says of their columns, what the
// warehouse's books say that they were, and what changes have told since.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "replication/clear_keys.h"
#include "replication/mask_books.h"
#include "replication/mask_policy.h"
#include "replication/masked_table.h"
#include "replication/masking.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// What a masked source, its snapshots and its changes know together. From any thread.
class MaskedTables {
  public:
    MaskedTables(MaskPolicy policy, Warehouse& warehouse, TargetDataset dataset, std::string stream)
        : policy_(std::move(policy)),
          warehouse_(warehouse),
          dataset_(std::move(dataset)),
          stream_(std::move(stream)),
          hash_(policy_.key) {}

    // What the warehouse says by now.
    Status ReadBooks();

    const std::string& key() const { return policy_.key; }
    KeyedHash hash() const;

    // The table as the source described it, become as it comes out.
    Result<SourceTable> Describe(SourceTable clear);

    // Own names of masks whose table is not among these.
    std::vector<std::string> LostTables(const std::vector<SourceTable>& clear) const;
    // Whether the table is new here, and has a column of that name which nothing names.
    bool MayBe(const std::string& lost, const SourceTable& table) const;
    // Whether the table may be another one that is masked here: by its id, whatever it is called,
    // or, where it is new, as it has most of that one's columns: a copy, or what was left of it
    // when it was made anew. If a column that is masked there would be clear here, that, as
    // "schema.table.column".
    Result<std::string> MayBeCopyOf(const SourceTable& table) const;
    const std::vector<std::string>& patterns() const { return policy_.tables; }

    // As the source described it; one that it did not describe, as it is.
    SourceTable Clear(const SourceTable& masked) const;
    std::vector<SourceTable> Clear(const std::vector<SourceTable>& masked) const;

    // For the table's columns in changes, which may be older or newer than those described.
    // kConflict: which is which is not certain.
    Result<MaskedTable> ForChanges(const TableChanges& changes);

    // Whether the columns of the table as it is now are still those that it was described with, as
    // far as their names say so. kConflict: they may not be.
    Status CheckStill(const MaskedTable& described, const SourceTable& now) const;

    // What the source says of names that were given to other columns.
    Status CheckNames(const TableChanges& changes) const;

    // Clear columns that got other names are gone by the ones that they had.
    void NoteDropped(TableChanges& changes);

    // Tells which of their columns are masked.
    Status Hear(TableChanges& changes);
    // And which of the table's are, by all that is known of it.
    void HearKnown(TableChanges& changes) const;

    void Remember(const MaskedTable& table, const TableChanges& changes);
    void Committed(std::uint64_t order);
    void Durable(std::uint64_t order);

    // The columns that came out as those of `masked`.
    Result<MaskedTable> ForRows(const SourceTable& masked) const;

    // Puts the clear values of hashed columns into a key of the warehouse.
    Status Unmask(const MaskedTable& table, std::vector<std::string>& key) const;

  private:
    struct Table {
        SourceTable clear;
        std::map<std::string, Mask> kept;
        std::deque<MaskedTable> schemas;  // the newest first
        // Of changes that have come since the books were read: the columns of the last ones, and
        // those of them, in small letters, that the log has said were dropped then.
        std::vector<BookedColumn> latest;
        std::set<std::string> dropped;
        // TableChanges::heard of the last ones, which had those columns.
        std::shared_ptr<const TableSchema> heard_in;
        std::shared_ptr<const std::vector<TableChanges::HeardColumn>> heard;
    };

    Table& Describing(const SourceTable& clear);
    // That one, and the one that has its name now; as far as anything is known of them.
    std::vector<const Table*> Find(const SourceTable& masked) const;
    // Without its columns.
    SourceTable TableOf(const TableChanges& changes) const;
    // Whether it has that name now.
    bool IsDescribed(const SourceTable& table) const;

    // Whether that is a table of this dataset, which has been copied: only then its id is one of
    // this source.
    bool HasBooks(const std::string& target) const { return books_.columns.contains(target); }

    // A column of the table that is masked in the other one, and that nothing names here.
    Result<std::string> ClearHere(const SourceTable& table, const SourceTable& other) const;

    // Whether it has three quarters of the columns that the other has here or drops, three at
    // least.
    bool IsLike(const SourceTable& table, const std::string& other_target,
                const SourceTable& other) const;

    static void Keep(Table& state, MaskedTable masked);

    bool IsMask(const std::string& columns) const;

    // How what is written here was masked otherwise than it would be now.
    std::optional<Error> FindOther(const SourceTable& clear, const MaskedTable& masked) const;

    // `beside`: of what is being copied beside the table that readers see.
    const std::map<std::string, std::string>* Recorded(const SourceTable& table, bool beside) const;

    // Masks of columns that were written masked and have gone from the source: changes from before
    // may still be on their way, whatever the policy says by now.
    std::map<std::string, Mask> KeptMasks(const SourceTable& table) const;

    // A column as it was before, in the warehouse or in changes.
    struct KnownColumn {
        std::string name;
        std::int32_t number = 0;
        std::string mask = {};  // BookedColumn::mask
        // Whether the source had it when it was read last; one that was gone then does not come
        // again under another name.
        bool was_there = true;
    };
    // Those of the warehouse. Null where it has none.
    const std::vector<BookedColumn>* BookedOf(const SourceTable& table) const;
    // One that was made anew numbers its columns anew.
    bool IsAnother(const SourceTable& table) const;
    std::vector<KnownColumn> KnownColumns(const SourceTable& table, const Table& state) const;

    // For columns of changes: the catalogue may have been read later than these were written, and a
    // name that it had for a column by then tells nothing of one that is what it was in the changes
    // before, or in the warehouse: by name, number and mask.
    std::vector<KnownColumn> KnownBefore(const SourceTable& table, const TableSchema& columns,
                                         const Table& state) const;

    // Leaves out the masks of columns that were called otherwise for a while, and are called now
    // what shows no more: nobody could name them as they were. What is known of them is written
    // down with that (HearKnown), and tells them after a restart as well.
    Status Forgive(std::vector<KnownColumn>& known, const SourceTable& table,
                   const Table& state) const;

    Result<std::vector<std::string>> MasksOf(const SourceTable& table,
                                             const std::vector<Column>& columns) const;

    // Where columns have no numbers, one that would be clear may be one that is masked, for all
    // that the warehouse and the source say.
    Status RefuseDoubtful(SourceTable& table) const;

    // The same of columns in changes. kConflict, which says why.
    Status CheckOrder(const SourceTable& table, const std::vector<Column>& columns,
                      const Table& state) const;

    // Names of masks, not of clear, whose column these columns lack.
    std::vector<std::string> LostOf(const SourceTable& table, const TableSchema& columns) const;

    // By what the policy says of its name; as people write it, and empty where it is clear.
    Result<std::string> MaskNow(const SourceTable& table, const std::string& column) const;
    Result<bool> IsMasked(const SourceTable& table, const std::string& column) const;

    // That nothing which is masked comes in clear because its column has another name now. Where
    // columns have numbers these tell, whatever names were exchanged; else a masked column has gone
    // and another has come.
    Status CheckRenamed(const SourceTable& table, const TableSchema& columns,
                        const std::vector<KnownColumn>& known) const;

    // Where columns have numbers, those of changes that have none were dropped since, and their
    // names do not tell which they were: a masked one may have got the name of one that was clear,
    // and have gone by it. Such changes have all columns of then in the order of their numbers.
    // kConflict.
    Status CheckGone(const SourceTable& table, const TableSchema& columns,
                     const std::vector<KnownColumn>& known) const;

    tl::unexpected<Error> Renamed(const SourceTable& table, const std::string& before,
                                  const std::string& now) const;

    const MaskPolicy policy_;
    Warehouse& warehouse_;
    const TargetDataset dataset_;
    const std::string stream_;
    mutable std::mutex mutex_;  // guards all below
    KeyedHash hash_;
    MaskBooks books_;
    // By name and id: what has a name now may not be what changes of that name are of, which were
    // made before.
    std::map<std::pair<std::string, std::string>, Table> tables_;
    std::map<std::string, std::string> described_;  // name -> id, of those that there are
    ClearKeys keys_;
};

}  // namespace biwa
