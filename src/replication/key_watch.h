// Notes which rows of one table a stream has changed while somebody compares it with its source.
//
// A row that the stream has not touched between two positions is at both of them what it was at the
// first: this is what tells a row that differs from one that is on its way.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/rows.h"
#include "model/table.h"
#include "source/source.h"

namespace biwa {

// Changes are noted on the stream's thread, the rest is done on one other.
class KeyWatch {
  public:
    using Hash = std::uint64_t;
    // Of the key in the columns `key` of a row; two keys may have the same one, which then count as
    // touched together.
    static Hash HashOf(const std::vector<const Cells*>& key, std::size_t row);

    // While it lives, changes of the table to these keys are noted; with no keys, any change of it.
    class Watching {
      public:
        Watching(KeyWatch& watch, const std::string& source_table,
                 const std::vector<Column>& key_columns, const std::vector<Hash>& keys)
            : watch_(watch) {
            watch_.Begin(source_table, key_columns, keys);
        }
        ~Watching() { watch_.End(); }
        Watching(const Watching&) = delete;
        Watching& operator=(const Watching&) = delete;

      private:
        KeyWatch& watch_;
    };
    bool WasTouched(Hash key) const;
    bool WasAnyTouched() const;

    // The stream is about to take these changes in.
    void Note(const TableChanges& changes);
    // Rows are others now by something else than changes, or the stream has left some out.
    void NoteAll();

  private:
    void Begin(const std::string& source_table, const std::vector<Column>& key_columns,
               const std::vector<Hash>& keys);
    void End();

    std::atomic<bool> is_on_ = false;
    mutable std::mutex mutex_;  // guards all below
    std::string table_;
    std::vector<Column> key_columns_;
    std::unordered_map<Hash, bool> touched_;
    bool any_ = false;
    bool all_ = false;
};

}  // namespace biwa
