// Numbers, and shapes, whose coordinates are numbers (src/backend/utils/adt).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "source/postgres/binary_text.h"
#include "source/postgres/bytes.h"

namespace biwa::postgres {

namespace {

template <typename T>
bool AppendInteger(std::string_view bytes, std::string& text) {
    T value{};
    if (!ReadWhole(bytes, value)) return false;
    text += fmt::to_string(value);
    return true;
}

// A decimal number: digits d1 d2 d3 … stand for d1.d2d3… * 10^exponent.
struct Decimal {
    std::string digits;
    int exponent = 0;
};

// What std::to_chars wrote in its scientific form.
Decimal ParseScientific(std::string_view text) {
    Decimal decimal;
    const auto e = text.find('e');
    for (const char c : text.substr(0, e)) {
        if (c != '.') decimal.digits += c;
    }
    auto exponent = text.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), decimal.exponent);
    while (decimal.digits.size() > 1 && decimal.digits.back() == '0') decimal.digits.pop_back();
    return decimal;
}

// Whether the decimal lies exactly half way between `value` and one of its neighbours.
template <typename T>
bool IsHalfway(const Decimal& decimal, T value) {
    int binary_exponent = 0;
    const T fraction = std::frexp(value, &binary_exponent);
    constexpr int kBits = std::numeric_limits<T>::digits;
    const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, kBits));
    std::uint64_t number = 0;
    for (const char c : decimal.digits) number = number * 10 + static_cast<unsigned>(c - '0');
    // Beyond so many factors of five the sides below cannot be equal: both numbers are under 2^57.
    const int power = decimal.exponent - static_cast<int>(decimal.digits.size()) + 1;
    if (std::abs(power) > 25) return false;
    // number * 10^power == middle * 2^twos? Both without their factors of two, which are counted.
    const auto equals = [&](std::uint64_t middle, int twos) {
        unsigned __int128 left = number, right = middle;
        for (int i = 0; i < std::abs(power); ++i) (power > 0 ? left : right) *= 5;
        int left_twos = power;
        for (; left % 2 == 0 && left != 0; left /= 2) ++left_twos;
        return left == right && left_twos == twos;
    };
    const int twos = binary_exponent - kBits - 1;
    // Below a power of two the neighbours are twice as near.
    const bool is_power = mantissa == std::uint64_t{1} << (kBits - 1);
    return equals(2 * mantissa + 1, twos) ||
           (is_power ? equals(4 * mantissa - 1, twos - 1) : equals(2 * mantissa - 1, twos));
}

// The fewest digits that are nearer to `value`, above 0, than to any other. The standard library
// also takes a decimal half way to a neighbour where it would be read back as `value`; PostgreSQL
// does not, since others may read it otherwise (src/common/d2s.c).
template <typename T>
Decimal ShortestDigits(T value) {
    char buffer[64];
    const auto* end =
        std::to_chars(buffer, std::end(buffer), value, std::chars_format::scientific).ptr;
    auto decimal = ParseScientific({buffer, end});
    constexpr int kDigitsMax = std::numeric_limits<T>::max_digits10;
    for (auto digits = static_cast<int>(decimal.digits.size());
         digits < kDigitsMax && IsHalfway(decimal, value); ++digits) {
        end = std::to_chars(buffer, std::end(buffer), value, std::chars_format::scientific, digits)
                  .ptr;
        decimal = ParseScientific({buffer, end});
    }
    return decimal;
}

// As float4out and float8out of PostgreSQL 12 and later write it.
template <typename T>
void AppendFloat(T value, std::string& text) {
    if (std::isnan(value)) {
        text += "NaN";
        return;
    }
    if (std::signbit(value)) text += '-';
    value = std::fabs(value);
    if (std::isinf(value)) {
        text += "Infinity";
        return;
    }
    if (value == 0) {
        text += '0';
        return;
    }
    const auto [digits, exponent] = ShortestDigits(value);
    constexpr int kFixedMax = std::is_same_v<T, float> ? 6 : 15;
    if (exponent < -4 || exponent >= kFixedMax) {
        text += digits[0];
        if (digits.size() > 1) text.append(".").append(digits, 1);
        text += fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
    } else if (exponent < 0) {
        text.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
    } else {
        const auto whole = static_cast<std::size_t>(exponent) + 1;
        if (digits.size() <= whole) {
            text.append(digits).append(whole - digits.size(), '0');
        } else {
            text.append(digits, 0, whole).append(".").append(digits, whole);
        }
    }
}

bool AppendCoordinate(ByteReader& reader, std::string& text) {
    double value = 0;
    if (!reader.Number(value)) return false;
    AppendFloat(value, text);
    return true;
}

