// The clear values of hashed keys that a stream may still be asked for.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "model/format.h"
#include "replication/masked_table.h"
#include "replication/masking.h"

namespace biwa {

// Clear values of hashed keys, of changes that are not durable yet: the warehouse may ask for such
// rows, and has only the hashes.
class ClearKeys {
  public:
    void Remember(const MaskedTable& table, const TableChanges& changes, KeyedHash& hash) {
        std::string text;
        std::string hex(KeyedHash::kHexBytes, ' ');
        for (std::size_t i = 0; i < changes.unchanged.size(); ++i) {
            const auto row = changes.unchanged[i].row;
            if (i > 0 && changes.unchanged[i - 1].row == row) continue;
            for (const auto column : table.clear->key) {
                const auto& cells = changes.rows.cells(column);
                if (!table.masks[column] || cells.IsNull(row)) continue;
                text.clear();
                AppendText(cells, row, text);
                hash.Hex(text, hex.data());
                open_[hex] = text;
            }
        }
    }
    void Commit(std::uint64_t order) {
        if (!open_.empty()) committed_.push_back({order, std::exchange(open_, {})});
    }
    void Forget(std::uint64_t durable_order) {
        while (!committed_.empty() && committed_.front().order <= durable_order) {
            committed_.pop_front();
        }
    }
    const std::string* Find(const std::string& hex) const {
        if (const auto found = open_.find(hex); found != open_.end()) return &found->second;
        for (const auto& part : committed_) {
            if (const auto found = part.keys.find(hex); found != part.keys.end()) {
                return &found->second;
            }
        }
        return nullptr;
    }

  private:
    using Keys = std::map<std::string, std::string>;  // by hash
    struct Part {
        std::uint64_t order;
        Keys keys;
    };
    Keys open_;  // of a transaction that has not ended
    std::deque<Part> committed_;
};

}  // namespace biwa
