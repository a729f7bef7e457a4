#include "source/mysql/columns.h"

#include <fmt/format.h>

#include "source/mysql/values.h"

namespace biwa::mysql {

namespace {

constexpr ValueSize Fixed(std::size_t bytes) {
    return {ValueSize::Form::kFixed, static_cast<std::uint8_t>(bytes)};
}
constexpr ValueSize Prefix(std::size_t bytes) {
    return {ValueSize::Form::kPrefix, static_cast<std::uint8_t>(bytes)};
}
constexpr ValueSize kPacked{ValueSize::Form::kPacked, 0};
// Dates and times of a prepared statement: a byte, which is small enough to be a packed number.
constexpr ValueSize kShort = Prefix(1);

ColumnDecoder Integer(std::size_t bytes, std::size_t result_bytes, bool is_unsigned) {
    // The smallest type that has all of the values; TINYINT has none of its own here.
    ColumnDecoder decoder;
    decoder.binlog_size = Fixed(bytes);
    decoder.result_size = Fixed(result_bytes);
    const auto set = [&](TypeId type, DecodeFunction read) {
        decoder.type = Type{type};
        decoder.binlog = decoder.result = read;
    };
    switch (bytes) {
        case 1:
            set(TypeId::kInt16, is_unsigned ? UnsignedToInt16 : SignedToInt16);
            break;
        case 2:
            is_unsigned ? set(TypeId::kInt32, UnsignedToInt32) : set(TypeId::kInt16, SignedToInt16);
            break;
        case 3:
            set(TypeId::kInt32, is_unsigned ? UnsignedToInt32 : SignedToInt32);
            break;
        case 4:
            is_unsigned ? set(TypeId::kInt64, UnsignedToInt64) : set(TypeId::kInt32, SignedToInt32);
            break;
        default:
            is_unsigned ? set(TypeId::kInt128, UnsignedToInt128)
                        : set(TypeId::kInt64, SignedToInt64);
            break;
    }
    return decoder;
}

ColumnDecoder Decimal(const ColumnInfo& info) {
    const int precision = info.meta >> 8, scale = info.meta & 0xff;
    if (precision < 1 || precision > 65 || scale > precision) return {};
    const auto size = Fixed(DecimalBytes(precision, scale));
    if (precision <= 38) {
        return {Type::Decimal(precision, scale), BinlogDecimal, ResultDecimal, size, kPacked, {}};
    }
    return {Type{TypeId::kText},
            BinlogDecimalText,
            ResultText,
            size,
            kPacked,
            {},
            fmt::format("decimal({},{}) is kept as exact text: it has more than 38 digits",
                        precision, scale)};
}

ColumnDecoder Bit(const ColumnInfo& info) {
    const auto bytes = static_cast<std::size_t>(info.meta + 7) / 8;
    if (info.meta == 1) {
        return {Type{TypeId::kBool}, BitToBool, BitToBool, Fixed(bytes), kPacked, {}};
    }
    if (info.meta <= 63) {
        return {Type{TypeId::kInt64}, BitToInt64, BitToInt64, Fixed(bytes), kPacked, {}};
    }
    return {Type{TypeId::kInt128}, BitToInt128, BitToInt128, Fixed(bytes), kPacked, {}};
}

std::size_t FractionBytes(const ColumnInfo& info) {
    return static_cast<std::size_t>(info.meta + 1) / 2;
}

constexpr const char* kTimeNote =
    "time is kept as an interval: it may be negative, or longer than a day";

ColumnDecoder String(const ColumnInfo& info, std::size_t prefix) {
    using Special = ColumnInfo::Special;
    const auto size = Prefix(prefix);
    switch (info.special) {
        case Special::kUuid:
            return {Type{TypeId::kUuid}, BinlogUuid, ResultUuid, size, kPacked, {}};
        case Special::kInet4:
        case Special::kInet6:
            return {Type{TypeId::kText}, BinlogInet, ResultText, size, kPacked, {}};
        case Special::kJson:
            return {Type{TypeId::kJson}, BinlogText, ResultText, size, kPacked, {}};
        case Special::kNone:
            break;
    }
    if (info.characters) {
        return {Type{TypeId::kText}, BinlogText, ResultText, size, kPacked, {}};
    }
    const bool is_padded = info.type == FieldType::kString;
    return {Type{TypeId::kBytes}, is_padded ? BinlogPaddedBytes : Bytes, Bytes, size, kPacked, {}};
}

// A column that MariaDB keeps compressed; what a SELECT gives is not.
ColumnDecoder Compressed(ColumnDecoder plain) {
    plain.binlog = plain.binlog == BinlogText ? BinlogCompressedText : BinlogCompressedBytes;
    return plain;
}

ColumnDecoder Find(const ColumnInfo& info) {
    const auto fraction = FractionBytes(info);
    switch (info.type) {
        case FieldType::kTiny:
            return Integer(1, 1, info.is_unsigned);
        case FieldType::kShort:
            return Integer(2, 2, info.is_unsigned);
        case FieldType::kInt24:
            return Integer(3, 4, info.is_unsigned);
        case FieldType::kLong:
            return Integer(4, 4, info.is_unsigned);
        case FieldType::kLongLong:
            return Integer(8, 8, info.is_unsigned);
        case FieldType::kFloat:
            return {Type{TypeId::kFloat}, FloatValue, FloatValue, Fixed(4), Fixed(4), {}};
        case FieldType::kDouble:
            return {Type{TypeId::kDouble}, DoubleValue, DoubleValue, Fixed(8), Fixed(8), {}};
        case FieldType::kDecimal:
            return Decimal(info);
        case FieldType::kYear:
            return {Type{TypeId::kInt16}, BinlogYear, SignedToInt16, Fixed(1), Fixed(2), {}};
        case FieldType::kBit:
            return Bit(info);
        case FieldType::kDate:
            return {Type{TypeId::kDate}, BinlogDate, ResultDate, Fixed(3), kShort, {}};
        case FieldType::kDateTime2:
            return {Type{TypeId::kTimestamp}, BinlogDateTime, ResultDateTime,
                    Fixed(5 + fraction),      kShort,         {}};
        case FieldType::kDateTime:
            return {
                Type{TypeId::kTimestamp}, BinlogDateTimeOld, ResultDateTime, Fixed(8), kShort, {}};
        case FieldType::kTimestamp2:
            return {Type{TypeId::kTimestampTz}, BinlogTimestamp, ResultDateTime,
                    Fixed(4 + fraction),        kShort,          {}};
        case FieldType::kTimestamp:
            return {Type{TypeId::kTimestampTz},
                    BinlogTimestampOld,
                    ResultDateTime,
                    Fixed(4),
                    kShort,
                    {}};
        case FieldType::kTime2:
            return {Type{TypeId::kInterval},
                    BinlogTime,
                    ResultTime,
                    Fixed(3 + fraction),
                    kShort,
                    {},
                    kTimeNote};
        case FieldType::kTime:
            return {Type{TypeId::kInterval},
                    BinlogTimeOld,
                    ResultTime,
                    Fixed(3),
                    kShort,
                    {},
                    kTimeNote};
        case FieldType::kEnum:
            return {Type{TypeId::kText}, BinlogEnum, ResultText, Fixed(info.meta), kPacked, {}};
        case FieldType::kSet:
            return {Type{TypeId::kText}, BinlogSet, ResultText, Fixed(info.meta), kPacked, {}};
        case FieldType::kVarchar:
        case FieldType::kVarString:
        case FieldType::kString:
            return String(info, info.meta > 255 ? 2 : 1);
        case FieldType::kBlob:
            return String(info, info.meta);
        case FieldType::kJson:
            return {Type{TypeId::kJson}, BinlogJson, ResultText, Prefix(info.meta), kPacked, {}};
        case FieldType::kGeometry:
            return {Type{TypeId::kBytes},
                    Bytes,
                    Bytes,
                    Prefix(info.meta),
                    kPacked,
                    {},
                    "a geometry is kept as the server has it: four bytes of its SRID, then WKB"};
        case FieldType::kVector:
            return {
                Type::List(Type{TypeId::kFloat}), Vector, Vector, Prefix(info.meta), kPacked, {}};
        case FieldType::kVarcharCompressed:
            return Compressed(String(info, info.meta > 255 ? 2 : 1));
        case FieldType::kBlobCompressed:
            return Compressed(String(info, info.meta));
    }
    return {};
}

}  // namespace

ColumnDecoder DecoderFor(ColumnInfo info) {
    auto decoder = Find(info);
    decoder.info = std::move(info);
    const bool may_be_copied = decoder.binlog == SignedToInt32 || decoder.binlog == SignedToInt64 ||
                               decoder.binlog == FloatValue || decoder.binlog == DoubleValue;
    if (may_be_copied && decoder.binlog_size.form == ValueSize::Form::kFixed &&
        decoder.binlog_size.bytes == CellBytes(decoder.type)) {
        decoder.bytes_copied = decoder.binlog_size.bytes;
    }
    return decoder;
}

}  // namespace biwa::mysql
