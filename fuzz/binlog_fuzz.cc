// Events of the binary log, each with four bytes of length in front, to a decoder for which every
// table is of the stream: they end in a batch whose parts agree with each other, or in an error.
// Checksums are not asked for, as nothing would get past them.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "source/mysql/binlog_testing.h"

namespace {

using namespace biwa;
using namespace biwa::mysql;

void CheckBatch(const ChangeBatch& batch) {
    for (const auto& part : batch.tables) {
        BIWA_CHECK(part.rows.rows() == part.kinds.size());
        BIWA_CHECK(part.old_keys.rows() == part.key_changes.size());
        for (const auto& change : part.key_changes) {
            BIWA_CHECK(change.row < part.rows.rows() && change.old_key < part.old_keys.rows());
        }
        for (const auto& unchanged : part.unchanged) {
            BIWA_CHECK(unchanged.row < part.rows.rows());
            BIWA_CHECK(unchanged.column < part.columns->columns.size());
            BIWA_CHECK(part.rows.cells(unchanged.column).IsNull(unchanged.row));
        }
        for (std::size_t column = 0; column < part.columns->columns.size(); ++column) {
            const auto& cells = part.rows.cells(column);
            for (std::size_t row = 0; row < part.rows.rows(); ++row) {
                if (cells.IsNull(row) || !IsString(cells.type)) continue;
                // Touches every byte; text is well-formed, whatever came.
                const auto text = cells.GetString(row);
                const bool is_good = IsUtf8(text);
                BIWA_CHECK(is_good || cells.type.id == TypeId::kBytes ||
                           part.columns->columns[column].note.empty());
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    AnyTable resolver;
    auto from = BinlogPlace::Parse("log.000001:4");
    BinlogDecoder decoder(resolver, *from, true, false);
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) {
        // A FORMAT_DESCRIPTION would turn checksums on.
        if (event.size() > 4 && event[4] == 15) continue;
        if (!DecodeWhole(decoder, event)) return 0;
        if (event.size() % 7 == 0) CheckBatch(decoder.TakeBatch());
    }
    CheckBatch(decoder.TakeBatch());
    return 0;
}
