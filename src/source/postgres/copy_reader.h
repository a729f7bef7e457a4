// Rows out of a COPY … TO STDOUT (FORMAT binary).
//
// Layout (PostgreSQL manual, COPY, "Binary Format"): 11 bytes of signature, int32 flags, int32
// length of the header's extension; then each tuple as int16 fields and for each field int32 length
// (-1: NULL) and that many bytes; at the end int16 -1.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/rows.h"
#include "source/postgres/types.h"

namespace biwa::postgres {

// Decodes the pieces of one COPY, in order. A piece holds the header or the end or whole tuples:
// the server sends a tuple a message.
class CopyDecoder {
  public:
    explicit CopyDecoder(const std::vector<ColumnDecoder>& columns) : columns_(columns) {}

    enum class Piece { kHeader, kRow, kEnd };
    // A row goes to `row` of the block. Errors are kCorrupt.
    Result<Piece> Decode(std::string_view piece, RowBlock& block, std::size_t row,
                         DecodeContext& context);

  private:
    Result<Piece> DecodeHeader(std::string_view piece, RowBlock& block, std::size_t row,
                               DecodeContext& context);

    const std::vector<ColumnDecoder>& columns_;
    bool header_read_ = false;
};

}  // namespace biwa::postgres
