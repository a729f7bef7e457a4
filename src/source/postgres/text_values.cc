#include "source/postgres/text_values.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

namespace biwa::postgres {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

// Reads from the front of a text; a part that does not fit leaves it where it was.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool Eat(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool Eat(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    // Digits, `least` at the least and 12 at the most: what is more is none of PostgreSQL's, and
    // what is not can be counted with.
    std::optional<std::int64_t> Number(std::size_t least = 1) {
        std::size_t digits = 0;
        while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') ++digits;
        if (digits < least || digits > 12) return std::nullopt;
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + digits, value);
        if (error != std::errc()) return std::nullopt;
        rest_.remove_prefix(digits);
        return value;
    }
    // ".123" as microseconds; 0 where there is none.
    std::optional<std::int64_t> Fraction() {
        if (!Eat('.')) return 0;
        std::int64_t micros = 0;
        int digits = 0;
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
            if (++digits > 6) return std::nullopt;
            micros = micros * 10 + (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        if (digits == 0) return std::nullopt;
        for (; digits < 6; ++digits) micros *= 10;
        return micros;
    }
    bool at_end() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

  private:
    std::string_view rest_;
};

// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible
// Low-Level Date Algorithms", days_from_civil); year 0 is 1 BC.
std::int64_t DaysFromCivil(std::int64_t year, std::int64_t month, std::int64_t day) {
    year -= month <= 2;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

struct CivilDate {
    std::int64_t year, month, day;
    std::int64_t Days(bool before_christ) const {
        return DaysFromCivil(before_christ ? 1 - year : year, month, day);
    }
};

std::optional<CivilDate> ScanDate(Scanner& scanner) {
    const auto year = scanner.Number(4);
    if (!year || *year > 10'000'000 || !scanner.Eat('-')) return std::nullopt;
    const auto month = scanner.Number(2);
    if (!month || *month < 1 || *month > 12 || !scanner.Eat('-')) return std::nullopt;
    const auto day = scanner.Number(2);
    if (!day || *day < 1 || *day > 31) return std::nullopt;
    return CivilDate{*year, *month, *day};
}

std::optional<std::int64_t> ScanTime(Scanner& scanner) {
    const auto hours = scanner.Number(2);
    if (!hours || *hours > 24 || !scanner.Eat(':')) return std::nullopt;
    const auto minutes = scanner.Number(2);
    if (!minutes || *minutes > 59 || !scanner.Eat(':')) return std::nullopt;
    const auto seconds = scanner.Number(2);
    if (!seconds || *seconds > 60) return std::nullopt;
    const auto micros = scanner.Fraction();
    if (!micros) return std::nullopt;
    const auto time = ((*hours * 60 + *minutes) * 60 + *seconds) * kMicrosPerSecond + *micros;
    return time <= kMicrosPerDay ? std::optional(time) : std::nullopt;
}

int HexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

BIWA_DECODE_FUNCTION(TextBool) {
    (void)decoder, (void)context;
    if (bytes.size() != 1) return false;
    cells.Set<std::uint8_t>(row, bytes[0] == 't');
    return bytes[0] == 't' || bytes[0] == 'f';
}

BIWA_DECODE_FUNCTION(TextText) { return BinaryText(decoder, bytes, cells, row, context); }

BIWA_DECODE_FUNCTION(TextBytea) {
    if (!bytes.starts_with("\\x") || bytes.size() % 2 != 0) return false;
    std::string raw;
    raw.reserve(bytes.size() / 2);
    for (std::size_t i = 2; i < bytes.size(); i += 2) {
        const int high = HexDigit(bytes[i]), low = HexDigit(bytes[i + 1]);
        if (high < 0 || low < 0) return false;
        raw += static_cast<char>(high << 4 | low);
    }
    return BinaryText(decoder, raw, cells, row, context);
}

BIWA_DECODE_FUNCTION(TextDate) {
    (void)decoder;
    constexpr auto kInfinity = std::numeric_limits<std::int32_t>::max();
    if (bytes == "infinity" || bytes == "-infinity") {
        cells.Set<std::int32_t>(row, bytes[0] == '-' ? -kInfinity : kInfinity);
        return true;
    }
    Scanner scanner(bytes);
    const auto date = ScanDate(scanner);
    if (!date) return false;
    const bool before_christ = scanner.Eat(" BC");
    return scanner.at_end() && SetDate(date->Days(before_christ), cells, row, context);
}

BIWA_DECODE_FUNCTION(TextTime) {
    (void)decoder, (void)context;
    Scanner scanner(bytes);
    const auto micros = ScanTime(scanner);
    if (!micros || !scanner.at_end()) return false;
    cells.Set<std::int64_t>(row, *micros);
    return true;
}

// With a zone or without: "2026-11-23 05:06:07.1+00", "0044-03-15 12:00:00 BC".
BIWA_DECODE_FUNCTION(TextTimestamp) {
    (void)decoder;
    constexpr auto kInfinity = std::numeric_limits<std::int64_t>::max();
    if (bytes == "infinity" || bytes == "-infinity") {
        cells.Set<std::int64_t>(row, bytes[0] == '-' ? -kInfinity : kInfinity);
        return true;
    }
    Scanner scanner(bytes);
    const auto date = ScanDate(scanner);
    if (!date || !scanner.Eat(' ')) return false;
    const auto time = ScanTime(scanner);
    if (!time) return false;
    std::int64_t offset_seconds = 0;
    const bool west = scanner.Eat('-');
    if (west || scanner.Eat('+')) {
        const auto hours = scanner.Number(2);
        const auto minutes = scanner.Eat(':') ? scanner.Number(2) : 0;
        const auto seconds = scanner.Eat(':') ? scanner.Number(2) : 0;
        if (!hours || !minutes || !seconds || *hours > 15 || *minutes > 59 || *seconds > 59) {
            return false;
        }
        offset_seconds = (*hours * 60 + *minutes) * 60 + *seconds;
        if (west) offset_seconds = -offset_seconds;
    }
    const bool before_christ = scanner.Eat(" BC");
    if (!scanner.at_end()) return false;
    std::int64_t micros;
    if (__builtin_mul_overflow(date->Days(before_christ), kMicrosPerDay, &micros) ||
        __builtin_add_overflow(micros, *time - offset_seconds * kMicrosPerSecond, &micros) ||
        micros == kInfinity || micros <= -kInfinity) {
        ++context.unrepresentable;
        cells.SetNull(row);
        return true;
    }
    cells.Set(row, micros);
    return true;
}

namespace {

// Adds so many units; false when that is more than an interval holds.
template <typename T>
bool AddUnits(T& sum, std::int64_t value, std::int64_t unit) {
    return !__builtin_mul_overflow(value, unit, &value) &&
           !__builtin_add_overflow(sum, value, &sum);
}

// ISO 8601 with a sign on each part: "P1Y-2M3DT4H5M-6.7S", "PT0S".
std::optional<IntervalCell> ScanIsoInterval(Scanner& scanner) {
    if (!scanner.Eat('P')) return std::nullopt;
    IntervalCell interval{};
    bool in_time = false;
    bool any = false;
    while (!scanner.at_end()) {
        if (scanner.Eat('T')) {
            if (in_time) return std::nullopt;
            in_time = true;
            continue;
        }
        const bool negative = scanner.Eat('-');
        const auto whole = scanner.Number();
        const auto micros = scanner.Fraction();
        if (!whole || !micros) return std::nullopt;
        bool fits = *micros == 0;  // only seconds have decimals
        const auto value = negative ? -*whole : *whole;
        const auto fraction = negative ? -*micros : *micros;
        any = true;
        if (!in_time && scanner.Eat('Y')) {
            fits = fits && AddUnits(interval.months, value, 12);
        } else if (!in_time && scanner.Eat('M')) {
            fits = fits && AddUnits(interval.months, value, 1);
        } else if (!in_time && scanner.Eat('D')) {
            fits = fits && AddUnits(interval.days, value, 1);
        } else if (in_time && scanner.Eat('H')) {
            fits = fits && AddUnits(interval.micros, value, 3600 * kMicrosPerSecond);
        } else if (in_time && scanner.Eat('M')) {
            fits = fits && AddUnits(interval.micros, value, 60 * kMicrosPerSecond);
        } else if (in_time && scanner.Eat('S')) {
            fits = AddUnits(interval.micros, value, kMicrosPerSecond) &&
                   AddUnits(interval.micros, fraction, 1);
        } else {
            return std::nullopt;
        }
        if (!fits) return std::nullopt;
    }
    return any ? std::optional(interval) : std::nullopt;
}

// PostgreSQL's own style: "1 year -2 mons +3 days -04:05:06.7", "00:00:00".
std::optional<IntervalCell> ScanPlainInterval(Scanner& scanner) {
    IntervalCell interval{};
    for (;;) {
        const bool negative = scanner.Eat('-');
        if (!negative) scanner.Eat('+');
        const auto value = scanner.Number();
        if (!value) return std::nullopt;
        const auto signed_value = negative ? -*value : *value;
        if (scanner.Eat(':')) {
            const auto minutes = scanner.Number(2);
            if (!minutes || *minutes > 59 || !scanner.Eat(':')) return std::nullopt;
            const auto seconds = scanner.Number(2);
            const auto fraction = scanner.Fraction();
            if (!seconds || *seconds > 59 || !fraction) return std::nullopt;
            const auto rest = (*minutes * 60 + *seconds) * kMicrosPerSecond + *fraction;
            if (!AddUnits(interval.micros, signed_value, 3600 * kMicrosPerSecond) ||
                !AddUnits(interval.micros, negative ? -rest : rest, 1)) {
                return std::nullopt;
            }
            return interval;
        }
        bool fits = false;
        if (scanner.Eat(" year")) {
            fits = AddUnits(interval.months, signed_value, 12);
        } else if (scanner.Eat(" mon")) {
            fits = AddUnits(interval.months, signed_value, 1);
        } else if (scanner.Eat(" day")) {
            fits = AddUnits(interval.days, signed_value, 1);
        }
        if (!fits) return std::nullopt;
        scanner.Eat('s');
        if (scanner.at_end()) return interval;
        if (!scanner.Eat(' ')) return std::nullopt;
    }
}

}  // namespace

BIWA_DECODE_FUNCTION(TextInterval) {
    (void)decoder;
    if (bytes == "infinity" || bytes == "-infinity") {
        ++context.unrepresentable;
        cells.SetNull(row);
        return true;
    }
    Scanner scanner(bytes);
    const auto interval =
        bytes.starts_with('P') ? ScanIsoInterval(scanner) : ScanPlainInterval(scanner);
    if (!interval || !scanner.at_end()) return false;
    cells.Set(row, *interval);
    return true;
}

BIWA_DECODE_FUNCTION(TextUuid) {
    (void)decoder, (void)context;
    unsigned __int128 value = 0;
    int digits = 0;
    for (const char c : bytes) {
        if (c == '-') continue;
        const int digit = HexDigit(c);
        if (digit < 0 || ++digits > 32) return false;
        value = value << 4 | static_cast<unsigned>(digit);
    }
    if (digits != 32) return false;
    const auto high = static_cast<std::uint64_t>(value >> 64) ^ (std::uint64_t{1} << 63);
    cells.Set(row, Int128{static_cast<std::uint64_t>(value), static_cast<std::int64_t>(high)});
    return true;
}

BIWA_DECODE_FUNCTION(TextDecimal) {
    if (bytes == "NaN" || bytes == "Infinity" || bytes == "-Infinity") {
        ++context.unrepresentable;
        cells.SetNull(row);
        return true;
    }
    const bool negative = bytes.starts_with('-');
    if (negative) bytes.remove_prefix(1);
    __int128 value = 0;
    int digits = 0, decimals = -1;  // -1: before the point
    bool any = false;
    const auto append = [&](int digit) {
        if ((value != 0 || digit != 0) && ++digits > 38) return false;
        value = value * 10 + digit;
        return true;
    };
    for (const char c : bytes) {
        if (c == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (c < '0' || c > '9') return false;
        if (decimals >= 0 && ++decimals > decoder.type.scale) return false;
        if (!append(c - '0')) return false;
        any = true;
    }
    for (int i = std::max(decimals, 0); i < decoder.type.scale; ++i) {
        if (!append(0)) return false;
    }
    return any && SetDecimal(decoder.type, negative ? -value : value, cells, row);
}

// "-$1,234.56": the locale C always has two decimals, whatever the number's unit is.
BIWA_DECODE_FUNCTION(TextMoney) {
    (void)context;
    Scanner scanner(bytes);
    const bool negative = scanner.Eat('-');
    if (!scanner.Eat('$')) return false;
    __int128 value = 0;
    int digits = 0;
    for (const char c : scanner.rest()) {
        if (c == ',' || c == '.') continue;
        if (c < '0' || c > '9' || ++digits > 19) return false;
        value = value * 10 + (c - '0');
    }
    return digits > 0 && SetDecimal(decoder.type, negative ? -value : value, cells, row);
}

namespace {

// Reads array_out's text of one list after the other.
class ArrayText {
  public:
    ArrayText(const ColumnDecoder& decoder, std::string_view text, DecodeContext& context)
        : decoder_(decoder), rest_(text), context_(context) {}

    // The list that begins here, `level` lists deep (1: holds the elements).
    bool ReadList(int level, Cells& cells, std::size_t row) {
        const auto begin = cells.child_size;
        std::size_t count = 0;
        if (!Eat('{')) return false;
        while (!Eat('}')) {
            if (count > 0 && !Eat(decoder_.delimiter)) return false;
            auto& child = cells.owner->GrowChild(cells, begin + count + 1);
            if (!(level > 1 ? ReadList(level - 1, child, begin + count)
                            : ReadElement(child, begin + count))) {
                return false;
            }
            ++count;
        }
        cells.Set(row, ListCell{begin, count});
        return true;
    }
    bool at_end() const { return rest_.empty(); }

  private:
    bool Eat(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool ReadElement(Cells& cells, std::size_t row) {
        element_.clear();
        const bool quoted = Eat('"');
        if (quoted) {
            while (!Eat('"')) {
                Eat('\\');
                if (rest_.empty()) return false;
                element_ += rest_.front();
                rest_.remove_prefix(1);
            }
        } else {
            const char ends[] = {decoder_.delimiter, '}', '{', '"', '\\'};
            const auto size = std::min(rest_.find_first_of({ends, sizeof ends}), rest_.size());
            element_ = rest_.substr(0, size);
            rest_.remove_prefix(size);
            if (element_.empty()) return false;
            if (element_ == "NULL") {
                cells.SetNull(row);
                return true;
            }
        }
        return decoder_.element->text(*decoder_.element, element_, cells, row, context_);
    }

    const ColumnDecoder& decoder_;
    std::string_view rest_;
    DecodeContext& context_;
    std::string element_;
};

}  // namespace

// array_out: "{1,NULL,\"a \\\"b\\\"\"}", with "[2:3]=" in front where a lower bound is not 1.
BIWA_DECODE_FUNCTION(TextArray) {
    auto text = bytes;
    if (text.starts_with('[')) {
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) return false;
        text.remove_prefix(equals + 1);
    }
    if (text == "{}") {
        cells.Set(row, ListCell{cells.child_size, 0});
        return true;
    }
    const auto braces = text.find_first_not_of('{');
    if (braces == std::string_view::npos || text.back() != '}') return false;
    if (braces != static_cast<std::size_t>(decoder.dimensions)) {
        ++context.unrepresentable;
        cells.SetNull(row);
        return braces > 0;
    }
    ArrayText reader(decoder, text, context);
    return reader.ReadList(decoder.dimensions, cells, row) && reader.at_end();
}

}  // namespace biwa::postgres
