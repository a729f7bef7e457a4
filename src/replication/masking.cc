#include "replication/masking.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>
#include <limits>

#include "base/check.h"
#include "model/format.h"

namespace biwa {

namespace {

constexpr std::int64_t kMicrosPerDay = 86'400'000'000;

// The number of bytes of the first characters.
std::size_t BytesOfCharacters(std::string_view text, int characters) {
    std::size_t bytes = 0;
    while (bytes < text.size()) {
        const bool begins_one = (static_cast<unsigned char>(text[bytes]) & 0xC0) != 0x80;
        if (begins_one && characters-- == 0) break;
        ++bytes;
    }
    return bytes;
}

std::string MaskedEmail(std::string_view text) {
    const auto at = text.rfind('@');
    // What has no @ is no address, and may be anything.
    return at == std::string_view::npos ? "***" : "***" + std::string(text.substr(at));
}

// The first day of the day's year or month, all as days since 1970-01-01. By Howard Hinnant's
// methods of the proleptic Gregorian calendar; std::chrono's years end at 32,767, a database's do
// not.
std::int64_t BeginOf(const Mask& mask, std::int64_t day) {
    constexpr std::int64_t kDaysToEpoch = 719'468;  // from 0000-03-01
    const auto shifted = day + kDaysToEpoch;
    const auto era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    const auto of_era = shifted - era * 146'097;
    const auto year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
    const auto of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const auto month_from_march = (5 * of_year + 2) / 153;
    const auto of_month = of_year - (153 * month_from_march + 2) / 5;
    if (mask.kind == MaskKind::kMonth) return day - of_month;
    constexpr std::int64_t kMarchToJanuary = 306;
    if (of_year >= kMarchToJanuary) return day - (of_year - kMarchToJanuary);
    // Before it in the same year lie January, February and the days since the first of March.
    const auto year = year_of_era + era * 400;
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day - of_year - (is_leap ? 60 : 59);
}

std::int32_t MaskedDate(const Mask& mask, std::int32_t day) {
    constexpr auto kInfinity = std::numeric_limits<std::int32_t>::max();
    if (day == kInfinity || day == -kInfinity) return day;
    return static_cast<std::int32_t>(BeginOf(mask, day));
}

std::int64_t MaskedTime(const Mask& mask, std::int64_t micros) {
    constexpr auto kInfinity = std::numeric_limits<std::int64_t>::max();
    if (micros == kInfinity || micros == -kInfinity) return micros;
    const auto day = micros / kMicrosPerDay - (micros % kMicrosPerDay < 0 ? 1 : 0);
    return BeginOf(mask, day) * kMicrosPerDay;
}

bool IsDay(const Type& type) {
    return type.id == TypeId::kDate || type.id == TypeId::kTimestamp ||
           type.id == TypeId::kTimestampTz;
}

template <typename Each>
void ForEachValue(const Cells& from, std::size_t rows, Cells& to, const Each& each) {
    for (std::size_t row = 0; row < rows; ++row) {
        if (from.IsNull(row)) {
            to.SetNull(row);
        } else {
            each(row);
        }
    }
}

void HashCells(const Cells& from, std::size_t rows, Cells& to, Arena& arena, KeyedHash& hash) {
    const bool is_text = from.type.id == TypeId::kText || from.type.id == TypeId::kJson;
    std::string text;
    ForEachValue(from, rows, to, [&](std::size_t row) {
        auto value = is_text ? from.GetString(row) : std::string_view();
        if (!is_text) {
            text.clear();
            AppendText(from, row, text);
            value = text;
        }
        char* const hex = arena.Allocate(KeyedHash::kHexBytes);
        hash.Hex(value, hex);
        to.Set(row, StringCell::Of(hex, KeyedHash::kHexBytes));
    });
}

}  // namespace

KeyedHash::KeyedHash(std::string_view key) : context_(nullptr, EVP_MAC_CTX_free) {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    context_.reset(EVP_MAC_CTX_new(mac));
    EVP_MAC_free(mac);
    std::string digest = "SHA256";
    const std::array<OSSL_PARAM, 2> parameters = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    BIWA_CHECK(EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(key.data()),
                            key.size(), parameters.data()) == 1);
}

KeyedHash::KeyedHash(const KeyedHash& other)
    : context_(EVP_MAC_CTX_dup(other.context_.get()), EVP_MAC_CTX_free) {
    BIWA_CHECK(context_ != nullptr);
}

std::array<unsigned char, 32> KeyedHash::Digest(std::string_view text) {
    std::array<unsigned char, 32> digest;
    std::size_t size = 0;
    // Without a key: the one from before, already worked into the state.
    BIWA_CHECK(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
               EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(text.data()),
                              text.size()) == 1 &&
               EVP_MAC_final(context_.get(), digest.data(), &size, digest.size()) == 1 &&
               size == digest.size());
    return digest;
}

