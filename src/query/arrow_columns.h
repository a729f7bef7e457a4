// The columns of one Arrow record batch while it is gathered: buffers as the Arrow columnar format
// (arrow.apache.org/docs/format/Columnar.html) lays them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/rows.h"
#include "model/type.h"

namespace biwa {

// Bits in least significant bit order, appended one by one.
class Bitmap {
  public:
    void Append(bool bit);
    void AppendMany(bool bit, std::size_t count);
    const std::vector<std::uint8_t>& bytes() const { return bytes_; }

  private:
    std::vector<std::uint8_t> bytes_;
    std::size_t size_ = 0;
};

class ArrowColumn {
  public:
    explicit ArrowColumn(Type type);

    // kUser when a number has more than 38 digits or the texts of the batch pass 2 GiB.
    Status Append(const Cells& cells, std::size_t first, std::size_t count);

    std::size_t length() const { return length_; }
    std::size_t null_count() const { return null_count_; }
    // Bytes held by this column and its child.
    std::size_t bytes() const;

    // What the format wants of this column, in its order: a validity bitmap (empty when there is no
    // NULL), offsets where the type has them, then data where it has some.
    struct Buffer {
        const void* data;
        std::size_t bytes;
    };
    std::vector<Buffer> Buffers() const;
    const ArrowColumn* child() const { return child_.get(); }

  private:
    Status AppendValues(const Cells& cells, std::size_t first, std::size_t count);
    Status AppendString(const Cells& cells, std::size_t row);
    Status AppendWide(const Cells& cells, std::size_t row);

    Type type_;
    Bitmap validity_;
    Bitmap bits_;                        // kBool
    std::vector<std::int32_t> offsets_;  // texts, bytes and lists; begins with 0
    std::vector<std::byte> data_;
    std::unique_ptr<ArrowColumn> child_;
    std::size_t length_ = 0;
    std::size_t null_count_ = 0;
    std::string text_;
};

}  // namespace biwa
