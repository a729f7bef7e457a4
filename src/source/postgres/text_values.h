// Values in PostgreSQL's text form, under the settings of Connection::Open (ISO dates, ISO 8601
// intervals, bytea as hex, UTC, money as in the locale C), and under those of pg_dump, whose
// intervals are in PostgreSQL's own style and whose times may be of any zone.
#pragma once

#include <charconv>
#include <string_view>

#include "source/postgres/binary_values.h"

namespace biwa::postgres {

template <typename T>
bool TextInteger(const ColumnDecoder&, std::string_view text, Cells& cells, std::size_t row,
                 DecodeContext&) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    cells.Set(row, value);
    return true;
}

// from_chars also reads "NaN", "Infinity" and "-Infinity".
template <typename T>
bool TextFloat(const ColumnDecoder&, std::string_view text, Cells& cells, std::size_t row,
               DecodeContext&) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    cells.Set(row, value);
    return true;
}

BIWA_DECODE_FUNCTION(TextBool);
BIWA_DECODE_FUNCTION(TextText);
BIWA_DECODE_FUNCTION(TextBytea);
BIWA_DECODE_FUNCTION(TextDate);
BIWA_DECODE_FUNCTION(TextTime);
BIWA_DECODE_FUNCTION(TextTimestamp);
BIWA_DECODE_FUNCTION(TextInterval);
BIWA_DECODE_FUNCTION(TextUuid);
BIWA_DECODE_FUNCTION(TextDecimal);
BIWA_DECODE_FUNCTION(TextMoney);
BIWA_DECODE_FUNCTION(TextArray);

}  // namespace biwa::postgres