void KeyedHash::Hex(std::string_view text, char* hex) {
    for (const auto byte : Digest(text)) {
        *hex++ = "0123456789abcdef"[byte >> 4];
        *hex++ = "0123456789abcdef"[byte & 0xf];
    }
}

Result<Type> MaskedType(const Mask& mask, const Type& type) {
    const auto refuse = [&](std::string_view takes) {
        return UserError(fmt::format("the mask {} is for {}, and the column is {}", ToString(mask),
                                     takes, ToSql(type)),
                         "hash, null and drop are for columns of every type.");
    };
    switch (mask.kind) {
        case MaskKind::kHash:
            return Type{TypeId::kText};
        case MaskKind::kTruncate:
        case MaskKind::kEmail:
            if (type.id != TypeId::kText) return refuse("text");
            return type;
        case MaskKind::kYear:
        case MaskKind::kMonth:
            if (!IsDay(type)) return refuse("dates and timestamps");
            return type;
        case MaskKind::kDrop:
        case MaskKind::kNull:
            return type;
    }
    BIWA_CHECK(false);
    return type;
}

std::optional<std::string> MaskedFill(const Mask& mask, const Column& column, KeyedHash& hash) {
    if (!column.fill) return std::nullopt;
    const auto& fill = *column.fill;
    switch (mask.kind) {
        case MaskKind::kDrop:
        case MaskKind::kNull:
            return std::nullopt;
        case MaskKind::kHash: {
            std::string hex(KeyedHash::kHexBytes, ' ');
            hash.Hex(fill, hex.data());
            return hex;
        }
        case MaskKind::kTruncate:
            return fill.substr(0, BytesOfCharacters(fill, mask.characters));
        case MaskKind::kEmail:
            return MaskedEmail(fill);
        case MaskKind::kYear:
        case MaskKind::kMonth: {
            // "2026-07-15", and a time behind it where there is one; "infinity" has none of it.
            const auto month = fill.find('-', 1);
            const auto day = month == std::string::npos ? month : fill.find('-', month + 1);
            if (day == std::string::npos) return fill;
            const auto begin = mask.kind == MaskKind::kYear ? fill.substr(0, month) + "-01-01"
                                                            : fill.substr(0, day) + "-01";
            return column.type.id == TypeId::kTimestampTz ? begin + " 00:00:00+00" : begin;
        }
    }
    BIWA_CHECK(false);
    return std::nullopt;
}

void MaskCells(const Mask& mask, const Cells& from, std::size_t rows, Cells& to, Arena& arena,
               KeyedHash& hash) {
    switch (mask.kind) {
        case MaskKind::kDrop:
        case MaskKind::kNull:
            for (std::size_t row = 0; row < rows; ++row) to.SetNull(row);
            return;
        case MaskKind::kHash:
            return HashCells(from, rows, to, arena, hash);
        case MaskKind::kTruncate:
            return ForEachValue(from, rows, to, [&](std::size_t row) {
                const auto text = from.GetString(row);
                to.Set(row, StringCell::Of(text.data(), BytesOfCharacters(text, mask.characters)));
            });
        case MaskKind::kEmail:
            return ForEachValue(from, rows, to, [&](std::size_t row) {
                to.Set(row, arena.Copy(MaskedEmail(from.GetString(row))));
            });
        case MaskKind::kYear:
        case MaskKind::kMonth:
            return ForEachValue(from, rows, to, [&](std::size_t row) {
                if (from.type.id == TypeId::kDate) {
                    to.Set(row, MaskedDate(mask, from.Get<std::int32_t>(row)));
                } else {
                    to.Set(row, MaskedTime(mask, from.Get<std::int64_t>(row)));
                }
            });
    }
}

void MaskColumn(const Mask& mask, std::size_t column, RowStore& rows, KeyedHash& hash) {
    auto& cells = rows.cells(column);
    if (mask.kind != MaskKind::kHash) {
        return MaskCells(mask, cells, rows.rows(), cells, rows.arena(), hash);
    }
    // Beside the column first: its values are gone once it has another type.
    std::vector<StringCell> hashed(rows.rows());
    Cells beside = cells;
    beside.type = Type{TypeId::kText};
    beside.data = reinterpret_cast<std::byte*>(hashed.data());
    MaskCells(mask, cells, rows.rows(), beside, rows.arena(), hash);
    rows.Retype(column, beside.type);
    if (!hashed.empty()) {
        std::memcpy(cells.data, hashed.data(), hashed.size() * sizeof(StringCell));
    }
}

}  // namespace biwa
