// The changes of one table that wait to be applied, folded: for each key what it is in the end.
// Where keys repeat, for each row how many copies of it there are more or less; where there is no
// key, the inserts one after another.
//
// Rows stay where the source decoded them; the buffer holds their places. The warehouse reads the
// result as row sources. Used by one thread, but for the row sources' readers.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/rows.h"
#include "replication/number_index.h"
#include "source/source.h"

namespace biwa {

// The same bytes for equal values; strings and lists with their length in front. `to_the_bit`: for
// values that are the same; equal ones may differ (0 and -0).
void EncodeCell(const Cells& cells, std::size_t row, bool to_the_bit, std::string& to);

class ChangeBuffer {
    // A place in the parts; `old_key` counts in the part's old_keys.
    struct RowRef {
        std::uint32_t part = 0;
        std::uint32_t row = 0;
    };
    struct KeyRef {
        std::uint32_t part = 0;
        std::uint32_t row = 0;
        bool in_old_keys = false;
    };
    struct Entry {
        KeyRef key;
        RowRef row;
        bool may_be_stored = false;  // the warehouse may have a row with this key
        bool alive = false;          // `row` is what it is in the end; else it is gone
        std::int32_t copies = 0;     // where keys repeat: so many more, or less, of the row
    };

  public:
    // What telling many keys apart has taken, to serve again.
    class Memory;

    // All changes must have these columns. `memory`: of the buffer before, of the same table; once
    // there are many keys, room is made for as many as that had.
    explicit ChangeBuffer(std::shared_ptr<const TableSchema> columns);
    ChangeBuffer(std::shared_ptr<const TableSchema> columns, Memory memory);
    // Ends the use of the buffer. The changes of seconds in small parts, thousands of them, take
    // milliseconds to be given back: `now_and_then` is called meanwhile.
    Memory TakeMemory(const std::function<void()>& now_and_then);

    // `exact`: the warehouse has the table as it was just before these changes, so the key of an
    // insert cannot be there yet. Not so while a snapshot overlaps with the changes.
    void Add(TableChanges part, bool exact);

    const TableSchema& columns() const { return *columns_; }
    std::uint64_t changes() const { return changes_; }
    std::size_t keys() const { return entries_.size(); }
    std::size_t bytes() const {
        return bytes_ + key_arena_.bytes() + entries_.size() * (sizeof(Entry) + 24) +
               partials_.size() * (sizeof(Partial) + 32);
    }
    // Whether all of Add's changes were.
    bool exact() const { return exact_; }
    // The table has to be emptied before anything else.
    bool truncated() const { return truncated_; }

    // What has to be done, in this order: read the partial rows' missing values, delete the keys,
    // insert the rows. Each is a row source that borrows from the buffer; null when empty.
    //
    // Keys that the warehouse may have and that have changed; the key's columns. Where keys repeat,
    // the rows of which there are less: also how many (kCopies, BIGINT) and a number of each
    // (kNumber, BIGINT).
    static constexpr const char* kCopies = "biwa copies";
    static constexpr const char* kNumber = "biwa number";
    std::unique_ptr<RowSource> DeletedKeys() const;
    // Where keys repeat: of how many rows DeletedKeys rids the table.
    std::uint64_t deleted_copies() const;
    // Whole rows.
    std::unique_ptr<RowSource> Rows() const;
    // Rows that lack values which the source did not send. Columns: those of the table; for each of
    // partial_columns() a boolean KeepName, true where the value is missing; the key's columns as
    // OriginName: where the warehouse has the row with the missing values now.
    static std::string KeepName(std::size_t column);
    static std::string OriginName(std::size_t key_column);
    std::unique_ptr<RowSource> PartialRows() const;
    // Places in columns() that are missing in any partial row, ascending.
    std::vector<std::size_t> partial_columns() const;

    // Every change one after another, not folded (but for those before the last truncate), in any
    // order: its row and what HistoryColumns() names. An update that changed the key is two rows:
    // the old key, "moved", and the row. No time is before `not_before`.
    //
    // Of partial rows there is an own source, with the columns of PartialRows before those.
    std::unique_ptr<RowSource> History(Micros not_before) const;
    std::unique_ptr<RowSource> PartialHistory(Micros not_before) const;
    // Of the last of truncates.
    const ChangeOrigin& truncated_at() const { return truncated_at_; }

    // Operation, commit, its time, and the place within the transaction.
    static const std::vector<Column>& HistoryColumns();

  private:
    // Rows of a part that follow one another.
    struct RowRun {
        RowRef first;
        std::uint32_t count = 0;
    };
    // What a row lacks, and under which key the warehouse has it.
    struct Partial {
        KeyRef origin;
        std::vector<std::uint32_t> columns;
        bool is_nowhere = false;  // the warehouse does not have it
    };

    struct HistoryItem {
        KeyRef place;
        const char* operation;
        std::uint32_t row;  // of the change; of an old key, `place` has another
        const TableChanges::Run* run;
        const Partial* partial;
    };
    std::vector<HistoryItem> HistoryItems(bool is_partial) const;
    std::unique_ptr<RowSource> HistorySource(bool is_partial, Micros not_before) const;
    std::vector<Column> PartialColumns(const std::vector<std::size_t>& kept) const;
    // Fills what PartialColumns adds to a row.
    template <typename PartialAt>
    void FillPartial(std::size_t count, const std::vector<std::size_t>& kept, Cells* to,
                     const PartialAt& partial_at) const;

    void AddByKey(const TableChanges& part, std::uint32_t part_number, bool exact);
    void AddCounted(const TableChanges& part, std::uint32_t part_number);
    Entry& EntryOf(const KeyRef& key, bool may_be_stored);
    // Of a key that is a whole number.
    Entry& EntryOf(const KeyRef& key, std::uint64_t number, bool may_be_stored);
    Entry& EntryAt(std::uint32_t place, const KeyRef& key, bool may_be_stored);
    void MakeRoom();
    std::string_view EncodeKey(const KeyRef& key);
    const Cells& KeyCells(const KeyRef& key, std::size_t key_column) const;
    const Partial* PartialOf(RowRef row) const;
    void FillUnchanged(RowRef row, const Entry& base, std::vector<std::uint32_t> columns);

    std::shared_ptr<const TableSchema> columns_;
    // A single key column of at most eight bytes is its own hash key.
    const bool small_key_;
    const std::size_t keys_expected_;  // not few, or 0
    std::deque<TableChanges> parts_;
    std::vector<Entry> entries_;
    NumberIndex by_number_;
    boost::unordered_flat_map<std::string_view, std::uint32_t> by_text_;
    boost::unordered_flat_map<std::uint64_t, Partial> partials_;  // by part << 32 | row
    Arena key_arena_;
    std::string encoded_;
    std::uint64_t changes_ = 0;
    std::size_t bytes_ = 0;
    bool truncated_ = false;
    ChangeOrigin truncated_at_;
    bool exact_ = true;
};

class ChangeBuffer::Memory {
    friend class ChangeBuffer;
    std::size_t keys_ = 0;
    std::vector<Entry> entries_;
    NumberIndex by_number_;
};

}  // namespace biwa
