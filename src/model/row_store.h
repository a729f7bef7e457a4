// Rows that are kept: grows at the end, owns its cells and the bytes of its strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/slabs.h"
#include "model/rows.h"

namespace biwa {

// Bytes that somebody shares, and that stay where they are while anybody does.
struct SharedBytes {
    std::shared_ptr<const void> owner;  // none: nobody does
    std::string_view bytes;
};

// Bytes that stay where they are until the arena goes. It begins small and grows: most batches have
// a few rows.
class Arena {
  public:
    // Takes its memory from `slabs`, where there are any, once it is large.
    explicit Arena(std::shared_ptr<Slabs> slabs = nullptr) : slabs_(std::move(slabs)) {}
    Arena(Arena&& other) noexcept { *this = std::move(other); }
    // What was moved from is empty: it must not give out room of the other's.
    Arena& operator=(Arena&& other) noexcept {
        slabs_ = other.slabs_;
        blocks_ = std::exchange(other.blocks_, {});
        blocks_used_ = std::exchange(other.blocks_used_, 0);
        large_ = std::exchange(other.large_, {});
        kept_ = std::exchange(other.kept_, {});
        free_ = std::exchange(other.free_, nullptr);
        free_size_ = std::exchange(other.free_size_, 0);
        bytes_ = std::exchange(other.bytes_, 0);
        return *this;
    }
    // Uninitialised room for `size` bytes.
    char* Allocate(std::size_t size);
    StringCell Copy(std::string_view text);
    // Forgets all bytes. Its memory serves again: what is given back to the system comes back page
    // by page.
    void Clear();
    // Copies a text, or where it is a large part of `from` keeps that instead.
    StringCell Keep(std::string_view text, const SharedBytes& from);
    std::size_t bytes() const { return bytes_; }

  private:
    std::shared_ptr<Slabs> slabs_;
    std::vector<std::shared_ptr<std::byte[]>> blocks_;
    std::size_t blocks_used_ = 0;
    std::vector<std::unique_ptr<char[]>> large_;
    std::vector<std::shared_ptr<const void>> kept_;
    char* free_ = nullptr;
    std::size_t free_size_ = 0;
    std::size_t bytes_ = 0;
};

class RowStore final : public CellsOwner {
  public:
    RowStore() = default;
    // Has room for `rows_expected` from the first row on: growing copies all that is there. Large
    // memory is taken from `slabs`, where there are any.
    explicit RowStore(const std::vector<Column>& columns, std::size_t rows_expected = 0,
                      std::shared_ptr<Slabs> slabs = nullptr);
    RowStore(RowStore&& other) noexcept;
    RowStore& operator=(RowStore&& other) noexcept;

    // A new row at the end with undefined cells, none NULL: the caller sets each. Returns its
    // place.
    std::size_t AddRow() {
        if (rows_ == capacity_) Grow();
        return rows_++;
    }
    std::size_t rows() const { return rows_; }
    // Forgets the rows from there on.
    void CutAt(std::size_t rows);
    std::size_t column_count() const { return columns_.size(); }
    Cells& cells(std::size_t column) { return columns_[column].cells; }
    const Cells& cells(std::size_t column) const { return columns_[column].cells; }
    Arena& arena() { return arena_; }
    // Gives a column another type than kList: its values are undefined until set, its NULLs stay.
    void Retype(std::size_t column, Type type);
    // The columns behind it move up.
    void RemoveColumn(std::size_t column);
    // Memory held, about.
    std::size_t bytes() const;

    void MakeValidity(Cells& cells) override;
    Cells& GrowChild(Cells& cells, std::size_t size) override;

  private:
    struct Storage {
        Cells cells;
        // Not zeroed: cells are undefined until they are set.
        std::shared_ptr<std::byte[]> data;
        std::size_t size = 0;  // bytes of `data`
        std::vector<std::uint64_t> validity;
        std::unique_ptr<Storage> child;
    };
    void Resize(Storage& storage, std::size_t cells);
    Storage& StorageOf(Cells& cells);
    void Grow();
    void Adopt();

    std::shared_ptr<Slabs> slabs_;
    std::deque<Storage> columns_;
    std::size_t rows_ = 0;
    std::size_t capacity_ = 0;
    std::size_t rows_expected_ = 0;
    Arena arena_;
};

// Copies cell `from_row` of `from` to `to_row` of `to`, which has the same type. Bytes of strings
// are not copied: they must outlive both.
void CopyCell(const Cells& from, std::size_t from_row, Cells& to, std::size_t to_row);
// The same of `count` cells that follow one another in both.
void CopyRun(const Cells& from, std::size_t from_row, std::size_t count, Cells& to,
             std::size_t to_row);

}  // namespace biwa
