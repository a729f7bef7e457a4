#include "source/mysql/key_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace biwa::mysql {

namespace {

// Small enough that a few threads share a table evenly and a restart repeats little, large enough
// that starting a SELECT does not count.
constexpr std::int64_t kRangeBytes = 16 << 20;
constexpr std::int64_t kRangesMax = 4096;
// Each costs the server a look into the key.
constexpr std::int64_t kTextRangesMax = 256;

bool IsInteger(FieldType type) {
    return type == FieldType::kTiny || type == FieldType::kShort || type == FieldType::kInt24 ||
           type == FieldType::kLong || type == FieldType::kLongLong || type == FieldType::kYear;
}

bool IsText(const ColumnInfo& column) {
    return column.special == ColumnInfo::Special::kNone &&
           (column.type == FieldType::kVarchar || column.type == FieldType::kString);
}

std::string Name(const SourceTable& table) {
    return QuoteName(table.schema) + "." + QuoteName(table.name);
}

// Large enough for the difference of any two.
__int128 Parse(const std::string& text) {
    __int128 value = 0;
    const bool is_negative = text.starts_with('-');
    for (const char c : text) {
        if (c >= '0' && c <= '9') value = value * 10 + (c - '0');
    }
    return is_negative ? -value : value;
}

std::string ToText(__int128 value) {
    if (value < 0) return "-" + ToText(-value);
    std::string text;
    do {
        text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
        value /= 10;
    } while (value > 0);
    return text;
}

std::vector<std::string> CutIntegers(const std::string& low, const std::string& high,
                                     std::int64_t ranges) {
    const auto first = Parse(low), last = Parse(high);
    std::vector<std::string> cuts;
    for (std::int64_t i = 1; i < ranges; ++i) {
        const auto cut = first + (last - first) * i / ranges;
        if (cut > first && (cuts.empty() || Parse(cuts.back()) < cut)) cuts.push_back(ToText(cut));
    }
    return cuts;
}

std::string FromHex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        int value = 0;
        std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
        bytes += static_cast<char>(value);
    }
    return bytes;
}

std::string ToHex(std::string_view bytes) {
    std::string hex;
    for (const char c : bytes) hex += fmt::format("{:02X}", static_cast<unsigned char>(c));
    return hex;
}

std::string TextLiteral(const std::string& hex, bool is_text) {
    return (is_text ? "_utf8mb4 X'" : "X'") + hex + "'";
}

// Keys between two, by their first two letters that may differ: of texts printable ones.
std::vector<std::string> Between(std::string_view low, std::string_view high, std::int64_t count,
                                 bool is_text) {
    std::size_t common = 0;
    while (common < low.size() && common < high.size() && low[common] == high[common]) ++common;
    const int first = is_text ? 0x20 : 0, letters = is_text ? 0x7f - 0x20 : 256;
    const auto digit = [&](std::string_view text, std::size_t at) {
        const int byte = at < text.size() ? static_cast<unsigned char>(text[at]) : first;
        return std::clamp(byte - first, 0, letters - 1);
    };
    // Not within a character of several bytes.
    while (is_text && common > 0 && common < high.size() && (high[common] & 0xc0) == 0x80) --common;
    const auto number = [&](std::string_view text) {
        return digit(text, common) * letters + digit(text, common + 1);
    };
    const auto from = number(low), to = number(high);
    std::vector<std::string> keys;
    for (std::int64_t i = 1; i < count; ++i) {
        const auto at = from + (to - from) * i / count;
        std::string key(low.substr(0, common));
        key += static_cast<char>(first + at / letters);
        key += static_cast<char>(first + at % letters);
        if (keys.empty() || keys.back() != key) keys.push_back(std::move(key));
    }
    return keys;
}

