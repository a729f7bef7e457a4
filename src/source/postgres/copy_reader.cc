#include "source/postgres/copy_reader.h"

#include <fmt/format.h>

#include "source/postgres/binary_values.h"

namespace biwa::postgres {

namespace {
constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
}

Result<CopyDecoder::Piece> CopyDecoder::DecodeHeader(std::string_view piece, RowBlock& block,
                                                     std::size_t row, DecodeContext& context) {
    constexpr std::size_t kHeaderBytes = 19;
    if (piece.size() < kHeaderBytes || !piece.starts_with(kSignature)) {
        return Corrupt("the copy does not begin with the signature of COPY's binary format");
    }
    const auto extension = LoadBigEndian<std::int32_t>(piece.data() + 15);
    if (extension < 0 || static_cast<std::size_t>(extension) > piece.size() - kHeaderBytes) {
        return Corrupt("the copy's header is cut off");
    }
    header_read_ = true;
    piece.remove_prefix(kHeaderBytes + static_cast<std::size_t>(extension));
    // The server sends the header in one message with the first tuple, or with the end.
    return piece.empty() ? Result<Piece>(Piece::kHeader) : Decode(piece, block, row, context);
}

Result<CopyDecoder::Piece> CopyDecoder::Decode(std::string_view piece, RowBlock& block,
                                               std::size_t row, DecodeContext& context) {
    if (!header_read_) return DecodeHeader(piece, block, row, context);
    if (piece.size() < 2) return Corrupt("a row of the copy is cut off");
    const auto fields = LoadBigEndian<std::int16_t>(piece.data());
    const char* at = piece.data() + 2;
    const char* const end = piece.data() + piece.size();
    if (fields == -1) {
        return at == end ? Result<Piece>(Piece::kEnd)
                         : Corrupt("something follows the end of the copy");
    }
    if (static_cast<std::size_t>(fields) != columns_.size()) {
        return Corrupt(fmt::format("a row of the copy has {} fields where {} were asked for",
                                   fields, columns_.size()));
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (end - at < 4) return Corrupt("a row of the copy is cut off");
        const auto length = LoadBigEndian<std::int32_t>(at);
        at += 4;
        auto& cells = block.columns[i];
        if (length < -1) return Corrupt("a field of the copy has a negative length");
        if (length == -1) {
            cells.SetNull(row);
            continue;
        }
        if (end - at < length) return Corrupt("a row of the copy is cut off");
        const std::string_view bytes(at, static_cast<std::size_t>(length));
        const auto& decoder = columns_[i];
        const auto decode = decoder.text_only ? decoder.text : decoder.binary;
        if (!decode(decoder, bytes, cells, row, context)) {
            return Corrupt(
                fmt::format("field {} of a row of the copy is no {}", i + 1, ToSql(decoder.type)));
        }
        at += length;
    }
    if (at != end) return Corrupt("a row of the copy is longer than its fields");
    return Piece::kRow;
}

}  // namespace biwa::postgres
