// Row sources over lists of items in memory, whose rows can be made in any order.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "model/row_store.h"
#include "model/rows.h"

namespace biwa {

// Hands out blocks of a list of `size` items to any number of readers.
class BlockCursor {
  public:
    explicit BlockCursor(std::size_t size) : size_(size) {}
    struct Block {
        std::size_t begin = 0, end = 0;
    };
    Block Take() {
        const auto begin = std::min(next_.fetch_add(kBlockRows), size_);
        return {begin, std::min(begin + kBlockRows, size_)};
    }
    std::size_t size() const { return size_; }

  private:
    const std::size_t size_;
    std::atomic<std::size_t> next_ = 0;
};

// `fill` writes the items from one place to another into a block.
template <typename FillBlock>
class ItemSource final : public RowSource {
  public:
    ItemSource(std::vector<Column> columns, std::size_t size, FillBlock fill)
        : columns_(std::move(columns)), cursor_(size), fill_(std::move(fill)) {}

    const std::vector<Column>& columns() const override { return columns_; }
    std::size_t threads_max() const override {
        // A thread that brings less than a group of the engine's rows has its rows copied once
        // more, and written by one thread alone.
        return cursor_.size() >= 3 * kGroupRows ? 2 : 1;
    }
    std::size_t rows_estimate() const override { return cursor_.size(); }
    Result<std::unique_ptr<RowReader>> Open() override { return std::make_unique<Reader>(*this); }

  private:
    static constexpr std::size_t kGroupRows = 122'880;

    class Reader final : public RowReader {
      public:
        explicit Reader(ItemSource& source) : source_(source) {}
        Result<std::size_t> Fill(RowBlock& block) override {
            const auto items = source_.cursor_.Take();
            if (items.begin == items.end) return std::size_t{0};
            source_.fill_(items.begin, items.end, block);
            return items.end - items.begin;
        }

      private:
        ItemSource& source_;
    };

    const std::vector<Column> columns_;
    BlockCursor cursor_;
    const FillBlock fill_;
};

// Null when there are no items.
template <typename FillBlock>
std::unique_ptr<RowSource> MakeItemSource(std::vector<Column> columns, std::size_t size,
                                          FillBlock fill) {
    if (size == 0) return nullptr;
    return std::make_unique<ItemSource<FillBlock>>(std::move(columns), size, std::move(fill));
}

struct CellPlace {
    const Cells* cells;  // null: the value is NULL
    std::size_t row;
};

// Copies cells of one width from the places that from(i) gives.
template <typename Cell, typename From>
void CopyCells(std::size_t count, Cells& to, const From& from) {
    for (std::size_t i = 0; i < count; ++i) {
        const auto [cells, row] = from(i);
        if (cells == nullptr || cells->IsNull(row)) {
            to.SetNull(i);
        } else {
            to.Set(i, cells->template Get<Cell>(row));
        }
    }
}

template <typename From>
void CopyColumn(std::size_t count, Cells& to, const From& from) {
    if (to.type.id == TypeId::kList) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto [cells, row] = from(i);
            if (cells == nullptr) {
                to.SetNull(i);
            } else {
                CopyCell(*cells, row, to, i);
            }
        }
        return;
    }
    switch (CellBytes(to.type)) {
        case 1:
            return CopyCells<std::uint8_t>(count, to, from);
        case 2:
            return CopyCells<std::uint16_t>(count, to, from);
        case 4:
            return CopyCells<std::uint32_t>(count, to, from);
        case 8:
            return CopyCells<std::uint64_t>(count, to, from);
        default:
            return CopyCells<Int128>(count, to, from);
    }
}

}  // namespace biwa
