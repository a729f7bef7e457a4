// The warehouse's table for a table of the source, and how it follows the source's columns.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "warehouse/warehouse.h"

namespace biwa {

// A dataset of the warehouse, and the schema of the source whose tables keep their names in it.
struct TargetDataset {
    TargetDataset() = default;
    TargetDataset(const char* dataset) : name(dataset) {}
    TargetDataset(std::string dataset, std::string schema)
        : name(std::move(dataset)), usual_schema(std::move(schema)) {}

    std::string name;
    std::string usual_schema = "public";
};

// In the stream's dataset, by the table's name; with the schema's name in front where it is not the
// source's usual one.
TableName TargetTable(const TargetDataset& dataset, const std::string& source_schema,
                      const std::string& source_table);

// Where a table is copied to while the one that readers see stays as it is.
TableName BesideTable(const TableName& target);
// Whether a table of that name is one of those, and so nothing for readers.
bool IsBesideTable(const std::string& name);

// The comment of a masked column in the warehouse says how it was masked (Column::mask); more may
// follow. The mask, or "".
std::string MaskOfComment(const std::string& comment);
// And as people write it, without the key that it was made by.
std::string WithoutKey(const std::string& mask);

// How a target stands to the columns that the source's table has.
struct TargetFit {
    // Why the rows have to be copied anew; empty where the target can be written as it is. What is
    // masked otherwise than its rows is one of the reasons.
    std::string recopy;
    // What has to be altered first, in a transaction that has not written to the table: columns
    // that it lacks, types that have become wider. Nothing is taken away.
    std::vector<std::string> alter;
    // Takes away what is said of columns that have gone, where the source has them again. Not for
    // whoever applies changes: those that are read again may be from before they were gone.
    std::vector<std::string> comments;
    // Such columns, where the source does not tell by a number that they are the same as before.
    std::vector<std::string> back;
    // What belongs between the rows with the columns as they were and those with these: a renamed
    // column gets the values that it had.
    std::vector<std::string> before_rows;
    // The same of what only masks have to know (TableSchema::withheld, Column::place): rows can be
    // compared without it. Whether it is as true of changes that are still to come.
    std::vector<std::string> books;
    bool may_be_booked_ahead = false;
    // Those that were renamed, and whose values go along: the old name and the new.
    std::vector<std::pair<std::string, std::string>> renamed;
    // Columns of the target that the source has no more. They stay, and keep their values. Not
    // those that it has not yet, as the target was altered for a change that is read again.
    std::vector<Column> kept;
};

// What is known of the columns of a dataset's tables beside their types. The warehouse looks
// through all of its columns for it, so that whoever looks at many tables reads it once for all of
// them.
class TargetBooks {
  public:
    struct Entry {
        // Of the source's column, as of the last change that was applied; 0 and "" where that is
        // gone.
        std::int32_t number = 0;
        std::string type = {};
        std::string comment = {};
        std::int32_t place = 0;  // Column::place
        std::string type_at_source = {};
    };

    // Of all tables where none is named.
    static Result<TargetBooks> Read(WriteTransaction& transaction, const std::string& dataset,
                                    const std::string& table = "");
    const Entry* Find(const std::string& table, const std::string& column) const;
    // Those that a mask drops (TableSchema::withheld), in small letters.
    std::map<std::string, Entry> Withheld(const std::string& table) const;
    void Forget(const std::string& table);

  private:
    using Entries = std::map<std::pair<std::string, std::string>, Entry>;
    Entries columns_, withheld_;  // by table and column, in small letters
};

// What has to be known of a dataset to make and to drop its tables, read once for those of one
// transaction: the warehouse looks through all that it has for it. What is done with it keeps it
// true.
struct DatasetLook {
    // For one table only, where it is named.
    static Result<DatasetLook> Read(WriteTransaction& transaction, const std::string& dataset,
                                    const std::string& table = "");

    TargetBooks books;
    // In small letters: what no stream made, and views, those that renamed tables have left among
    // them.
    std::set<std::string> taken, views;
};

// Looks at a target that is there.
Result<TargetFit> FitTarget(WriteTransaction& transaction, const TableName& target,
                            const TableSchema& columns);
Result<TargetFit> FitTarget(WriteTransaction& transaction, const TableName& target,
                            const TableSchema& columns, const TargetBooks& books);

// What marks these columns as gone at the source, where the target has them and does not say so
// yet, and takes them out of the books. There those that are `renamed` are called by their new
// names from here on: where columns have no numbers, their places tell them from others.
using NewNames = std::vector<std::pair<std::string, std::string>>;  // the former and the new one
struct GoneMarks {
    std::vector<std::string> alter;  // not after rows of the target were written
    std::vector<std::string> books;
};
Result<GoneMarks> MarkGone(WriteTransaction& transaction, const TableName& target,
                           const std::vector<std::string>& columns, const NewNames& renamed);

// Makes the target where it is not there, and does all that it needs; nothing when the rows have to
// be copied anew. Returns why they have. `texts` is for a target that is made.
Result<std::string> PrepareTarget(WriteTransaction& transaction, const TableName& target,
                                  const TableSchema& columns,
                                  TextStorage texts = TextStorage::kCompressed);
Result<std::string> PrepareTarget(WriteTransaction& transaction, const TableName& target,
                                  const TableSchema& columns, TextStorage texts, DatasetLook& look);

// Puts the table that was copied beside in the place of the target; columns that the source has no
// more go along, their values found by `key`.
Status SwapIn(WriteTransaction& transaction, const TableName& beside, const TableName& target,
              const std::vector<std::string>& key);

// The table has another name at the source. Under the one that readers know there is a view of it.
Status RenameTarget(WriteTransaction& transaction, const TableName& from, const TableName& to);

// Drops the columns that stayed when the source dropped or renamed them; returns their names.
Result<std::vector<std::string>> DropGoneColumns(WriteTransaction& transaction,
                                                 const TableName& target);

// Whether there is a table of that name, and not a view that a renaming has left.
Result<bool> IsTable(WriteTransaction& transaction, const TableName& target);

Status DropTarget(WriteTransaction& transaction, const TableName& target);
Status DropTarget(WriteTransaction& transaction, const TableName& target, DatasetLook& look);

// The views that renamings have left under the target's old names.
Status DropOldNames(WriteTransaction& transaction, const TableName& target);

// What is in the dataset and was not made by a stream, in small letters. What would replace, rename
// or drop one of these gives kUser instead.
Result<std::set<std::string>> NamesTaken(Warehouse& warehouse, const std::string& dataset);

// Whether each value of `from` is one of `to`, and reads the same after a cast.
bool Widens(const Type& from, const Type& to);

}  // namespace biwa
