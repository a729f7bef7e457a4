// Rows by the block, column by column: how they go from a source to the warehouse and from the
// warehouse to whoever asked.
//
// A RowBlock does not own its cells. The warehouse lends the memory of its own vectors to be filled
// (RowReader::Fill), or lends a filled block to be read; the memory of rows that have to be kept is
// a RowStore's (row_store.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/result.h"
#include "model/table.h"

namespace biwa {

// Rows a block holds at the most: DuckDB's vector size.
inline constexpr std::size_t kBlockRows = 2048;

struct Cells;

// What only the owner of a column's memory can do.
class CellsOwner {
  public:
    virtual ~CellsOwner() = default;
    // Makes the validity bitmap of `cells`, all valid, and sets cells.validity.
    virtual void MakeValidity(Cells& cells) = 0;
    // A list column's child, with room for `size` cells in all; those before keep their values.
    virtual Cells& GrowChild(Cells& cells, std::size_t size) = 0;
};

// One column's cells. `data` holds cells of CellBytes(type); bit row%64 of validity[row/64] is 1
// where the value is not NULL, and there is no bitmap while nothing is NULL.
struct Cells {
    Type type;
    std::byte* data = nullptr;
    std::uint64_t* validity = nullptr;
    Cells* child = nullptr;  // kList
    std::size_t child_size = 0;
    CellsOwner* owner = nullptr;

    bool IsNull(std::size_t row) const {
        return validity != nullptr && (validity[row / 64] >> (row % 64) & 1) == 0;
    }
    void SetNull(std::size_t row) {
        if (validity == nullptr) owner->MakeValidity(*this);
        validity[row / 64] &= ~(std::uint64_t{1} << (row % 64));
    }
    template <typename T>
    T Get(std::size_t row) const {
        T value;
        std::memcpy(&value, data + row * sizeof(T), sizeof(T));
        return value;
    }
    template <typename T>
    void Set(std::size_t row, T value) {
        std::memcpy(data + row * sizeof(T), &value, sizeof(T));
    }
    std::string_view GetString(std::size_t row) const {
        return reinterpret_cast<const StringCell*>(data)[row].view();
    }
};

struct RowBlock {
    std::vector<Cells> columns;
    std::size_t rows = 0;  // at most kBlockRows
};

// One thread's part of a RowSource.
class RowReader {
  public:
    virtual ~RowReader() = default;
    // Fills the block from row 0 on and returns the number of rows; 0 is the end. Strings may point
    // into the reader's memory: they are good until the next call. A decimal or list in a NULL row
    // may hold anything.
    virtual Result<std::size_t> Fill(RowBlock& block) = 0;
};

// Rows to be written, read by up to threads_max() readers at once; their order is of no meaning.
// Outlives its readers. Open is called from any thread.
class RowSource {
  public:
    virtual ~RowSource() = default;
    virtual const std::vector<Column>& columns() const = 0;
    virtual std::size_t threads_max() const { return 1; }
    virtual std::size_t rows_estimate() const = 0;
    // Whether what is stored is likely to be read again at once, as rows that change are.
    virtual bool are_read_soon() const { return true; }
    virtual Result<std::unique_ptr<RowReader>> Open() = 0;
};

}  // namespace biwa
