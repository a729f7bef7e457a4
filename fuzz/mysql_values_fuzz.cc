// A value of any column type, in the form of the binary log or of a prepared statement's row; a
// JSON document; a statement; a position: they are read, or refused. The first byte says which.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "source/mysql/binlog_testing.h"
#include "source/mysql/json_binary.h"
#include "source/mysql/statements.h"

namespace {

using namespace biwa;
using namespace biwa::mysql;

void ReadValue(std::string_view bytes, bool is_result) {
    if (bytes.size() < 4) return;
    ColumnInfo info;
    info.type = static_cast<FieldType>(bytes[0]);
    info.meta = static_cast<std::uint16_t>(LoadLittleEndian(bytes.data() + 1, 2));
    info.is_unsigned = (bytes[3] & 1) != 0;
    if ((bytes[3] & 2) != 0) info.characters = AnyTable::Utf8();
    if ((bytes[3] & 4) != 0) info.characters = AnyTable::Latin1();
    info.special = static_cast<ColumnInfo::Special>(bytes[3] >> 4 & 3);
    info.values = {"a", "b"};
    // What a table map or a catalogue would not let through.
    const bool is_seconds = info.type == FieldType::kTimestamp2 ||
                            info.type == FieldType::kDateTime2 || info.type == FieldType::kTime2;
    if (is_seconds && info.meta > 6) return;
    const bool is_small = info.type == FieldType::kEnum || info.type == FieldType::kSet ||
                          info.type == FieldType::kBlob || info.type == FieldType::kGeometry ||
                          info.type == FieldType::kJson;
    if (is_small && (info.meta < 1 || info.meta > 4)) return;
    if (info.type == FieldType::kBit && (info.meta < 1 || info.meta > 64)) return;
    if (info.special == ColumnInfo::Special::kJson && !info.characters) return;
    const auto decoder = DecoderFor(info);
    if (decoder.binlog == nullptr) return;
    RowStore store({{"v", decoder.type, true, "", {}}});
    DecodeContext context;
    context.arena = &store.arena();
    auto rest = bytes.substr(4);
    std::string_view value;
    while (TakeValue(is_result ? decoder.result_size : decoder.binlog_size, rest, value)) {
        const auto read = is_result ? decoder.result : decoder.binlog;
        const auto row = store.AddRow();
        if (!read(decoder, value, store.cells(0), row, context)) return;
        if (rest.empty()) return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 5) {
        case 0:
            ReadValue(bytes, false);
            break;
        case 1:
            ReadValue(bytes, true);
            break;
        case 2:
            if (const auto json = JsonText(bytes)) BIWA_CHECK(IsUtf8(*json));
            break;
        case 3:
            (void)ReadStatement(bytes, "app");
            break;
        default:
            if (const auto place = BinlogPlace::Parse(bytes)) {
                const auto again = BinlogPlace::Parse(place->ToPosition().text);
                BIWA_CHECK(again && again->ToPosition() == place->ToPosition());
            }
    }
    return 0;
}
