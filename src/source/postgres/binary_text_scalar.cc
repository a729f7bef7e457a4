// Values that are not made of others: numbers, times, addresses, shapes (src/backend/utils/adt).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "source/postgres/binary_text.h"
#include "source/postgres/bytes.h"

namespace biwa::postgres {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr std::int32_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kInt32Min = std::numeric_limits<std::int32_t>::min();

template <typename T>
bool ReadWhole(std::string_view bytes, T& value) {
    if (bytes.size() != sizeof(T)) return false;
    value = LoadBigEndian<T>(bytes.data());
    return true;
}

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

// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days, of days since
// 2000-01-01. Returns whether the year is before Christ; year 1 BC follows on 1 AD.
bool AppendCivil(std::int64_t days, std::string& text) {
    days += 10'957 + 719'468;
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
    const std::int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    const std::int64_t month = shifted_month + (shifted_month < 10 ? 3 : -9);
    const std::int64_t year = year_of_era + era * 400 + (month <= 2);
    text += fmt::format("{:04}-{:02}-{:02}", year > 0 ? year : 1 - year, month, day);
    return year <= 0;
}

// ".5" without zeros at the end; nothing where there is none.
void AppendFraction(std::int64_t micros, std::string& text) {
    if (micros == 0) return;
    text += fmt::format(".{:06}", micros);
    while (text.back() == '0') text.pop_back();
}

void AppendTimeOfDay(std::int64_t micros, std::string& text) {
    const auto seconds = micros / kMicrosPerSecond;
    text += fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    AppendFraction(micros % kMicrosPerSecond, text);
}

bool AppendTimestamp(std::string_view bytes, std::string_view zone, std::string& text) {
    std::int64_t micros = 0;
    if (!ReadWhole(bytes, micros)) return false;
    if (micros == kInt64Max || micros == kInt64Min) {
        text += micros == kInt64Max ? "infinity" : "-infinity";
        return true;
    }
    auto days = micros / kMicrosPerDay;
    auto time = micros % kMicrosPerDay;
    if (time < 0) {
        time += kMicrosPerDay;
        --days;
    }
    const bool before_christ = AppendCivil(days, text);
    text += ' ';
    AppendTimeOfDay(time, text);
    text += zone;
    if (before_christ) text += " BC";
    return true;
}

}  // namespace

BIWA_WRITE_FUNCTION(WriteBool) {
    (void)writer;
    if (bytes.size() != 1) return false;
    text += bytes[0] != 0 ? 't' : 'f';
    return true;
}

BIWA_WRITE_FUNCTION(WriteBytea) {
    (void)writer;
    constexpr std::string_view kHex = "0123456789abcdef";
    text += "\\x";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += kHex[byte >> 4];
        text += kHex[byte & 15];
    }
    return true;
}

// "char" is one byte of any value; what is no ASCII is shown in octal.
BIWA_WRITE_FUNCTION(WriteChar) {
    (void)writer;
    if (bytes.size() != 1) return false;
    const auto byte = static_cast<unsigned char>(bytes[0]);
    if (byte >= 0x80) {
        text += fmt::format("\\{:03o}", byte);
    } else if (byte != 0) {
        text += bytes[0];
    }
    return true;
}

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

BIWA_WRITE_FUNCTION(WriteText) {
    (void)writer;
    text += bytes;
    return true;
}

// jsonb_send, jsonpath_send, ltree_send: a version, always 1, then the text.
BIWA_WRITE_FUNCTION(WriteVersionedText) {
    (void)writer;
    if (bytes.empty() || bytes[0] != 1) return false;
    text += bytes.substr(1);
    return true;
}

BIWA_WRITE_FUNCTION(WriteDate) {
    (void)writer;
    std::int32_t days = 0;
    if (!ReadWhole(bytes, days)) return false;
    if (days == kInt32Max || days == kInt32Min) {
        text += days == kInt32Max ? "infinity" : "-infinity";
    } else if (AppendCivil(days, text)) {
        text += " BC";
    }
    return true;
}

