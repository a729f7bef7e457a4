// Cells as text. One set of functions for every way out (JSON, CSV, the terminal, Arrow's text
// columns), so that a value looks the same everywhere.
#pragma once

#include <cstddef>
#include <string>

#include "model/rows.h"

namespace biwa {

// How a date and a time of day are written together. Everything else has one form only.
enum class TimeStyle {
    kSpace,  // "2026-11-23 05:06:07.5" and, with time zone, "2026-11-23 05:06:07.5+00"
    kIso,    // "2026-11-23T05:06:07.5" and, with time zone, "2026-11-23T05:06:07.5Z"
};

// Appends the text of a cell that is not NULL: what PostgreSQL prints for the value with DateStyle
// ISO, IntervalStyle postgres and TimeZone UTC, but for booleans, which are "true" and "false".
// "infinity", "0044-03-15 BC", "\xdeadbeef", "1 year 2 mons -3 days", "{1,NULL,\"a b\"}".
void AppendText(const Cells& cells, std::size_t row, std::string& out,
                TimeStyle style = TimeStyle::kSpace);

// A decimal of kDecimal or kInt128 as one 128-bit number, without its scale.
Int128 WholeNumber(const Cells& cells, std::size_t row);

}  // namespace biwa
