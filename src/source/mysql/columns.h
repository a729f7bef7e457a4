// Columns of MySQL and MariaDB: what each type becomes, how its values lie in rows of the binary
// log and in the rows of a prepared statement ("binary protocol"), and how they are read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/row_store.h"
#include "model/rows.h"
#include "model/type.h"
#include "source/mysql/binlog_events.h"
#include "source/mysql/character_set.h"

namespace biwa::mysql {

// All that reading a column's values takes.
struct ColumnInfo {
    // Types of MariaDB that the binary log takes for others.
    enum class Special : std::uint8_t { kNone, kJson, kUuid, kInet4, kInet6 };

    std::string name;
    FieldType type{};
    std::uint16_t meta = 0;  // as MappedColumn has it
    bool is_unsigned = false;
    std::shared_ptr<const CharacterSet> characters;  // none: bytes
    bool has_twins = false;                          // of those, HasTwins
    std::vector<std::string> values;                 // of an ENUM or SET, as UTF-8
    Special special = Special::kNone;
};

struct DecodeContext {
    Arena* arena = nullptr;  // takes the bytes of strings
    // Values that the warehouse's type cannot hold, such as the date 0000-00-00: NULL.
    std::uint64_t unrepresentable = 0;
    std::string buffer;                    // for conversions
    std::string uncompressed;              // the value that is read, of a COMPRESSED column
    const SharedBytes* message = nullptr;  // that the values are in, where it is large
    std::string_view kept = {};  // bytes that stay as long as the arena's: strings point at them
};

// Reads one value, not NULL, into a cell; false when the bytes are not of the type.
struct ColumnDecoder;
using DecodeFunction = bool (*)(const ColumnDecoder& decoder, std::string_view bytes, Cells& cells,
                                std::size_t row, DecodeContext& context);

// How many bytes a value takes: so many, or so many as the number in front of it says.
struct ValueSize {
    enum class Form : std::uint8_t {
        kFixed,
        kPrefix,  // a little-endian number of `bytes` bytes
        kPacked,  // a packed number
    };
    Form form = Form::kFixed;
    std::uint8_t bytes = 0;
};

struct ColumnDecoder {
    Type type;
    DecodeFunction binlog = nullptr;  // none: the type cannot be followed; the note says why
    DecodeFunction result = nullptr;
    ValueSize binlog_size;
    ValueSize result_size;
    ColumnInfo info;
    std::string note = {};  // why the type is not quite the source's
    // Not 0: what `binlog` does is to copy so many bytes, all that the value and the cell have.
    std::uint8_t bytes_copied = 0;
};

ColumnDecoder DecoderFor(ColumnInfo info);

// Takes a value's bytes off the front of `rest`; false when they are not all there.
inline bool TakeValue(ValueSize size, std::string_view& rest, std::string_view& value) {
    std::uint64_t bytes = size.bytes;
    if (size.form != ValueSize::Form::kFixed) {
        if (size.form == ValueSize::Form::kPacked) {
            if (rest.empty()) return false;
            const auto first = static_cast<unsigned char>(rest[0]);
            size.bytes = first < 0xfb ? 0 : first == 0xfc ? 2 : first == 0xfd ? 3 : 8;
            bytes = first;
            rest.remove_prefix(1);
        }
        if (size.bytes > 0) {
            if (rest.size() < size.bytes) return false;
            bytes = 0;
            for (std::size_t i = 0; i < size.bytes; ++i) {
                bytes |= std::uint64_t{static_cast<unsigned char>(rest[i])} << (8 * i);
            }
            rest.remove_prefix(size.bytes);
        }
    }
    if (rest.size() < bytes) return false;
    value = rest.substr(0, bytes);
    rest.remove_prefix(bytes);
    return true;
}

}  // namespace biwa::mysql
