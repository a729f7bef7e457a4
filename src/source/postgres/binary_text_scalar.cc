// Values that are not made of others and are no numbers: times, addresses, bits
// (src/backend/utils/adt).
#include <fmt/format.h>

#include <cstdlib>
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

}  // namespace biwa::postgres
