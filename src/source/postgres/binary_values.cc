#include "source/postgres/binary_values.h"

#include <array>
#include <functional>
#include <limits>
#include <string>

#include "source/postgres/binary_text.h"

namespace biwa::postgres {

namespace {

constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr std::int32_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kInt32Min = std::numeric_limits<std::int32_t>::min();

__int128 PowerOfTen(int exponent) {
    static const auto powers = [] {
        std::array<__int128, 39> made{};
        made[0] = 1;
        for (std::size_t i = 1; i < made.size(); ++i) made[i] = made[i - 1] * 10;
        return made;
    }();
    return powers[static_cast<std::size_t>(exponent)];
}

// numeric_send: int16 digits, int16 weight (of the first digit, in powers of 10,000), uint16 sign,
// uint16 display scale, then the digits, int16 each, of base 10,000.
struct NumericHeader {
    static constexpr std::size_t kBytes = 8;
    static constexpr std::uint16_t kNegative = 0x4000;
    static constexpr std::uint16_t kNaN = 0xC000;
    static constexpr std::uint16_t kInfinity = 0xD000;
    static constexpr std::uint16_t kNegativeInfinity = 0xF000;

    int digits, weight, scale;
    std::uint16_t sign;

    static bool Read(std::string_view bytes, NumericHeader& header) {
        if (bytes.size() < kBytes) return false;
        header.digits = LoadBigEndian<std::int16_t>(bytes.data());
        header.weight = LoadBigEndian<std::int16_t>(bytes.data() + 2);
        header.sign = LoadBigEndian<std::uint16_t>(bytes.data() + 4);
        header.scale = LoadBigEndian<std::uint16_t>(bytes.data() + 6);
        return header.digits >= 0 &&
               bytes.size() == kBytes + static_cast<std::size_t>(header.digits) * 2 &&
               (!header.is_special() || header.sign == kNaN || header.sign == kInfinity ||
                header.sign == kNegativeInfinity);
    }
    bool is_special() const { return sign != 0 && sign != kNegative; }
};

int DigitAt(std::string_view bytes, int index) {
    return LoadBigEndian<std::int16_t>(bytes.data() + NumericHeader::kBytes + index * 2);
}

bool AreDigits(std::string_view bytes, const NumericHeader& header) {
    for (int i = 0; i < header.digits; ++i) {
        if (const int digit = DigitAt(bytes, i); digit < 0 || digit > 9999) return false;
    }
    return true;
}

}  // namespace

BIWA_DECODE_FUNCTION(BinaryBool) {
    (void)decoder, (void)context;
    if (bytes.size() != 1) return false;
    cells.Set<std::uint8_t>(row, bytes[0] != 0);
    return true;
}

BIWA_DECODE_FUNCTION(BinaryOid) {
    (void)decoder, (void)context;
    if (bytes.size() != 4) return false;
    cells.Set<std::int64_t>(row, LoadBigEndian<std::uint32_t>(bytes.data()));
    return true;
}

BIWA_DECODE_FUNCTION(BinaryText) {
    (void)decoder;
    const std::less_equal<const char*> before;
    if (before(context.kept.data(), bytes.data()) &&
        before(bytes.data() + bytes.size(), context.kept.data() + context.kept.size())) {
        cells.Set(row, StringCell::Of(bytes.data(), bytes.size()));
        return true;
    }
    cells.Set(row, context.message != nullptr ? context.arena->Keep(bytes, *context.message)
                                              : context.arena->Copy(bytes));
    return true;
}

BIWA_DECODE_FUNCTION(BinaryJsonb) {
    // jsonb_send: a version, always 1, then the text.
    if (bytes.empty() || bytes[0] != 1) return false;
    return BinaryText(decoder, bytes.substr(1), cells, row, context);
}

bool SetDate(std::int64_t days, Cells& cells, std::size_t row, DecodeContext& context) {
    if (days >= kInt32Max || days <= -std::int64_t{kInt32Max}) {
        ++context.unrepresentable;
        cells.SetNull(row);
    } else {
        cells.Set(row, static_cast<std::int32_t>(days));
    }
    return true;
}

BIWA_DECODE_FUNCTION(BinaryDate) {
    (void)decoder;
    if (bytes.size() != 4) return false;
    const auto days = LoadBigEndian<std::int32_t>(bytes.data());
    if (days == kInt32Max || days == kInt32Min) {
        cells.Set<std::int32_t>(row, days == kInt32Max ? kInt32Max : -kInt32Max);
        return true;
    }
    return SetDate(std::int64_t{days} + kEpochDays, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinaryTime) {
    (void)decoder, (void)context;
    if (bytes.size() != 8) return false;
    const auto micros = LoadBigEndian<std::int64_t>(bytes.data());
    // 24:00:00 is a time of PostgreSQL's and of the warehouse's.
    if (micros < 0 || micros > std::int64_t{86'400'000'000}) return false;
    cells.Set(row, micros);
    return true;
}

BIWA_DECODE_FUNCTION(BinaryTimestamp) {
    (void)decoder;
    if (bytes.size() != 8) return false;
    const auto micros = LoadBigEndian<std::int64_t>(bytes.data());
    if (micros == kInt64Max || micros == kInt64Min) {
        cells.Set<std::int64_t>(row, micros == kInt64Max ? kInt64Max : -kInt64Max);
    } else if (micros >= kInt64Max - kEpochMicros) {
        // The years 294247 to 294276, which PostgreSQL has and a count from 1970 has not.
        ++context.unrepresentable;
        cells.SetNull(row);
    } else {
        cells.Set<std::int64_t>(row, micros + kEpochMicros);
    }
    return true;
}

BIWA_DECODE_FUNCTION(BinaryInterval) {
    (void)decoder;
    if (bytes.size() != 16) return false;
    const IntervalCell interval{LoadBigEndian<std::int32_t>(bytes.data() + 12),
                                LoadBigEndian<std::int32_t>(bytes.data() + 8),
                                LoadBigEndian<std::int64_t>(bytes.data())};
    const auto all = [&](std::int32_t days, std::int64_t micros) {
        return interval.months == days && interval.days == days && interval.micros == micros;
    };
    if (all(kInt32Max, kInt64Max) || all(kInt32Min, kInt64Min)) {
        // The infinities of PostgreSQL 17, which the warehouse's intervals have not.
        ++context.unrepresentable;
        cells.SetNull(row);
        return true;
    }
    cells.Set(row, interval);
    return true;
}

BIWA_DECODE_FUNCTION(BinaryUuid) {
    (void)decoder, (void)context;
    if (bytes.size() != 16) return false;
    const auto high = LoadBigEndian<std::uint64_t>(bytes.data()) ^ (std::uint64_t{1} << 63);
    cells.Set(row, Int128{LoadBigEndian<std::uint64_t>(bytes.data() + 8),
                          static_cast<std::int64_t>(high)});
    return true;
}

bool SetDecimal(const Type& type, __int128 value, Cells& cells, std::size_t row) {
    const auto limit = type.width == 38 ? PowerOfTen(38) : PowerOfTen(type.width);
    if (value >= limit || value <= -limit) return false;
    if (type.width <= 4) {
        cells.Set(row, static_cast<std::int16_t>(value));
    } else if (type.width <= 9) {
        cells.Set(row, static_cast<std::int32_t>(value));
    } else if (type.width <= 18) {
        cells.Set(row, static_cast<std::int64_t>(value));
    } else {
        cells.Set(
            row, Int128{static_cast<std::uint64_t>(value), static_cast<std::int64_t>(value >> 64)});
    }
    return true;
}

BIWA_DECODE_FUNCTION(BinaryDecimal) {
    NumericHeader header{};
    if (!NumericHeader::Read(bytes, header) || !AreDigits(bytes, header)) return false;
    if (header.is_special()) {
        ++context.unrepresentable;
        cells.SetNull(row);
        return true;
    }
    __int128 value = 0;
    for (int i = 0; i < header.digits; ++i) {
        const int digit = DigitAt(bytes, i);
        // The place of this digit's last decimal, counted in units of the column's scale.
        const int exponent = (header.weight - i) * 4 + decoder.type.scale;
        if (exponent >= 0) {
            if (digit == 0) continue;
            if (exponent > 38) return false;
            __int128 part;
            if (__builtin_mul_overflow(PowerOfTen(exponent), static_cast<__int128>(digit), &part) ||
                __builtin_add_overflow(value, part, &value)) {
                return false;
            }
        } else if (exponent > -4) {
            const int divisor = static_cast<int>(PowerOfTen(-exponent));
            if (digit % divisor != 0) return false;
            const auto part = static_cast<__int128>(digit / divisor);
            if (__builtin_add_overflow(value, part, &value)) return false;
        } else if (digit != 0) {
            return false;
        }
    }
    return SetDecimal(decoder.type, header.sign == NumericHeader::kNegative ? -value : value, cells,
                      row);
}

bool AppendNumeric(std::string_view bytes, std::string& text) {
    NumericHeader header{};
    if (!NumericHeader::Read(bytes, header) || !AreDigits(bytes, header)) return false;
    if (header.is_special()) {
        text += header.sign == NumericHeader::kNaN        ? "NaN"
                : header.sign == NumericHeader::kInfinity ? "Infinity"
                                                          : "-Infinity";
        return true;
    }
    if (header.sign == NumericHeader::kNegative) text += '-';
    const auto append_group = [&](int index, bool pad) {
        const int digit = index >= 0 && index < header.digits ? DigitAt(bytes, index) : 0;
        auto group = std::to_string(digit);
        if (pad) group.insert(0, 4 - std::min<std::size_t>(4, group.size()), '0');
        text += group;
    };
    if (header.weight < 0) {
        text += '0';
    } else {
        for (int i = 0; i <= header.weight; ++i) append_group(i, i > 0);
    }
    if (header.scale > 0) {
        text += '.';
        const auto end = text.size() + static_cast<std::size_t>(header.scale);
        for (int i = header.weight + 1; text.size() < end; ++i) append_group(i, true);
        text.resize(end);
    }
    return true;
}

BIWA_DECODE_FUNCTION(BinaryMoney) {
    (void)context;
    if (bytes.size() != 8) return false;
    return SetDecimal(decoder.type, LoadBigEndian<std::int64_t>(bytes.data()), cells, row);
}

BIWA_DECODE_FUNCTION(BinaryAsText) {
    std::string text;
    return decoder.writer->Append(bytes, text) && BinaryText(decoder, text, cells, row, context);
}

namespace {

// The elements of one list of `level` (0: the outermost), and of the lists in it, out of `reader`.
bool ReadList(const ColumnDecoder& decoder, const ArrayHeader& header, int level,
              ByteReader& reader, Cells& cells, std::size_t row, DecodeContext& context) {
    const auto begin = cells.child_size;
    const auto size = static_cast<std::size_t>(header.sizes[level]);
    auto& child = cells.owner->GrowChild(cells, begin + size);
    for (std::size_t i = 0; i < size; ++i) {
        if (level + 1 < header.dimensions) {
            if (!ReadList(decoder, header, level + 1, reader, child, begin + i, context)) {
                return false;
            }
            continue;
        }
        std::optional<std::string_view> element;
        if (!reader.Field(element)) return false;
        if (!element) {
            child.SetNull(begin + i);
        } else if (!decoder.element->binary(*decoder.element, *element, child, begin + i,
                                            context)) {
            return false;
        }
    }
    cells.Set(row, ListCell{begin, size});
    return true;
}

}  // namespace

BIWA_DECODE_FUNCTION(BinaryArray) {
    ByteReader reader(bytes);
    ArrayHeader header;
    if (!header.Read(reader)) return false;
    if (header.dimensions == 0) {
        cells.Set(row, ListCell{cells.child_size, 0});
        return reader.at_end();
    }
    if (header.dimensions != decoder.dimensions) {
        ++context.unrepresentable;
        cells.SetNull(row);
        return true;
    }
    return ReadList(decoder, header, 0, reader, cells, row, context) && reader.at_end();
}

}  // namespace biwa::postgres
