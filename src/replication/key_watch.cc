#include "replication/key_watch.h"

#include <functional>
#include <string_view>

#include "replication/change_buffer.h"

namespace biwa {

KeyWatch::Hash KeyWatch::HashOf(const std::vector<const Cells*>& key, std::size_t row) {
    std::string bytes;
    for (const auto* cells : key) EncodeCell(*cells, row, false, bytes);
    return std::hash<std::string_view>()(bytes);
}

void KeyWatch::Begin(const std::string& source_table, const std::vector<Column>& key_columns,
                     const std::vector<Hash>& keys) {
    std::lock_guard lock(mutex_);
    table_ = source_table;
    key_columns_ = key_columns;
    touched_.clear();
    for (const auto key : keys) touched_[key] = false;
    any_ = all_ = false;
    is_on_ = true;
}

void KeyWatch::End() {
    std::lock_guard lock(mutex_);
    is_on_ = false;
    touched_.clear();
}

bool KeyWatch::WasTouched(Hash key) const {
    std::lock_guard lock(mutex_);
    const auto found = touched_.find(key);
    return all_ || found == touched_.end() || found->second;
}

bool KeyWatch::WasAnyTouched() const {
    std::lock_guard lock(mutex_);
    return any_ || all_;
}

void KeyWatch::Note(const TableChanges& changes) {
    if (!is_on_) return;
    std::lock_guard lock(mutex_);
    if (!is_on_ || changes.schema + "." + changes.name != table_) return;
    any_ = true;
    // By their types too: a key that has become wider has other bytes.
    std::vector<Column> columns;
    std::vector<const Cells*> key, old_key;
    for (std::size_t i = 0; i < changes.columns->key.size(); ++i) {
        const auto column = changes.columns->key[i];
        columns.push_back(changes.columns->columns[column]);
        key.push_back(&changes.rows.cells(column));
        if (changes.old_keys.column_count() > 0) old_key.push_back(&changes.old_keys.cells(i));
    }
    if (changes.truncated_first || columns != key_columns_) all_ = true;
    if (all_ || touched_.empty()) return;
    const auto note = [&](const std::vector<const Cells*>& cells, std::size_t row) {
        const auto found = touched_.find(HashOf(cells, row));
        if (found != touched_.end()) found->second = true;
    };
    for (std::size_t row = 0; row < changes.rows.rows(); ++row) note(key, row);
    for (const auto& change : changes.key_changes) note(old_key, change.old_key);
}

void KeyWatch::NoteAll() {
    std::lock_guard lock(mutex_);
    all_ = true;
}

}  // namespace biwa
