#include "source/mysql/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <functional>

#include "source/mysql/byte_reader.h"
#include "source/mysql/compressed.h"
#include "source/mysql/json_binary.h"

namespace biwa::mysql {

namespace {

std::uint64_t Unsigned(std::string_view bytes) {
    switch (bytes.size()) {
        case 1:
            return LoadLittleEndian(bytes.data(), 1);
        case 2:
            return LoadLittleEndian(bytes.data(), 2);
        case 4:
            return LoadLittleEndian(bytes.data(), 4);
        case 8:
            return LoadLittleEndian(bytes.data(), 8);
        default:
            return LoadLittleEndian(bytes.data(), bytes.size());
    }
}

template <typename T>
bool SetSigned(std::string_view bytes, Cells& cells, std::size_t row) {
    if (bytes.empty() || bytes.size() > 8) return false;
    const int unused = 64 - 8 * static_cast<int>(bytes.size());
    const auto value = static_cast<std::int64_t>(Unsigned(bytes) << unused) >> unused;
    if (value != static_cast<std::int64_t>(static_cast<T>(value))) return false;
    cells.Set(row, static_cast<T>(value));
    return true;
}

template <typename T>
bool SetUnsigned(std::string_view bytes, Cells& cells, std::size_t row) {
    if (bytes.empty() || bytes.size() > 8) return false;
    const auto value = Unsigned(bytes);
    if (value > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) return false;
    cells.Set(row, static_cast<T>(value));
    return true;
}

bool SetNull(Cells& cells, std::size_t row, DecodeContext& context) {
    ++context.unrepresentable;
    cells.SetNull(row);
    return true;
}

bool SetText(std::string_view text, Cells& cells, std::size_t row, DecodeContext& context) {
    const std::less_equal<const char*> before;
    if (before(context.kept.data(), text.data()) &&
        before(text.data() + text.size(), context.kept.data() + context.kept.size())) {
        cells.Set(row, StringCell::Of(text.data(), text.size()));
        return true;
    }
    cells.Set(row, context.message != nullptr ? context.arena->Keep(text, *context.message)
                                              : context.arena->Copy(text));
    return true;
}

// Decimals.

__int128 PowerOfTen(int exponent) {
    __int128 power = 1;
    for (; exponent > 0; --exponent) power *= 10;
    return power;
}

bool SetDecimal(const Type& type, __int128 value, Cells& cells, std::size_t row) {
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
    const auto limit = PowerOfTen(type.width);
    return value < limit && value > -limit;
}

// Bytes that so many digits take, of a group that is not full.
constexpr std::uint8_t kDigitBytes[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

struct DecimalReader {
    int precision = 0, scale = 0;

    // Calls `group(digits, value)` for each group from the left; false when the bytes are wrong.
    template <typename Group>
    bool Read(std::string_view bytes, bool& is_negative, const Group& group) const {
        if (bytes.size() != DecimalBytes(precision, scale) || bytes.empty()) return false;
        is_negative = (static_cast<unsigned char>(bytes[0]) & 0x80) == 0;
        const unsigned char flip = is_negative ? 0xff : 0;
        std::size_t at = 0;
        const auto read = [&](int digits) {
            std::uint32_t value = 0;
            for (int i = 0; i < kDigitBytes[digits]; ++i, ++at) {
                auto byte = static_cast<unsigned char>(bytes[at]);
                if (at == 0) byte ^= 0x80;
                value = value << 8 | static_cast<unsigned char>(byte ^ flip);
            }
            if (value >= static_cast<std::uint32_t>(PowerOfTen(digits))) return false;
            group(digits, value);
            return true;
        };
        const int whole = precision - scale;
        if (whole % 9 > 0 && !read(whole % 9)) return false;
        for (int i = 0; i < whole / 9 + scale / 9; ++i) {
            if (!read(9)) return false;
        }
        return scale % 9 == 0 || read(scale % 9);
    }
};

DecimalReader ReaderOf(const ColumnDecoder& decoder) {
    return {decoder.info.meta >> 8, decoder.info.meta & 0xff};
}

// Dates and times.

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible
// Low-Level Date Algorithms", days_from_civil).
std::int32_t DaysFromCivil(std::int32_t year, std::int32_t month, std::int32_t day) {
    year -= month <= 2;
    const std::int32_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int32_t year_of_era = year - era * 400;
    const std::int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int32_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

struct Date {
    std::int32_t year = 0, month = 0, day = 0;

    // The server also keeps 0000-00-00, 2026-00-00 and, by setting, 2026-02-31.
    bool exists() const {
        constexpr std::int8_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        if (month < 1 || month > 12 || day < 1) return false;
        const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return day <= kDays[month - 1] + (month == 2 && is_leap ? 1 : 0);
    }
    std::int32_t days() const { return DaysFromCivil(year, month, day); }
};

bool SetDate(const Date& date, Cells& cells, std::size_t row, DecodeContext& context) {
    if (!date.exists()) return SetNull(cells, row, context);
    cells.Set<std::int32_t>(row, date.days());
    return true;
}

struct TimeOfDay {
    std::int64_t hours = 0, minutes = 0, seconds = 0, micros = 0;

    bool fits(std::int64_t hours_max) const {
        return hours <= hours_max && minutes < 60 && seconds < 60 && micros < kMicrosPerSecond;
    }
    std::int64_t all() const {
        return ((hours * 60 + minutes) * 60 + seconds) * kMicrosPerSecond + micros;
    }
};

bool SetDateTime(const Date& date, const TimeOfDay& time, Cells& cells, std::size_t row,
                 DecodeContext& context) {
    if (!time.fits(23)) return false;
    if (!date.exists()) return SetNull(cells, row, context);
    cells.Set<std::int64_t>(row, date.days() * kMicrosPerDay + time.all());
    return true;
}

bool SetInterval(bool is_negative, const TimeOfDay& time, Cells& cells, std::size_t row) {
    // The server's TIME ends at 838:59:59, but what it calculates may be longer.
    if (!time.fits(1'000'000)) return false;
    cells.Set(row, IntervalCell{0, 0, is_negative ? -time.all() : time.all()});
    return true;
}

std::size_t FractionBytes(int decimals) { return static_cast<std::size_t>(decimals + 1) / 2; }

// The fraction in front of which `whole` bytes are, in microseconds.
std::int64_t Fraction(std::string_view bytes, std::size_t whole) {
    constexpr std::int64_t kUnit[] = {0, 10'000, 100, 1};
    const auto size = bytes.size() - whole;
    return static_cast<std::int64_t>(LoadBigEndian(bytes.data() + whole, size)) * kUnit[size];
}

bool HasFraction(const ColumnDecoder& decoder, std::string_view bytes, std::size_t whole) {
    return decoder.info.meta <= 6 && bytes.size() == whole + FractionBytes(decoder.info.meta);
}

}  // namespace

BIWA_DECODE_FUNCTION(SignedToInt16) {
    (void)decoder, (void)context;
    return SetSigned<std::int16_t>(bytes, cells, row);
}
BIWA_DECODE_FUNCTION(SignedToInt32) {
    (void)decoder, (void)context;
    return SetSigned<std::int32_t>(bytes, cells, row);
}
BIWA_DECODE_FUNCTION(SignedToInt64) {
    (void)decoder, (void)context;
    return SetSigned<std::int64_t>(bytes, cells, row);
}
BIWA_DECODE_FUNCTION(UnsignedToInt16) {
    (void)decoder, (void)context;
    return SetUnsigned<std::int16_t>(bytes, cells, row);
}
BIWA_DECODE_FUNCTION(UnsignedToInt32) {
    (void)decoder, (void)context;
    return SetUnsigned<std::int32_t>(bytes, cells, row);
}
BIWA_DECODE_FUNCTION(UnsignedToInt64) {
    (void)decoder, (void)context;
    return SetUnsigned<std::int64_t>(bytes, cells, row);
}
BIWA_DECODE_FUNCTION(UnsignedToInt128) {
    (void)decoder, (void)context;
    if (bytes.size() != 8) return false;
    cells.Set(row, Int128{Unsigned(bytes), 0});
    return true;
}

BIWA_DECODE_FUNCTION(FloatValue) {
    (void)decoder, (void)context;
    if (bytes.size() != 4) return false;
    cells.Set(row, std::bit_cast<float>(static_cast<std::uint32_t>(Unsigned(bytes))));
    return true;
}
BIWA_DECODE_FUNCTION(DoubleValue) {
    (void)decoder, (void)context;
    if (bytes.size() != 8) return false;
    cells.Set(row, std::bit_cast<double>(Unsigned(bytes)));
    return true;
}

BIWA_DECODE_FUNCTION(BitToBool) {
    (void)decoder, (void)context;
    if (bytes.size() != 1) return false;
    cells.Set<std::uint8_t>(row, bytes[0] & 1);
    return true;
}
BIWA_DECODE_FUNCTION(BitToInt64) {
    (void)decoder, (void)context;
    if (bytes.size() > 8) return false;
    const auto value = LoadBigEndian(bytes.data(), bytes.size());
    cells.Set(row, static_cast<std::int64_t>(value));
    return value >> 63 == 0;
}
BIWA_DECODE_FUNCTION(BitToInt128) {
    (void)decoder, (void)context;
    if (bytes.size() > 8) return false;
    cells.Set(row, Int128{LoadBigEndian(bytes.data(), bytes.size()), 0});
    return true;
}

BIWA_DECODE_FUNCTION(BinlogYear) {
    (void)decoder, (void)context;
    if (bytes.size() != 1) return false;
    const auto year = static_cast<unsigned char>(bytes[0]);
    cells.Set<std::int16_t>(row, static_cast<std::int16_t>(year == 0 ? 0 : 1900 + year));
    return true;
}

std::size_t DecimalBytes(int precision, int scale) {
    const int whole = precision - scale;
    if (whole < 0) return 0;
    return static_cast<std::size_t>(whole / 9 * 4 + kDigitBytes[whole % 9] + scale / 9 * 4 +
                                    kDigitBytes[scale % 9]);
}

BIWA_DECODE_FUNCTION(BinlogDecimal) {
    (void)context;
    bool is_negative = false;
    __int128 value = 0;
    const auto add = [&](int digits, std::uint32_t group) {
        value = value * PowerOfTen(digits) + group;
    };
    return ReaderOf(decoder).Read(bytes, is_negative, add) &&
           SetDecimal(decoder.type, is_negative ? -value : value, cells, row);
}

BIWA_DECODE_FUNCTION(BinlogDecimalText) {
    bool is_negative = false;
    auto& digits = context.buffer;
    digits.clear();
    const auto add = [&](int width, std::uint32_t group) {
        digits += fmt::format("{:0{}}", group, width);
    };
    const auto reader = ReaderOf(decoder);
    if (!reader.Read(bytes, is_negative, add)) return false;
    const auto whole = static_cast<std::size_t>(reader.precision - reader.scale);
    const auto first = std::min(digits.find_first_not_of('0'), whole > 0 ? whole - 1 : 0);
    std::string text = is_negative ? "-" : "";
    text += whole == 0 ? "0" : digits.substr(first, whole - first);
    if (reader.scale > 0) text += "." + digits.substr(whole);
    return SetText(text, cells, row, context);
}

BIWA_DECODE_FUNCTION(ResultDecimal) {
    (void)context;
    const bool is_negative = bytes.starts_with('-');
    if (is_negative) bytes.remove_prefix(1);
    __int128 value = 0;
    int decimals = -1;
    if (bytes.empty() || bytes.size() > 40) return false;
    for (const char c : bytes) {
        if (c == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (c < '0' || c > '9' || value > PowerOfTen(37)) return false;
        value = value * 10 + (c - '0');
        if (decimals >= 0) ++decimals;
    }
    if (std::max(decimals, 0) != decoder.type.scale) return false;
    return SetDecimal(decoder.type, is_negative ? -value : value, cells, row);
}

BIWA_DECODE_FUNCTION(BinlogDate) {
    (void)decoder;
    if (bytes.size() != 3) return false;
    const auto packed = static_cast<std::int32_t>(Unsigned(bytes));
    return SetDate({packed >> 9, packed >> 5 & 15, packed & 31}, cells, row, context);
}

BIWA_DECODE_FUNCTION(ResultDate) {
    (void)decoder;
    if (bytes.empty()) return SetNull(cells, row, context);
    if (bytes.size() < 4) return false;
    return SetDate({static_cast<std::int32_t>(Unsigned(bytes.substr(0, 2))), bytes[2], bytes[3]},
                   cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogDateTime) {
    if (!HasFraction(decoder, bytes, 5)) return false;
    const auto packed =
        static_cast<std::int64_t>(LoadBigEndian(bytes.data(), 5)) - (std::int64_t{1} << 39);
    if (packed < 0) return false;
    const auto date = static_cast<std::int32_t>(packed >> 17);
    const auto month = date >> 5;
    return SetDateTime({month / 13, month % 13, date & 31},
                       {packed >> 12 & 31, packed >> 6 & 63, packed & 63, Fraction(bytes, 5)},
                       cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogDateTimeOld) {
    (void)decoder;
    if (bytes.size() != 8) return false;
    const auto packed = Unsigned(bytes);
    const auto date = static_cast<std::int32_t>(packed / 1'000'000 % 1'000'000'000);
    const auto time = static_cast<std::int64_t>(packed % 1'000'000);
    return SetDateTime({date / 10'000, date / 100 % 100, date % 100},
                       {time / 10'000, time / 100 % 100, time % 100, 0}, cells, row, context);
}

BIWA_DECODE_FUNCTION(ResultDateTime) {
    (void)decoder;
    if (bytes.empty()) return SetNull(cells, row, context);
    if (bytes.size() < 4) return false;
    const Date date{static_cast<std::int32_t>(Unsigned(bytes.substr(0, 2))), bytes[2], bytes[3]};
    TimeOfDay time;
    if (bytes.size() >= 7) time = {bytes[4], bytes[5], bytes[6], 0};
    if (bytes.size() >= 11) time.micros = static_cast<std::int64_t>(Unsigned(bytes.substr(7, 4)));
    return SetDateTime(date, time, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogTimestamp) {
    if (!HasFraction(decoder, bytes, 4)) return false;
    const auto seconds = static_cast<std::int64_t>(LoadBigEndian(bytes.data(), 4));
    const auto micros = Fraction(bytes, 4);
    if (micros >= kMicrosPerSecond) return false;
    if (seconds == 0 && micros == 0) return SetNull(cells, row, context);
    cells.Set<std::int64_t>(row, seconds * kMicrosPerSecond + micros);
    return true;
}

BIWA_DECODE_FUNCTION(BinlogTimestampOld) {
    (void)decoder;
    if (bytes.size() != 4) return false;
    const auto seconds = static_cast<std::int64_t>(Unsigned(bytes));
    if (seconds == 0) return SetNull(cells, row, context);
    cells.Set<std::int64_t>(row, seconds * kMicrosPerSecond);
    return true;
}

BIWA_DECODE_FUNCTION(BinlogTime) {
    (void)context;
    if (!HasFraction(decoder, bytes, 3)) return false;
    // All of it is one number, of which the fraction is the lower part.
    const int bits = 8 * static_cast<int>(bytes.size());
    const auto packed = static_cast<std::int64_t>(LoadBigEndian(bytes.data(), bytes.size())) -
                        (std::int64_t{1} << (bits - 1));
    const auto magnitude = packed < 0 ? -packed : packed;
    constexpr std::int64_t kUnit[] = {0, 10'000, 100, 1};
    const auto fraction_bytes = bytes.size() - 3;
    const auto whole = magnitude >> (8 * fraction_bytes);
    const auto fraction = magnitude & ((std::int64_t{1} << (8 * fraction_bytes)) - 1);
    return SetInterval(
        packed < 0,
        {whole >> 12 & 0x3ff, whole >> 6 & 63, whole & 63, fraction * kUnit[fraction_bytes]}, cells,
        row);
}

BIWA_DECODE_FUNCTION(BinlogTimeOld) {
    (void)decoder, (void)context;
    if (bytes.size() != 3) return false;
    const auto packed = static_cast<std::int32_t>(Unsigned(bytes) << 8) >> 8;
    const std::int64_t time = packed < 0 ? -packed : packed;
    return SetInterval(packed < 0, {time / 10'000, time / 100 % 100, time % 100, 0}, cells, row);
}

BIWA_DECODE_FUNCTION(ResultTime) {
    (void)decoder, (void)context;
    if (bytes.empty()) return SetInterval(false, {}, cells, row);
    if (bytes.size() < 8) return false;
    TimeOfDay time{static_cast<std::int64_t>(Unsigned(bytes.substr(1, 4))) * 24 + bytes[5],
                   bytes[6], bytes[7], 0};
    if (bytes.size() >= 12) time.micros = static_cast<std::int64_t>(Unsigned(bytes.substr(8, 4)));
    return SetInterval(bytes[0] != 0, time, cells, row);
}

BIWA_DECODE_FUNCTION(BinlogEnum) {
    if (bytes.empty() || bytes.size() > 2) return false;
    const auto place = Unsigned(bytes);
    const auto& values = decoder.info.values;
    if (place > values.size()) return false;
    // 0 is what the server puts in for a value that is none, and shows as an empty text.
    return SetText(place == 0 ? std::string_view() : values[place - 1], cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogSet) {
    if (bytes.empty() || bytes.size() > 8) return false;
    const auto bits = Unsigned(bytes);
    const auto& values = decoder.info.values;
    auto& text = context.buffer;
    text.clear();
    for (std::size_t i = 0; i < 64; ++i) {
        if ((bits >> i & 1) == 0) continue;
        if (i >= values.size()) return false;
        if (!text.empty()) text += ',';
        text += values[i];
    }
    return SetText(text, cells, row, context);
}

BIWA_DECODE_FUNCTION(Bytes) {
    (void)decoder;
    return SetText(bytes, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogPaddedBytes) {
    if (bytes.size() > decoder.info.meta) return false;
    context.buffer = bytes;
    context.buffer.resize(decoder.info.meta, '\0');
    return SetText(context.buffer, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogText) {
    const auto& characters = *decoder.info.characters;
    if (characters.form == CharacterSet::Form::kUtf8) {
        // What is not well-formed would break whoever reads it.
        if (!IsUtf8(bytes)) return SetNull(cells, row, context);
        return SetText(bytes, cells, row, context);
    }
    if (!ToUtf8(characters, bytes, context.buffer)) return SetNull(cells, row, context);
    return SetText(context.buffer, cells, row, context);
}

BIWA_DECODE_FUNCTION(ResultText) {
    (void)decoder;
    if (!IsUtf8(bytes)) return SetNull(cells, row, context);
    return SetText(bytes, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogCompressedBytes) {
    const auto value = UncompressValue(bytes, context.uncompressed);
    return value && Bytes(decoder, *value, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogCompressedText) {
    const auto value = UncompressValue(bytes, context.uncompressed);
    return value && BinlogText(decoder, *value, cells, row, context);
}

BIWA_DECODE_FUNCTION(Vector) {
    (void)decoder, (void)context;
    constexpr std::size_t kBytes = 4;
    if (bytes.size() % kBytes != 0) return false;
    const auto size = bytes.size() / kBytes;
    const auto begin = cells.child_size;
    auto& child = cells.owner->GrowChild(cells, begin + size);
    for (std::size_t i = 0; i < size; ++i) {
        child.Set(begin + i, std::bit_cast<float>(static_cast<std::uint32_t>(
                                 Unsigned(bytes.substr(i * kBytes, kBytes)))));
    }
    cells.Set(row, ListCell{begin, size});
    return true;
}

BIWA_DECODE_FUNCTION(BinlogJson) {
    (void)decoder;
    const auto text = JsonText(bytes);
    return text && SetText(*text, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogUuid) {
    (void)decoder, (void)context;
    // Zeros at the end are left out, as with BINARY.
    if (bytes.size() > 16) return false;
    char all[16] = {};
    std::memcpy(all, bytes.data(), bytes.size());
    const auto high = LoadBigEndian(all, 8) ^ (std::uint64_t{1} << 63);
    cells.Set(row, Int128{LoadBigEndian(all + 8, 8), static_cast<std::int64_t>(high)});
    return true;
}

BIWA_DECODE_FUNCTION(ResultUuid) {
    std::string raw;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == '-') continue;
        unsigned value = 0;
        const auto* const end = bytes.data() + std::min(i + 2, bytes.size());
        if (std::from_chars(bytes.data() + i, end, value, 16).ptr != bytes.data() + i + 2) {
            return false;
        }
        raw += static_cast<char>(value);
        ++i;
    }
    return raw.size() == 16 && BinlogUuid(decoder, raw, cells, row, context);
}

BIWA_DECODE_FUNCTION(BinlogInet) {
    const bool is_v4 = decoder.info.special == ColumnInfo::Special::kInet4;
    if (bytes.size() > (is_v4 ? 4U : 16U)) return false;
    char all[16] = {};
    std::memcpy(all, bytes.data(), bytes.size());
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(is_v4 ? AF_INET : AF_INET6, all, text, sizeof text) == nullptr) return false;
    return SetText(text, cells, row, context);
}

}  // namespace biwa::mysql