// Cuts, in hex and in the order of the key's collation, which is the server's business.
Result<std::vector<std::string>> CutTexts(const Connection& connection, const SourceTable& table,
                                          const std::string& column, bool is_text,
                                          const std::string& low, const std::string& high,
                                          std::int64_t ranges) {
    const auto hex_of = [&](const std::string& key) {
        return is_text ? fmt::format("HEX(CONVERT({} USING utf8mb4))", key)
                       : fmt::format("HEX({})", key);
    };
    std::string found;
    for (const auto& near : Between(FromHex(low), FromHex(high), ranges, is_text)) {
        const auto next = BIWA_TRY(connection.Query(
            fmt::format("SELECT {} FROM {} WHERE {} > {}", hex_of("MIN(" + column + ")"),
                        Name(table), column, TextLiteral(ToHex(near), is_text))));
        if (next.IsNull(0, 0)) continue;
        found += (found.empty() ? "" : ", ") + TextLiteral(next.Text(0, 0), is_text);
    }
    std::vector<std::string> cuts;
    if (found.empty()) return cuts;
    const auto sorted = BIWA_TRY(connection.Query(
        fmt::format("SELECT {} AS cut FROM {} WHERE {} IN ({}) GROUP BY {} ORDER BY {}",
                    hex_of("MIN(" + column + ")"), Name(table), column, found, column, column)));
    for (std::size_t i = 0; i < sorted.size(); ++i) cuts.push_back(sorted.Text(i, 0));
    return cuts;
}

}  // namespace

Result<std::vector<SnapshotRange>> SplitByKey(const Connection& connection,
                                              const SourceTable& table,
                                              const ColumnInfo& first_key_column) {
    const bool is_integer = IsInteger(first_key_column.type);
    const bool is_text = first_key_column.characters != nullptr;
    const auto wanted = std::clamp<std::int64_t>(table.bytes / kRangeBytes + 1, 1,
                                                 is_integer ? kRangesMax : kTextRangesMax);
    std::vector<std::string> cuts;
    if (wanted > 1 && (is_integer || IsText(first_key_column))) {
        const auto column = QuoteName(first_key_column.name);
        const auto end_of = [&](const char* which) {
            if (is_integer) return fmt::format("{}({})", which, column);
            if (!is_text) return fmt::format("HEX({}({}))", which, column);
            return fmt::format("HEX(CONVERT({}({}) USING utf8mb4))", which, column);
        };
        const auto ends = BIWA_TRY(connection.Query(
            fmt::format("SELECT {}, {} FROM {}", end_of("MIN"), end_of("MAX"), Name(table))));
        if (!ends.IsNull(0, 0) && is_integer) {
            cuts = CutIntegers(ends.Text(0, 0), ends.Text(0, 1), wanted);
        } else if (!ends.IsNull(0, 0)) {
            cuts = BIWA_TRY(CutTexts(connection, table, column, is_text, ends.Text(0, 0),
                                     ends.Text(0, 1), wanted));
        }
    }
    std::vector<SnapshotRange> ranges;
    if (cuts.empty()) {
        ranges.push_back({"*", table.rows_estimate});
        return ranges;
    }
    const char kind = is_integer ? 'i' : is_text ? 't' : 'b';
    const auto each = table.rows_estimate / static_cast<std::int64_t>(cuts.size() + 1);
    std::string begin;
    for (const auto& cut : cuts) {
        ranges.push_back({fmt::format("{}:{}:{}", kind, begin, cut), each});
        begin = cut;
    }
    ranges.push_back({fmt::format("{}:{}:", kind, begin), each});
    return ranges;
}

Result<std::string> RangeCondition(const std::string& range, const std::string& first_key_column) {
    if (range == "*") return std::string("TRUE");
    const auto parts = Split(range, ':');
    const auto is_end = [&](const std::string& end) {
        return end.find_first_not_of(parts[0] == "i" ? "-0123456789" : "0123456789ABCDEFabcdef") ==
               std::string::npos;
    };
    if (parts.size() != 3 || (parts[0] != "i" && parts[0] != "t" && parts[0] != "b") ||
        !is_end(parts[1]) || !is_end(parts[2])) {
        return Corrupt(fmt::format("\"{}\" is no range of a table's key", range));
    }
    const auto column = QuoteName(first_key_column);
    const auto literal = [&](const std::string& end) {
        return parts[0] == "i" ? end : TextLiteral(end, parts[0] == "t");
    };
    std::string condition;
    if (!parts[1].empty()) condition = column + " >= " + literal(parts[1]);
    if (!parts[2].empty()) {
        condition += (condition.empty() ? "" : " AND ") + column + " < " + literal(parts[2]);
    }
    return condition.empty() ? "TRUE" : condition;
}

}  // namespace biwa::mysql
