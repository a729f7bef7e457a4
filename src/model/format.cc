#include "model/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/check.h"

namespace biwa {

namespace {

// The compiler's own 128-bit type is no part of ISO C++; __extension__ says that we know.
__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UnsignedWide;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

void AppendInteger(std::int64_t value, std::string& out) {
    std::array<char, 24> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out.append(buffer.data(), end);
}

void AppendPadded(std::int64_t value, int digits, std::string& out) {
    std::array<char, 24> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    for (auto written = end - buffer.data(); written < digits; ++written) out += '0';
    out.append(buffer.data(), end);
}

void AppendWide(Wide value, int scale, std::string& out) {
    std::array<char, 48> buffer;
    auto* const end = buffer.data() + buffer.size();
    auto* begin = end;
    auto rest = value < 0 ? -static_cast<UnsignedWide>(value) : static_cast<UnsignedWide>(value);
    int digits = 0;
    do {
        if (digits == scale && scale > 0) *--begin = '.';
        *--begin = static_cast<char>('0' + static_cast<int>(rest % 10));
        rest /= 10;
        ++digits;
    } while (rest != 0 || digits <= scale);
    if (value < 0) *--begin = '-';
    out.append(begin, end);
}

// Shortest digits that read back as the same number; an exponent below 1e-4 and from
// `exponent_from` on, as PostgreSQL does since version 12.
template <typename Float>
void AppendFloat(Float value, int exponent_from, std::string& out) {
    if (std::isnan(value)) {
        out += "NaN";
        return;
    }
    if (std::isinf(value)) {
        out += value < 0 ? "-Infinity" : "Infinity";
        return;
    }
    std::array<char, 40> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::scientific)
                         .ptr;
    const char* const mark = std::find(buffer.data(), end, 'e');
    int exponent = 0;
    std::from_chars(mark + (mark[1] == '+' ? 2 : 1), end, exponent);
    if (exponent < -4 || exponent >= exponent_from) {
        out.append(buffer.data(), end);
        return;
    }
    if (std::signbit(value)) out += '-';
    std::array<char, 24> digits;
    const auto digits_end = std::copy_if(static_cast<const char*>(buffer.data()), mark,
                                         digits.data(), [](char c) { return c >= '0'; });
    const auto count = static_cast<int>(digits_end - digits.data());
    if (exponent < 0) {
        out += "0.";
        out.append(static_cast<std::size_t>(-exponent - 1), '0');
        out.append(digits.data(), digits_end);
        return;
    }
    const auto whole = std::min(count, exponent + 1);
    out.append(digits.data(), static_cast<std::size_t>(whole));
    out.append(static_cast<std::size_t>(exponent + 1 - whole), '0');
    if (count > whole) {
        out += '.';
        out.append(digits.data() + whole, digits_end);
    }
}

// Days since 1970-01-01 to year, month and day of the proleptic Gregorian calendar: the method of
// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
// Returns whether the year is before Christ, which is written behind everything else.
[[nodiscard]] bool AppendDate(std::int64_t days, std::string& out) {
    days += 719'468;
    const auto era = (days >= 0 ? days : days - 146'096) / 146'097;
    const auto day_of_era = days - era * 146'097;
    const auto year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const auto day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const auto shifted_month = (5 * day_of_year + 2) / 153;  // March is 0
    const auto day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    const auto month = shifted_month + (shifted_month < 10 ? 3 : -9);
    const auto year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    const bool before_christ = year <= 0;
    AppendPadded(before_christ ? 1 - year : year, 4, out);
    out += '-';
    AppendPadded(month, 2, out);
    out += '-';
    AppendPadded(day, 2, out);
    return before_christ;
}

// Micros of a second without trailing zeros: ".5", or nothing.
void AppendFraction(std::int64_t micros, std::string& out) {
    if (micros == 0) return;
    out += '.';
    AppendPadded(micros, 6, out);
    while (out.back() == '0') out.pop_back();
}

// Not negative; hours may pass 24 (an interval's do).
void AppendClock(std::int64_t micros, std::string& out) {
    const auto seconds = micros / kMicrosPerSecond;
    AppendPadded(seconds / 3600, 2, out);
    out += ':';
    AppendPadded(seconds / 60 % 60, 2, out);
    out += ':';
    AppendPadded(seconds % 60, 2, out);
    AppendFraction(micros % kMicrosPerSecond, out);
}

void AppendTimestamp(std::int64_t micros, bool with_zone, TimeStyle style, std::string& out) {
    if (micros == std::numeric_limits<std::int64_t>::max()) {
        out += "infinity";
        return;
    }
    if (micros == -std::numeric_limits<std::int64_t>::max()) {
        out += "-infinity";
        return;
    }
    auto days = micros / kMicrosPerDay;
    if (micros % kMicrosPerDay < 0) --days;
    const bool before_christ = AppendDate(days, out);
    out += style == TimeStyle::kIso ? 'T' : ' ';
    // Unsigned, because days * kMicrosPerDay of the first day there is would overflow.
    const auto of_day =
        static_cast<std::uint64_t>(micros) -
        static_cast<std::uint64_t>(days) * static_cast<std::uint64_t>(kMicrosPerDay);
    AppendClock(static_cast<std::int64_t>(of_day), out);
    if (with_zone) out += style == TimeStyle::kIso ? "Z" : "+00";
    if (before_christ) out += " BC";
}

void AppendIntervalPart(std::int64_t value, const char* unit, bool& first, bool& before_negative,
                        std::string& out) {
    if (value == 0) return;
    if (!first) out += ' ';
    if (before_negative && value > 0) out += '+';
    AppendInteger(value, out);
    out += ' ';
    out += unit;
    if (value != 1) out += 's';
    first = false;
    before_negative = value < 0;
}

void AppendInterval(const IntervalCell& interval, std::string& out) {
    bool first = true;
    bool before_negative = false;
    AppendIntervalPart(interval.months / 12, "year", first, before_negative, out);
    AppendIntervalPart(interval.months % 12, "mon", first, before_negative, out);
    AppendIntervalPart(interval.days, "day", first, before_negative, out);
    if (!first && interval.micros == 0) return;
    if (!first) out += ' ';
    if (interval.micros < 0) {
        out += '-';
    } else if (before_negative) {
        out += '+';
    }
    const auto magnitude = interval.micros < 0 ? -static_cast<std::uint64_t>(interval.micros)
                                               : static_cast<std::uint64_t>(interval.micros);
    const auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    AppendClock(static_cast<std::int64_t>(std::min(magnitude, limit)), out);
}

void AppendHex(std::uint64_t value, int digits, std::string& out) {
    for (int i = digits - 1; i >= 0; --i) out += "0123456789abcdef"[value >> (4 * i) & 0xf];
}

void AppendUuid(Int128 value, std::string& out) {
    const auto high = static_cast<std::uint64_t>(value.high) ^ (std::uint64_t{1} << 63);
    AppendHex(high >> 32, 8, out);
    out += '-';
    AppendHex(high >> 16 & 0xffff, 4, out);
    out += '-';
    AppendHex(high & 0xffff, 4, out);
    out += '-';
    AppendHex(value.low >> 48, 4, out);
    out += '-';
    AppendHex(value.low & 0xffff'ffff'ffff, 12, out);
}

void AppendBytes(std::string_view bytes, std::string& out) {
    out += "\\x";
    for (const char byte : bytes) AppendHex(static_cast<unsigned char>(byte), 2, out);
}

// PostgreSQL's array_out quotes what could be taken for something else.
bool NeedsQuotes(std::string_view element) {
    if (element.empty()) return true;
    if (element.size() == 4) {
        std::string upper(element);
        for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
        if (upper == "NULL") return true;
    }
    return element.find_first_of("{},\"\\ \t\n\r\v\f") != std::string_view::npos;
}

void AppendList(const Cells& cells, std::size_t row, TimeStyle style, std::string& out) {
    const auto list = cells.Get<ListCell>(row);
    out += '{';
    std::string element;
    for (std::size_t i = 0; i < list.length; ++i) {
        if (i > 0) out += ',';
        const auto at = list.offset + i;
        if (cells.child->IsNull(at)) {
            out += "NULL";
            continue;
        }
        if (cells.child->type.id == TypeId::kList) {
            AppendList(*cells.child, at, style, out);
            continue;
        }
        element.clear();
        AppendText(*cells.child, at, element, style);
        if (!NeedsQuotes(element)) {
            out += element;
            continue;
        }
        out += '"';
        for (const char c : element) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    out += '}';
}

}  // namespace

Int128 WholeNumber(const Cells& cells, std::size_t row) {
    std::int64_t value = 0;
    switch (CellBytes(cells.type)) {
        case 2:
            value = cells.Get<std::int16_t>(row);
            break;
        case 4:
            value = cells.Get<std::int32_t>(row);
            break;
        case 8:
            value = cells.Get<std::int64_t>(row);
            break;
        default:
            return cells.Get<Int128>(row);
    }
    return {static_cast<std::uint64_t>(value), value < 0 ? -1 : 0};
}

void AppendText(const Cells& cells, std::size_t row, std::string& out, TimeStyle style) {
    switch (cells.type.id) {
        case TypeId::kBool:
            out += cells.Get<std::uint8_t>(row) != 0 ? "true" : "false";
            return;
        case TypeId::kInt16:
            return AppendInteger(cells.Get<std::int16_t>(row), out);
        case TypeId::kInt32:
            return AppendInteger(cells.Get<std::int32_t>(row), out);
        case TypeId::kInt64:
            return AppendInteger(cells.Get<std::int64_t>(row), out);
        case TypeId::kInt128:
        case TypeId::kDecimal: {
            const auto value = WholeNumber(cells, row);
            const auto wide = static_cast<Wide>(
                static_cast<UnsignedWide>(static_cast<std::uint64_t>(value.high)) << 64 |
                value.low);
            return AppendWide(wide, cells.type.scale, out);
        }
        case TypeId::kFloat:
            return AppendFloat(cells.Get<float>(row), 6, out);
        case TypeId::kDouble:
            return AppendFloat(cells.Get<double>(row), 15, out);
        case TypeId::kText:
        case TypeId::kJson:
            out += cells.GetString(row);
            return;
        case TypeId::kBytes:
            return AppendBytes(cells.GetString(row), out);
        case TypeId::kDate: {
            const auto days = cells.Get<std::int32_t>(row);
            if (days == std::numeric_limits<std::int32_t>::max()) {
                out += "infinity";
            } else if (days == -std::numeric_limits<std::int32_t>::max()) {
                out += "-infinity";
            } else if (AppendDate(days, out)) {
                out += " BC";
            }
            return;
        }
        case TypeId::kTime:
            return AppendClock(cells.Get<std::int64_t>(row), out);
        case TypeId::kTimestamp:
            return AppendTimestamp(cells.Get<std::int64_t>(row), false, style, out);
        case TypeId::kTimestampTz:
            return AppendTimestamp(cells.Get<std::int64_t>(row), true, style, out);
        case TypeId::kInterval:
            return AppendInterval(cells.Get<IntervalCell>(row), out);
        case TypeId::kUuid:
            return AppendUuid(cells.Get<Int128>(row), out);
        case TypeId::kList:
            return AppendList(cells, row, style, out);
    }
    BIWA_CHECK(false);
}

}  // namespace biwa
