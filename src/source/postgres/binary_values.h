// Values in PostgreSQL's binary form: what the types' send functions write, in network byte order.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "source/postgres/bytes.h"
#include "source/postgres/types.h"

namespace biwa::postgres {

// From 1970-01-01, where the model counts from, to 2000-01-01, where PostgreSQL does.
inline constexpr std::int32_t kEpochDays = 10'957;
inline constexpr std::int64_t kEpochMicros = std::int64_t{kEpochDays} * 86'400'000'000;

template <typename T>
bool BinaryFixed(const ColumnDecoder&, std::string_view bytes, Cells& cells, std::size_t row,
                 DecodeContext&) {
    if (bytes.size() != sizeof(T)) return false;
    cells.Set(row, LoadBigEndian<T>(bytes.data()));
    return true;
}

#define BIWA_DECODE_FUNCTION(name)                                                                 \
    bool name(const ColumnDecoder& decoder, std::string_view bytes, Cells& cells, std::size_t row, \
              DecodeContext& context)

BIWA_DECODE_FUNCTION(BinaryBool);
BIWA_DECODE_FUNCTION(BinaryOid);
BIWA_DECODE_FUNCTION(BinaryText);
BIWA_DECODE_FUNCTION(BinaryChar);
BIWA_DECODE_FUNCTION(BinaryJsonb);
BIWA_DECODE_FUNCTION(BinaryDate);
BIWA_DECODE_FUNCTION(BinaryTime);
BIWA_DECODE_FUNCTION(BinaryTimestamp);
BIWA_DECODE_FUNCTION(BinaryInterval);
BIWA_DECODE_FUNCTION(BinaryUuid);
BIWA_DECODE_FUNCTION(BinaryDecimal);
BIWA_DECODE_FUNCTION(BinaryMoney);
BIWA_DECODE_FUNCTION(BinaryAsText);
BIWA_DECODE_FUNCTION(BinaryArray);

// Stores `value`, of which the warehouse's type has the range but for the infinities.
bool SetDate(std::int64_t days_since_1970, Cells& cells, std::size_t row, DecodeContext& context);
// A decimal's cell, 2 to 16 bytes by its width; false when it has too many digits.
bool SetDecimal(const Type& type, __int128 value, Cells& cells, std::size_t row);

}  // namespace biwa::postgres
