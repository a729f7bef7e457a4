// A COPY in binary form, cut into messages by a byte of length each: it ends in rows or an error.
#include <cstdint>
#include <string_view>

#include "model/row_store.h"
#include "model/testing.h"
#include "source/postgres/copy_reader.h"
#include "types_for_fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace biwa;
    using namespace biwa::postgres;
    static const auto types = TypesForFuzzing();
    static const std::vector<ColumnDecoder> decoders = {
        DecoderFor(20, -1, types),          DecoderFor(25, -1, types),
        DecoderFor(1700, kNumeric5, types), DecoderFor(1009, -1, types),
        DecoderFor(1231, -1, types),        DecoderFor(1007, -1, types, 2),
        DecoderFor(90'003, -1, types),      DecoderFor(869, -1, types),
        DecoderFor(790, -1, types)};
    std::vector<Column> columns;
    for (const auto& decoder : decoders) columns.push_back({"c", decoder.type, true, ""});

    std::string_view rest(reinterpret_cast<const char*>(data), size);
    CopyDecoder decoder(decoders);
    OwnedBlock block(columns);
    Arena arena;
    DecodeContext context{&arena};
    for (std::size_t row = 0; row < kBlockRows && !rest.empty(); ++row) {
        const auto piece = rest.substr(1, static_cast<unsigned char>(rest.front()));
        rest.remove_prefix(1 + piece.size());
        const auto decoded = decoder.Decode(piece, block.block(), row, context);
        if (!decoded || *decoded == CopyDecoder::Piece::kEnd) return 0;
    }
    return 0;
}