BIWA_WRITE_FUNCTION(WriteTime) {
    (void)writer;
    std::int64_t micros = 0;
    if (!ReadWhole(bytes, micros) || micros < 0 || micros > kMicrosPerDay) return false;
    AppendTimeOfDay(micros, text);
    return true;
}

// timetz_send: int64 microseconds, int32 seconds west of Greenwich.
BIWA_WRITE_FUNCTION(WriteTimeTz) {
    (void)writer;
    ByteReader reader(bytes);
    std::int64_t micros = 0;
    std::int32_t west = 0;
    if (!reader.Number(micros) || !reader.Number(west) || !reader.at_end() || micros < 0 ||
        micros > kMicrosPerDay || west < -86'400 || west > 86'400) {
        return false;
    }
    AppendTimeOfDay(micros, text);
    const auto offset = std::abs(west);
    text += fmt::format("{}{:02}", west <= 0 ? '+' : '-', offset / 3600);
    if (offset % 3600 != 0) text += fmt::format(":{:02}", offset / 60 % 60);
    if (offset % 60 != 0) text += fmt::format(":{:02}", offset % 60);
    return true;
}

BIWA_WRITE_FUNCTION(WriteTimestamp) {
    (void)writer;
    return AppendTimestamp(bytes, "", text);
}

BIWA_WRITE_FUNCTION(WriteTimestampTz) {
    (void)writer;
    return AppendTimestamp(bytes, "+00", text);
}

// IntervalStyle iso_8601: each part has its own sign.
BIWA_WRITE_FUNCTION(WriteInterval) {
    (void)writer;
    ByteReader reader(bytes);
    std::int64_t micros = 0;
    std::int32_t days = 0, months = 0;
    if (!reader.Number(micros) || !reader.Number(days) || !reader.Number(months) ||
        !reader.at_end()) {
        return false;
    }
    if (micros == kInt64Max && days == kInt32Max && months == kInt32Max) {
        text += "infinity";
        return true;
    }
    if (micros == kInt64Min && days == kInt32Min && months == kInt32Min) {
        text += "-infinity";
        return true;
    }
    if (micros == 0 && days == 0 && months == 0) {
        text += "PT0S";
        return true;
    }
    const auto part = [&](std::int64_t value, char unit) {
        if (value != 0) text.append(fmt::to_string(value)) += unit;
    };
    text += 'P';
    part(months / 12, 'Y');
    part(months % 12, 'M');
    part(days, 'D');
    if (micros == 0) return true;
    text += 'T';
    part(micros / (3600 * kMicrosPerSecond), 'H');
    part(micros / (60 * kMicrosPerSecond) % 60, 'M');
    if (const auto rest = micros % (60 * kMicrosPerSecond); rest != 0) {
        if (rest < 0) text += '-';
        text += fmt::to_string(std::abs(rest / kMicrosPerSecond));
        AppendFraction(std::abs(rest % kMicrosPerSecond), text);
        text += 'S';
    }
    return true;
}

BIWA_WRITE_FUNCTION(WriteUuid) {
    (void)writer;
    if (bytes.size() != 16) return false;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
    }
    return true;
}

namespace {

void AppendIpv4(std::string_view bytes, std::string& text) {
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) text += '.';
        text += fmt::to_string(static_cast<unsigned>(static_cast<unsigned char>(bytes[i])));
    }
}

