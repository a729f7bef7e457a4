#include "source/postgres/types.h"

#include <fmt/format.h>

#include <algorithm>

#include "source/postgres/binary_text.h"
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

ColumnDecoder Plain(Type type, DecodeFunction binary, DecodeFunction text) {
    ColumnDecoder decoder;
    decoder.type = std::move(type);
    decoder.binary = binary;
    decoder.text = text;
    return decoder;
}

// Kept as the text of its output function, which `writer` makes of the binary form; without a
// writer it has to be asked for.
ColumnDecoder KeptAsText(std::shared_ptr<const TextWriter> writer, std::string note) {
    auto decoder = Plain({TypeId::kText}, writer ? BinaryAsText : nullptr, TextText);
    decoder.text_only = !writer;
    decoder.forces_text = !writer;
    decoder.writer = std::move(writer);
    decoder.note = std::move(note);
    return decoder;
}

ColumnDecoder Numeric(std::int32_t modifier, const TypeCatalog& catalog) {
    // numeric.c: the modifier is ((precision << 16) | (scale & 0x7ff)) + 4; a scale may be negative
    // (11 bits, signed) or, since PostgreSQL 15, larger than the precision.
    auto note = std::string(
        "numeric without precision is kept as exact text: cast it where you "
        "calculate");
    if (modifier >= 4) {
        const int precision = (modifier - 4) >> 16 & 0xffff;
        const int scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
        const int width = std::max(precision + (scale < 0 ? -scale : 0), scale);
        if (width <= 38) {
            return Plain(Type::Decimal(width, std::max(scale, 0)), BinaryDecimal, TextDecimal);
        }
        note = fmt::format("numeric({},{}) is kept as exact text: it has more than 38 digits",
                           precision, scale);
    }
    return KeptAsText(TextWriterFor(kNumericOid, catalog), std::move(note));
}

// An int64 of the currency's smallest unit: how many decimals that is, the locale says.
ColumnDecoder Money(const TypeCatalog& catalog) {
    const auto found = catalog.find(kMoneyOid);
    const int digits = found != catalog.end() ? found->second.money_digits : 2;
    auto decoder = Plain(Type::Decimal(19, digits), BinaryMoney, TextMoney);
    decoder.note = fmt::format(
        "money is kept as a number with {} decimals, as the database's lc_monetary has it", digits);
    return decoder;
}

ColumnDecoder List(const TypeInfo& info, std::int32_t modifier, const TypeCatalog& catalog,
                   int dimensions) {
    // The modifier of an array column is that of its elements.
    auto element = DecoderFor(info.element, modifier, catalog);
    auto decoder = Plain(element.type, BinaryArray, TextArray);
    decoder.dimensions = std::clamp(dimensions, 1, ArrayHeader::kDimensionsMax);
    for (int i = 0; i < decoder.dimensions; ++i) {
        decoder.type = Type::List(std::move(decoder.type));
    }
    if (const auto of = catalog.find(info.element); of != catalog.end()) {
        decoder.delimiter = of->second.delimiter;
    }
    // The server cannot send an array in binary when it cannot so send its elements.
    decoder.text_only = decoder.forces_text = element.text_only;
    decoder.note = element.note;
    decoder.element = std::make_shared<const ColumnDecoder>(std::move(element));
    return decoder;
}

}  // namespace

ColumnDecoder DecoderFor(Oid oid, std::int32_t modifier, const TypeCatalog& catalog,
                         int dimensions) {
    const auto plain = [](TypeId id, DecodeFunction binary, DecodeFunction text) {
        return Plain(Type{id}, binary, text);
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
            return Numeric(modifier, catalog);
        case kMoneyOid:
            return Money(catalog);
        case kCharOid:
            return KeptAsText(TextWriterFor(oid, catalog), "");
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
                              catalog, info.dimensions);
        }
        if (info.kind == 'e') return plain(TypeId::kText, BinaryText, TextText);
        if (info.kind == 'b' && info.element != 0) {
            return List(info, modifier, catalog, dimensions);
        }
    }
    const auto name = found != catalog.end() ? found->second.name : fmt::format("oid {}", oid);
    auto writer = TextWriterFor(oid, catalog);
    auto decoder = KeptAsText(std::move(writer), fmt::format("type {} is kept as text", name));
    // What has no binary form the server sends as text among what has one.
    if (found != catalog.end() && found->second.send.empty()) decoder.forces_text = false;
    if (decoder.forces_text) {
        decoder.note += "; its binary form is not known, so all changes of the stream come as text";
    }
    return decoder;
}

int DimensionsOf(const Type& type) {
    return type.id == TypeId::kList ? 1 + DimensionsOf(*type.element) : 0;
}

}  // namespace biwa::postgres