bool AppendPoint(ByteReader& reader, std::string& text) {
    text += '(';
    if (!AppendCoordinate(reader, text)) return false;
    text += ',';
    if (!AppendCoordinate(reader, text)) return false;
    text += ')';
    return true;
}

bool AppendPoints(ByteReader& reader, std::int64_t count, std::string& text) {
    for (std::int64_t i = 0; i < count; ++i) {
        if (i > 0) text += ',';
        if (!AppendPoint(reader, text)) return false;
    }
    return reader.at_end();
}

}  // namespace

BIWA_WRITE_FUNCTION(WriteInt2) {
    (void)writer;
    return AppendInteger<std::int16_t>(bytes, text);
}

BIWA_WRITE_FUNCTION(WriteInt4) {
    (void)writer;
    return AppendInteger<std::int32_t>(bytes, text);
}

BIWA_WRITE_FUNCTION(WriteInt8) {
    (void)writer;
    return AppendInteger<std::int64_t>(bytes, text);
}

BIWA_WRITE_FUNCTION(WriteUnsigned4) {
    (void)writer;
    return AppendInteger<std::uint32_t>(bytes, text);
}

BIWA_WRITE_FUNCTION(WriteUnsigned8) {
    (void)writer;
    return AppendInteger<std::uint64_t>(bytes, text);
}

BIWA_WRITE_FUNCTION(WriteFloat4) {
    (void)writer;
    float value = 0;
    if (!ReadWhole(bytes, value)) return false;
    AppendFloat(value, text);
    return true;
}

BIWA_WRITE_FUNCTION(WriteFloat8) {
    (void)writer;
    double value = 0;
    if (!ReadWhole(bytes, value)) return false;
    AppendFloat(value, text);
    return true;
}

BIWA_WRITE_FUNCTION(WriteNumeric) {
    (void)writer;
    return AppendNumeric(bytes, text);
}

// cash_out in the locale C, which Connection::Open asks for: "-$1,234.56".
BIWA_WRITE_FUNCTION(WriteMoney) {
    (void)writer;
    std::int64_t value = 0;
    if (!ReadWhole(bytes, value)) return false;
    const auto cents =
        value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
    auto whole = fmt::to_string(cents / 100);
    for (auto place = static_cast<std::ptrdiff_t>(whole.size()) - 3; place > 0; place -= 3) {
        whole.insert(static_cast<std::size_t>(place), 1, ',');
    }
    text += fmt::format("{}${}.{:02}", value < 0 ? "-" : "", whole, cents % 100);
    return true;
}

BIWA_WRITE_FUNCTION(WritePoint) {
    (void)writer;
    ByteReader reader(bytes);
    return AppendPoints(reader, 1, text);
}

BIWA_WRITE_FUNCTION(WriteBox) {
    (void)writer;
    ByteReader reader(bytes);
    return AppendPoints(reader, 2, text);
}

BIWA_WRITE_FUNCTION(WriteSegment) {
    (void)writer;
    ByteReader reader(bytes);
    text += '[';
    if (!AppendPoints(reader, 2, text)) return false;
    text += ']';
    return true;
}

// A x + B y + C = 0.
BIWA_WRITE_FUNCTION(WriteLine) {
    (void)writer;
    ByteReader reader(bytes);
    for (const char before : {'{', ',', ','}) {
        text += before;
        if (!AppendCoordinate(reader, text)) return false;
    }
    text += '}';
    return reader.at_end();
}

// path_send: int8 closed, int32 points, the points.
BIWA_WRITE_FUNCTION(WritePath) {
    (void)writer;
    ByteReader reader(bytes);
    std::int8_t closed = 0;
    std::int32_t count = 0;
    if (!reader.Number(closed) || !reader.Number(count) || count < 0) return false;
    text += closed != 0 ? '(' : '[';
    if (!AppendPoints(reader, count, text)) return false;
    text += closed != 0 ? ')' : ']';
    return true;
}

BIWA_WRITE_FUNCTION(WritePolygon) {
    (void)writer;
    ByteReader reader(bytes);
    std::int32_t count = 0;
    if (!reader.Number(count) || count < 0) return false;
    text += '(';
    if (!AppendPoints(reader, count, text)) return false;
    text += ')';
    return true;
}

BIWA_WRITE_FUNCTION(WriteCircle) {
    (void)writer;
    ByteReader reader(bytes);
    text += '<';
    if (!AppendPoint(reader, text)) return false;
    text += ',';
    if (!AppendCoordinate(reader, text)) return false;
    text += '>';
    return reader.at_end();
}

}  // namespace biwa::postgres
