#include "replication/change_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "replication/item_source.h"

namespace biwa {

namespace {

// From so many on a batch is a large one.
constexpr std::size_t kManyKeys = 10'000;

// So long before a key is looked up its place in memory is asked for.
constexpr std::uint32_t kRowsAhead = 16;

// One whole number of a key cell of at most eight bytes.
std::uint64_t SmallKey(const Cells& cells, std::size_t row) {
    switch (CellBytes(cells.type)) {
        case 1:
            return cells.Get<std::uint8_t>(row);
        case 2:
            return static_cast<std::uint64_t>(cells.Get<std::int16_t>(row));
        case 4:
            return static_cast<std::uint64_t>(cells.Get<std::int32_t>(row));
        default:
            return cells.Get<std::uint64_t>(row);
    }
}

bool HasSmallKey(const TableSchema& columns) {
    if (columns.key.size() != 1 || columns.key_repeats) return false;
    const auto& type = columns.columns[columns.key[0]].type;
    // Floats are compared by value, not by bits: -0 is 0.
    return CellBytes(type) <= 8 && type.id != TypeId::kFloat && type.id != TypeId::kDouble;
}

template <typename T>
void AppendBytes(T value, std::string& to) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

void EncodeCell(const Cells& cells, std::size_t row, bool to_the_bit, std::string& to) {
    if (IsString(cells.type)) {
        const auto text = cells.GetString(row);
        AppendBytes(static_cast<std::uint32_t>(text.size()), to);
        to.append(text);
    } else if (!to_the_bit &&
               (cells.type.id == TypeId::kFloat || cells.type.id == TypeId::kDouble)) {
        double value =
            cells.type.id == TypeId::kFloat ? cells.Get<float>(row) : cells.Get<double>(row);
        if (value == 0) value = 0;                                             // -0 is 0
        if (value != value) value = std::numeric_limits<double>::quiet_NaN();  // a NaN is a NaN
        AppendBytes(value, to);
    } else if (cells.type.id == TypeId::kList) {
        const auto list = cells.Get<ListCell>(row);
        AppendBytes(list.length, to);
        for (auto i = list.offset; i < list.offset + list.length; ++i) {
            const bool is_null = cells.child->IsNull(i);
            to += is_null ? '\0' : '\1';
            if (!is_null) EncodeCell(*cells.child, i, to_the_bit, to);
        }
    } else {
        const auto bytes = CellBytes(cells.type);
        to.append(reinterpret_cast<const char*>(cells.data + row * bytes), bytes);
    }
}

ChangeBuffer::ChangeBuffer(std::shared_ptr<const TableSchema> columns)
    : ChangeBuffer(std::move(columns), Memory()) {}

ChangeBuffer::ChangeBuffer(std::shared_ptr<const TableSchema> columns, Memory memory)
    : columns_(std::move(columns)),
      small_key_(HasSmallKey(*columns_)),
      keys_expected_(memory.keys_ < kManyKeys ? 0 : memory.keys_ + memory.keys_ / 8),
      entries_(std::move(memory.entries_)),
      by_number_(std::move(memory.by_number_)) {}

ChangeBuffer::Memory ChangeBuffer::TakeMemory(const std::function<void()>& now_and_then) {
    constexpr std::size_t kPartsAtOnce = 32;
    for (; !parts_.empty(); parts_.pop_front()) {
        if (parts_.size() % kPartsAtOnce == 0) now_and_then();
    }
    Memory memory;
    memory.keys_ = entries_.size();
    // What was much and is little now is not held on to.
    if (memory.keys_ < kManyKeys || entries_.capacity() > 8 * memory.keys_) return memory;
    entries_.clear();
    by_number_.Clear();
    memory.entries_ = std::move(entries_);
    memory.by_number_ = std::move(by_number_);
    return memory;
}

const Cells& ChangeBuffer::KeyCells(const KeyRef& key, std::size_t key_column) const {
    const auto& part = parts_[key.part];
    return key.in_old_keys ? part.old_keys.cells(key_column)
                           : part.rows.cells(columns_->key[key_column]);
}

// The key's cells one after another.
std::string_view ChangeBuffer::EncodeKey(const KeyRef& key) {
    encoded_.clear();
    const bool repeats = columns_->key_repeats;
    for (std::size_t i = 0; i < columns_->key.size(); ++i) {
        const auto& cells = KeyCells(key, i);
        if (repeats) {
            const bool is_null = cells.IsNull(key.row);
            encoded_ += is_null ? '\0' : '\1';
            if (is_null) continue;
        }
        EncodeCell(cells, key.row, repeats, encoded_);
    }
    return encoded_;
}

ChangeBuffer::Entry& ChangeBuffer::EntryOf(const KeyRef& key, std::uint64_t number,
                                           bool may_be_stored) {
    const auto next = static_cast<std::uint32_t>(entries_.size());
    return EntryAt(by_number_.PlaceOf(number, next), key, may_be_stored);
}

ChangeBuffer::Entry& ChangeBuffer::EntryOf(const KeyRef& key, bool may_be_stored) {
    if (small_key_) return EntryOf(key, SmallKey(KeyCells(key, 0), key.row), may_be_stored);
    const auto encoded = EncodeKey(key);
    if (const auto found = by_text_.find(encoded); found != by_text_.end()) {
        return entries_[found->second];
    }
    const auto next = static_cast<std::uint32_t>(entries_.size());
    char* const kept = key_arena_.Allocate(encoded.size());
    std::copy(encoded.begin(), encoded.end(), kept);
    by_text_.emplace(std::string_view(kept, encoded.size()), next);
    return EntryAt(next, key, may_be_stored);
}

ChangeBuffer::Entry& ChangeBuffer::EntryAt(std::uint32_t place, const KeyRef& key,
                                           bool may_be_stored) {
    if (place == entries_.size()) {
        if (place == kManyKeys) MakeRoom();
        auto& entry = entries_.emplace_back();
        entry.key = key;
        entry.may_be_stored = may_be_stored;
    }
    return entries_[place];
}

void ChangeBuffer::MakeRoom() {
    if (keys_expected_ == 0) return;
    entries_.reserve(keys_expected_);
    if (!small_key_) by_text_.reserve(keys_expected_);
}

const ChangeBuffer::Partial* ChangeBuffer::PartialOf(RowRef row) const {
    if (partials_.empty()) return nullptr;
    const auto found = partials_.find(std::uint64_t{row.part} << 32 | row.row);
    return found == partials_.end() ? nullptr : &found->second;
}

void ChangeBuffer::FillUnchanged(RowRef row, const Entry& base,
                                 std::vector<std::uint32_t> columns) {
    if (base.alive) {
        // The row before is here too: what it has is taken over, what it lacks is lacking still.
        const auto* lacking = PartialOf(base.row);
        auto& to = parts_[row.part].rows;
        std::vector<std::uint32_t> still;
        for (const auto column : columns) {
            if (lacking != nullptr &&
                std::binary_search(lacking->columns.begin(), lacking->columns.end(), column)) {
                still.push_back(column);
                continue;
            }
            const auto& from = parts_[base.row.part].rows.cells(column);
            auto& cells = to.cells(column);
            if (cells.validity != nullptr) {
                cells.validity[row.row / 64] |= std::uint64_t{1} << (row.row % 64);
            }
            CopyCell(from, base.row.row, cells, row.row);
        }
        if (still.empty()) return;
        const auto origin = lacking->origin;
        const bool is_nowhere = lacking->is_nowhere;
        partials_[std::uint64_t{row.part} << 32 | row.row] = {origin, std::move(still), is_nowhere};
        return;
    }
    partials_[std::uint64_t{row.part} << 32 | row.row] = {base.key, std::move(columns), false};
}

void ChangeBuffer::Add(TableChanges added, bool exact) {
    if (added.truncated_first) {
        // Nothing before counts any more, nor what the warehouse has.
        entries_.clear();
        by_number_.Clear();
        by_text_.clear();
        partials_.clear();
        parts_.clear();
        key_arena_ = Arena();
        bytes_ = 0;
        truncated_ = true;
        truncated_at_ = added.truncated_at;
        exact_ = true;
        ++changes_;
    }
    exact = exact || truncated_;
    exact_ = exact_ && exact;
    const auto part_number = static_cast<std::uint32_t>(parts_.size());
    auto& part = parts_.emplace_back(std::move(added));
    bytes_ += part.rows.bytes() + part.old_keys.bytes();
    changes_ += part.kinds.size();

    if (columns_->key_repeats) return AddCounted(part, part_number);
    if (columns_->key.empty()) {
        for (std::uint32_t row = 0; row < part.kinds.size(); ++row) {
            auto& entry = entries_.emplace_back();
            entry.row = {part_number, row};
            entry.alive = true;
        }
        return;
    }
    AddByKey(part, part_number, exact);
}

void ChangeBuffer::AddCounted(const TableChanges& part, std::uint32_t part_number) {
    std::size_t next_key_change = 0;
    for (std::uint32_t row = 0; row < part.kinds.size(); ++row) {
        const KeyRef now{part_number, row, false};
        if (part.kinds[row] == ChangeKind::kDelete) {
            --EntryOf(now, true).copies;
            continue;
        }
        if (part.kinds[row] == ChangeKind::kUpdate) {
            const auto& change = part.key_changes[next_key_change++];
            BIWA_CHECK(change.row == row);
            --EntryOf({part_number, change.old_key, true}, true).copies;
        }
        auto& entry = EntryOf(now, true);
        ++entry.copies;
        entry.row = {part_number, row};
    }
}

void ChangeBuffer::AddByKey(const TableChanges& part, std::uint32_t part_number, bool exact) {
    std::size_t next_key_change = 0, next_unchanged = 0;
    const auto rows = static_cast<std::uint32_t>(part.kinds.size());
    const auto& key_cells = part.rows.cells(columns_->key[0]);
    const auto entry_of = [&](const KeyRef& key, bool may_be_stored) -> Entry& {
        return small_key_ ? EntryOf(key, SmallKey(key_cells, key.row), may_be_stored)
                          : EntryOf(key, may_be_stored);
    };
    for (std::uint32_t row = 0; row < rows; ++row) {
        if (small_key_ && row + kRowsAhead < rows) {
            by_number_.Prefetch(SmallKey(key_cells, row + kRowsAhead));
        }
        const KeyRef key{part_number, row, false};
        const RowRef here{part_number, row};
        std::vector<std::uint32_t> unchanged;
        for (; next_unchanged < part.unchanged.size() && part.unchanged[next_unchanged].row == row;
             ++next_unchanged) {
            unchanged.push_back(part.unchanged[next_unchanged].column);
        }
        if (part.kinds[row] == ChangeKind::kInsert) {
            auto& entry = entry_of(key, !exact);
            if (!unchanged.empty()) {
                partials_[std::uint64_t{part_number} << 32 | row] = {key, std::move(unchanged),
                                                                     true};
            }
            entry.row = here;
            entry.alive = true;
            continue;
        }
        if (part.kinds[row] == ChangeKind::kDelete) {
            entry_of(key, true).alive = false;
            continue;
        }
        const bool key_changed = next_key_change < part.key_changes.size() &&
                                 part.key_changes[next_key_change].row == row;
        KeyRef before = key;
        if (key_changed) {
            before = {part_number, part.key_changes[next_key_change++].old_key, true};
        }
        auto& old_entry =
            key_changed ? EntryOf(before, !truncated_) : entry_of(before, !truncated_);
        if (!unchanged.empty()) FillUnchanged(here, old_entry, std::move(unchanged));
        if (key_changed) old_entry.alive = false;
        // May move the entries: old_entry is not used after this.
        auto& entry = key_changed ? entry_of(key, !exact) : old_entry;
        entry.row = here;
        entry.alive = true;
    }
}

std::unique_ptr<RowSource> ChangeBuffer::DeletedKeys() const {
    struct Item {
        KeyRef key;
        std::int32_t copies;
    };
    const bool repeats = columns_->key_repeats;
    std::vector<Item> items;
    if (!truncated_) {
        for (const auto& entry : entries_) {
            if (repeats ? entry.copies < 0 : entry.may_be_stored) {
                items.push_back({entry.key, -entry.copies});
            }
        }
    }
    std::vector<Column> columns;
    for (const auto column : columns_->key) columns.push_back(columns_->columns[column]);
    if (repeats) {
        columns.push_back({kCopies, {TypeId::kInt64}, false, ""});
        columns.push_back({kNumber, {TypeId::kInt64}, false, ""});
    }
    const auto size = items.size();
    return MakeItemSource(
        std::move(columns), size,
        [this, repeats, items = std::move(items)](std::size_t begin, std::size_t end,
                                                  RowBlock& block) {
            for (std::size_t column = 0; column < columns_->key.size(); ++column) {
                CopyColumn(end - begin, block.columns[column], [&](std::size_t i) {
                    const auto& key = items[begin + i].key;
                    return CellPlace{&KeyCells(key, column), key.row};
                });
            }
            if (!repeats) return;
            auto* const more = &block.columns[columns_->key.size()];
            for (auto i = begin; i < end; ++i) {
                more[0].Set<std::int64_t>(i - begin, items[i].copies);
                more[1].Set(i - begin, static_cast<std::int64_t>(i));
            }
        });
}

std::uint64_t ChangeBuffer::deleted_copies() const {
    std::uint64_t copies = 0;
    if (truncated_) return 0;
    for (const auto& entry : entries_) {
        if (entry.copies < 0) copies += static_cast<std::uint64_t>(-entry.copies);
    }
    return copies;
}

std::unique_ptr<RowSource> ChangeBuffer::Rows() const {
    std::vector<RowRef> rows;
    rows.reserve(entries_.size());
    for (const auto& entry : entries_) {
        if (entry.alive && PartialOf(entry.row) == nullptr) rows.push_back(entry.row);
        for (auto copies = entry.copies; copies > 0; --copies) rows.push_back(entry.row);
    }
    const auto size = rows.size();
    return MakeItemSource(
        columns_->columns, size,
        [this, rows = std::move(rows)](std::size_t begin, std::size_t end, RowBlock& block) {
            // Most rows are as they came, one behind the other.
            std::vector<RowRun> runs;
            for (auto i = begin; i < end; ++i) {
                const auto& row = rows[i];
                if (!runs.empty() && runs.back().first.part == row.part &&
                    runs.back().first.row + runs.back().count == row.row) {
                    ++runs.back().count;
                } else {
                    runs.push_back({row, 1});
                }
            }
            for (std::size_t column = 0; column < columns_->columns.size(); ++column) {
                std::size_t to = 0;
                for (const auto& run : runs) {
                    CopyRun(parts_[run.first.part].rows.cells(column), run.first.row, run.count,
                            block.columns[column], to);
                    to += run.count;
                }
            }
        });
}

}  // namespace biwa