// The longest run of zeros as "::", IPv4 in the last words where it is known to be there
// (src/port/inet_net_ntop.c).
void AppendIpv6(std::string_view bytes, std::string& text) {
    std::uint16_t words[8];
    for (std::size_t i = 0; i < 8; ++i) words[i] = LoadBigEndian<std::uint16_t>(&bytes[i * 2]);
    int zeros_begin = -1, zeros = 0;
    for (int i = 0; i < 8;) {
        int run = 0;
        while (i + run < 8 && words[i + run] == 0) ++run;
        if (run > zeros && run > 1) {
            zeros_begin = i;
            zeros = run;
        }
        i += std::max(run, 1);
    }
    for (int i = 0; i < 8; ++i) {
        if (i == zeros_begin) {
            text += ':';
            i += zeros - 1;
            if (i == 7) text += ':';
            continue;
        }
        if (i != 0) text += ':';
        if (i == 6 && zeros_begin == 0 && (zeros == 6 || (zeros == 5 && words[5] == 0xffff))) {
            AppendIpv4(bytes.substr(12), text);
            return;
        }
        text += fmt::format("{:x}", words[i]);
    }
}

}  // namespace

// network_send: int8 family (2: IPv4, 3: IPv6), int8 bits of the mask, int8 is-cidr, int8 length,
// the address.
BIWA_WRITE_FUNCTION(WriteInet) {
    (void)writer;
    if (bytes.size() < 4) return false;
    const auto address = bytes.substr(4);
    const auto bits = static_cast<unsigned char>(bytes[1]);
    const bool is_ipv6 = bytes[0] == 3;
    const std::size_t size = is_ipv6 ? 16 : 4;
    if ((bytes[0] != 2 && !is_ipv6) || static_cast<unsigned char>(bytes[3]) != size ||
        address.size() != size || bits > size * 8) {
        return false;
    }
    if (is_ipv6) {
        AppendIpv6(address, text);
    } else {
        AppendIpv4(address, text);
    }
    // A cidr always says its mask.
    if (bits != size * 8 || bytes[2] != 0) text += fmt::format("/{}", bits);
    return true;
}

BIWA_WRITE_FUNCTION(WriteMacaddr) {
    (void)writer;
    if (bytes.size() != 6 && bytes.size() != 8) return false;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0) text += ':';
        text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
    }
    return true;
}

// bit_send: int32 bits, then bytes, the highest bit first.
BIWA_WRITE_FUNCTION(WriteBits) {
    (void)writer;
    ByteReader reader(bytes);
    std::int32_t bits = 0;
    if (!reader.Number(bits) || bits < 0) return false;
    const auto size = static_cast<std::size_t>(bits);
    if (reader.rest().size() != (size + 7) / 8) return false;
    for (std::size_t i = 0; i < size; ++i) {
        text +=
            (static_cast<unsigned char>(reader.rest()[i / 8]) >> (7 - i % 8) & 1) != 0 ? '1' : '0';
    }
    return true;
}

BIWA_WRITE_FUNCTION(WriteLsn) {
    (void)writer;
    std::uint64_t value = 0;
    if (!ReadWhole(bytes, value)) return false;
    text += fmt::format("{:X}/{:X}", value >> 32, value & 0xffffffff);
    return true;
}

// tidsend: uint32 page, uint16 place in it.
BIWA_WRITE_FUNCTION(WriteTid) {
    (void)writer;
    ByteReader reader(bytes);
    std::uint32_t page = 0;
    std::uint16_t place = 0;
    if (!reader.Number(page) || !reader.Number(place) || !reader.at_end()) return false;
    text += fmt::format("({},{})", page, place);
    return true;
}

// pg_snapshot_send: int32 count, uint64 xmin, uint64 xmax, then count transactions.
BIWA_WRITE_FUNCTION(WriteSnapshot) {
    (void)writer;
    ByteReader reader(bytes);
    std::int32_t count = 0;
    std::uint64_t least = 0, most = 0;
    if (!reader.Number(count) || count < 0 || !reader.Number(least) || !reader.Number(most)) {
        return false;
    }
    text += fmt::format("{}:{}:", least, most);
    for (std::int32_t i = 0; i < count; ++i) {
        std::uint64_t transaction = 0;
        if (!reader.Number(transaction)) return false;
        text += fmt::format("{}{}", i > 0 ? "," : "", transaction);
    }
    return reader.at_end();
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
