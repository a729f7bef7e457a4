// The history of a stream's tables, beside the mirror that readers see as dataset.table:
//   dataset_changes.table     every change, append-only (HistoryMeta below, then the columns)
//   dataset_history.table     a view of it: the rows that there were, valid_from, valid_to
//   dataset_history.table(t)  the rows of the moment t
//   _biwa.histories           the spans of time over which the changes explain the mirror
//
// A span ("epoch") begins with the rows that the mirror has then, written as changes of the kind
// "copy", or with a truncate; from there on the mirror is what its changes make of it. It ends
// where that is not so any more: the table is copied anew, or paused, rows were repaired, or the
// stream keeps no history any more. Between two spans there is no history, and whoever asks for it
// is told so.
//
// Each function adds its part to a transaction of the caller's: that which writes the mirror.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/change_buffer.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct HistoryTable {
    std::string stream;
    std::string schema;  // at the source
    std::string name;
    TableName target;
};

// What tells the rows of a span apart.
struct HistoryKey {
    std::vector<std::string> columns;  // none: only inserts are followed
    bool repeats = false;

    static HistoryKey Of(const TableSchema& columns);
    friend bool operator==(const HistoryKey&, const HistoryKey&) = default;
};

struct HistoryEpoch {
    int number = 0;
    HistoryKey key;
    Micros began_at = 0;
};

TableName ChangesTable(const TableName& target);
TableName HistoryView(const TableName& target);
// Columns of the change table that are not the source's.
bool IsHistoryColumn(const std::string& column);
// Why a table with these columns cannot have a history: one is called like those. Or "".
std::string HistoryClash(const TableSchema& columns);

// By the source's "schema.name".
Result<std::map<std::string, HistoryEpoch>> OpenEpochs(WriteTransaction& transaction,
                                                       const std::string& stream);

// Begins a span, with the mirror's rows as of `at`, and ends the one before.
Result<HistoryEpoch> BeginEpoch(WriteTransaction& transaction, const HistoryTable& table,
                                const HistoryKey& key, const ChangeOrigin& at);
// The same, after the table was emptied there. The change table has the columns already.
Result<HistoryEpoch> BeginEmptyEpoch(WriteTransaction& transaction, const HistoryTable& table,
                                     const HistoryKey& key, bool is_another_key,
                                     const ChangeOrigin& truncated_at);
// Ends the open span of a table, or of all of the stream's, after the moment `at`; 0: after the
// last that the stream's books know. Nothing where none is open.
Status EndEpoch(WriteTransaction& transaction, const std::string& stream, const std::string& schema,
                const std::string& name, Micros at = 0);
Status EndEpochs(WriteTransaction& transaction, const std::string& stream);

// Gives the change table the columns that the mirror has by now: after the mirror was altered, and
// before it is written to.
Status FitHistory(WriteTransaction& transaction, const HistoryTable& table);
// What belongs between the changes with a column's name as it was and those with the new one.
std::string RenameInHistory(const TableName& target, const HistoryEpoch& epoch,
                            const std::string& from, const std::string& to);

// Writes the buffer's changes; before the mirror is changed by them, as that has the values that
// changes left out.
Status WriteHistory(WriteTransaction& transaction, const TableName& target,
                    const HistoryEpoch& epoch, const ChangeBuffer& buffer, Micros not_before);

// The table has another name at the source.
Status RenameHistory(WriteTransaction& transaction, const HistoryTable& from,
                     const HistoryTable& to);
// The mirror was made anew because fewer values of the table are wanted than before, or masked
// ones: takes away the columns that it has not, and the values that are not masked as its own are.
Status NarrowHistory(WriteTransaction& transaction, const HistoryTable& table);
// Takes away all that was kept of a table, and of a stream.
Status DropHistory(WriteTransaction& transaction, const HistoryTable& table);
Status DropHistories(WriteTransaction& transaction, const std::string& stream);

}  // namespace biwa
