#include "source/postgres/types.h"

#include <fmt/format.h>

#include "source/postgres/binary_values.h"
#include "source/postgres/text_values.h"

namespace biwa::postgres {

namespace {

// pg_type.dat; an OID of a built-in type never changes.
enum BuiltIn : Oid {
    kBoolOid = 16,
    kByteaOid = 17,
    kCharOid = 18,
    kNameOid = 19,
    kInt8Oid = 20,
    kInt2Oid = 21,
    kInt4Oid = 23,
    kTextOid = 25,
    kOidOid = 26,
    kJsonOid = 114,
    kFloat4Oid = 700,
    kFloat8Oid = 701,
    kBpcharOid = 1042,
    kVarcharOid = 1043,
    kDateOid = 1082,
    kTimeOid = 1083,
    kTimestampOid = 1114,
    kTimestampTzOid = 1184,
    kIntervalOid = 1186,
    kNumericOid = 1700,
    kUuidOid = 2950,
    kJsonbOid = 3802,
};

ColumnDecoder Numeric(std::int32_t modifier) {
    // numeric.c: the modifier is ((precision << 16) | (scale & 0x7ff)) + 4; a scale may be negative
    // (11 bits, signed) or, since PostgreSQL 15, larger than the precision.
    if (modifier >= 4) {
        const int precision = (modifier - 4) >> 16 & 0xffff;
        const int scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
        const int width = std::max(precision + (scale < 0 ? -scale : 0), scale);
        if (width <= 38) {
            return {Type::Decimal(width, std::max(scale, 0)),
                    BinaryDecimal,
                    TextDecimal,
                    false,
                    nullptr,
                    ""};
        }
        return {Type{TypeId::kText},
                BinaryNumericText,
                TextText,
                false,
                nullptr,
                fmt::format("numeric({},{}) is kept as exact text: it has more than 38 digits",
                            precision, scale)};
    }
    return {Type{TypeId::kText},
            BinaryNumericText,
            TextText,
            false,
            nullptr,
            "numeric without precision is kept as exact text: cast it where you calculate"};
}

}  // namespace

ColumnDecoder DecoderFor(Oid oid, std::int32_t modifier, const TypeCatalog& catalog) {
    const auto plain = [](TypeId id, DecodeFunction binary, DecodeFunction text) {
        return ColumnDecoder{Type{id}, binary, text, false, nullptr, ""};
    };
    switch (oid) {
        case kBoolOid:
            return plain(TypeId::kBool, BinaryBool, TextBool);
        case kInt2Oid:
            return plain(TypeId::kInt16, BinaryFixed<std::int16_t>, TextInteger<std::int16_t>);
        case kInt4Oid:
            return plain(TypeId::kInt32, BinaryFixed<std::int32_t>, TextInteger<std::int32_t>);
        case kInt8Oid:
            return plain(TypeId::kInt64, BinaryFixed<std::int64_t>, TextInteger<std::int64_t>);
        case kOidOid:
            return plain(TypeId::kInt64, BinaryOid, TextInteger<std::int64_t>);
        case kFloat4Oid:
            return plain(TypeId::kFloat, BinaryFixed<float>, TextFloat<float>);
        case kFloat8Oid:
            return plain(TypeId::kDouble, BinaryFixed<double>, TextFloat<double>);
        case kNumericOid:
            return Numeric(modifier);
        case kCharOid:
            return plain(TypeId::kText, BinaryChar, TextText);
        case kNameOid:
        case kTextOid:
        case kBpcharOid:
        case kVarcharOid:
            return plain(TypeId::kText, BinaryText, TextText);
        case kByteaOid:
            return plain(TypeId::kBytes, BinaryText, TextBytea);
        case kJsonOid:
            return plain(TypeId::kJson, BinaryText, TextText);
        case kJsonbOid:
            return plain(TypeId::kJson, BinaryJsonb, TextText);
        case kDateOid:
            return plain(TypeId::kDate, BinaryDate, TextDate);
        case kTimeOid:
            return plain(TypeId::kTime, BinaryTime, TextTime);
        case kTimestampOid:
            return plain(TypeId::kTimestamp, BinaryTimestamp, TextTimestamp);
        case kTimestampTzOid:
            return plain(TypeId::kTimestampTz, BinaryTimestamp, TextTimestamp);
        case kIntervalOid:
            return plain(TypeId::kInterval, BinaryInterval, TextInterval);
        case kUuidOid:
            return plain(TypeId::kUuid, BinaryUuid, TextUuid);
        default:
            break;
    }
    const auto found = catalog.find(oid);
    if (found != catalog.end()) {
        const auto& info = found->second;
        if (info.kind == 'd') {
            return DecoderFor(info.base, info.base_modifier >= 0 ? info.base_modifier : modifier,
                              catalog);
        }
        if (info.kind == 'e') return plain(TypeId::kText, BinaryText, TextText);
        if (info.element != 0) {
            // The modifier of an array column is that of its elements.
            auto element = DecoderFor(info.element, modifier, catalog);
            if (!element.text_only && !element.element) {
                auto note = element.note;
                auto type = Type::List(element.type);
                return {std::move(type),
                        BinaryArray,
                        TextArray,
                        false,
                        std::make_shared<const ColumnDecoder>(std::move(element)),
                        std::move(note)};
            }
        }
    }
    const auto name = found != catalog.end() ? found->second.name : fmt::format("oid {}", oid);
    return {Type{TypeId::kText},
            nullptr,
            TextText,
            true,
            nullptr,
            fmt::format("type {} is kept as text", name)};
}

}  // namespace biwa::postgres
