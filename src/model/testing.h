// For tests and fuzzers: a row block that owns its memory, as the warehouse's vectors do.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "model/rows.h"

namespace biwa {

class OwnedBlock final : public CellsOwner {
  public:
    explicit OwnedBlock(const std::vector<Column>& columns) {
        for (const auto& column : columns) {
            auto& cells = block_.columns.emplace_back();
            cells.type = column.type;
            cells.owner = this;
            cells.data = Room(kBlockRows * CellBytes(column.type));
            for (auto* list = &cells; list->type.id == TypeId::kList; list = list->child) {
                list->child = &children_.emplace_back();
                list->child->type = *list->type.element;
                list->child->owner = this;
            }
        }
    }
    RowBlock& block() { return block_; }

    void MakeValidity(Cells& cells) override {
        const auto words = std::max(kBlockRows, child_room_) / 64 + 1;
        cells.validity = validity_.emplace_back(words, ~std::uint64_t{0}).data();
    }
    Cells& GrowChild(Cells& cells, std::size_t size) override {
        auto& child = *cells.child;
        if (size > cells.child_size) {
            const auto bytes = CellBytes(child.type);
            auto* room = Room(size * bytes);
            if (cells.child_size > 0) std::memcpy(room, child.data, cells.child_size * bytes);
            child.data = room;
            if (child.validity != nullptr) {
                auto& grown = validity_.emplace_back(size / 64 + 1, ~std::uint64_t{0});
                std::copy_n(child.validity, cells.child_size / 64 + 1, grown.begin());
                child.validity = grown.data();
            }
            child_room_ = std::max(child_room_, size);
        }
        cells.child_size = size;
        return child;
    }

  private:
    std::byte* Room(std::size_t bytes) { return memory_.emplace_back(bytes).data(); }

    std::deque<std::vector<std::byte>> memory_;
    std::deque<std::vector<std::uint64_t>> validity_;
    std::deque<Cells> children_;
    std::size_t child_room_ = 0;
    RowBlock block_;
};

}  // namespace biwa
