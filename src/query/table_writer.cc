#include "query/table_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "model/format.h"

namespace biwa {

namespace {

using Range = std::pair<char32_t, char32_t>;

// Unicode 15, EastAsianWidth.txt: W and F, neighbours joined.
constexpr std::array kWide = {
    Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x2329, 0x232a},
    Range{0x23e9, 0x23ec},   Range{0x25fd, 0x25fe},   Range{0x2614, 0x2615},
    Range{0x2648, 0x2653},   Range{0x26aa, 0x26ab},   Range{0x26bd, 0x26be},
    Range{0x2705, 0x2705},   Range{0x270a, 0x270b},   Range{0x2728, 0x2728},
    Range{0x274c, 0x274c},   Range{0x2753, 0x2755},   Range{0x2795, 0x2797},
    Range{0x2b1b, 0x2b1c},   Range{0x2b50, 0x2b50},   Range{0x2e80, 0x303e},
    Range{0x3041, 0x33ff},   Range{0x3400, 0x4dbf},   Range{0x4e00, 0xa4cf},
    Range{0xa960, 0xa97f},   Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},
    Range{0xfe10, 0xfe19},   Range{0xfe30, 0xfe6f},   Range{0xff01, 0xff60},
    Range{0xffe0, 0xffe6},   Range{0x16fe0, 0x18cff}, Range{0x1aff0, 0x1b2ff},
    Range{0x1f200, 0x1f320}, Range{0x1f32d, 0x1f335}, Range{0x1f337, 0x1f37c},
    Range{0x1f37e, 0x1f393}, Range{0x1f3a0, 0x1f3ca}, Range{0x1f3e0, 0x1f3f0},
    Range{0x1f400, 0x1f43e}, Range{0x1f442, 0x1f4fc}, Range{0x1f4ff, 0x1f53d},
    Range{0x1f550, 0x1f567}, Range{0x1f5fb, 0x1f64f}, Range{0x1f680, 0x1f6c5},
    Range{0x1f6cc, 0x1f6cc}, Range{0x1f6d5, 0x1f6df}, Range{0x1f6eb, 0x1f6ec},
    Range{0x1f6f4, 0x1f6fc}, Range{0x1f7e0, 0x1f7eb}, Range{0x1f90c, 0x1f9ff},
    Range{0x1fa70, 0x1faff}, Range{0x20000, 0x2fffd}, Range{0x30000, 0x3fffd}};

// Combining marks, joiners and variation selectors that people's texts hold.
constexpr std::array kZero = {Range{0x0300, 0x036f}, Range{0x200b, 0x200f},  Range{0x20d0, 0x20ff},
                              Range{0x3099, 0x309a}, Range{0xfe00, 0xfe0f},  Range{0xfe20, 0xfe2f},
                              Range{0xfeff, 0xfeff}, Range{0xe0100, 0xe01ef}};

template <std::size_t Count>
bool IsIn(const std::array<Range, Count>& ranges, char32_t c) {
    const auto next = std::upper_bound(ranges.begin(), ranges.end(), c,
                                       [](char32_t value, Range r) { return value < r.first; });
    return next != ranges.begin() && c <= std::prev(next)->second;
}

struct Character {
    char32_t code;
    std::size_t bytes;
};

// The first character of a text that is not empty; a byte that begins none counts as one.
Character FirstOf(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t bytes = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (bytes == 1 || bytes > text.size()) return {first, 1};
    char32_t code = first & (0xffU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
    }
    return {code, bytes};
}

std::size_t WidthOf(char32_t c) { return IsIn(kZero, c) ? 0 : IsIn(kWide, c) ? 2 : 1; }

// Nothing in a value may move the cursor, colour the screen or type for the reader.
std::string Visible(std::string_view text) {
    std::string visible;
    while (!text.empty()) {
        const auto [code, bytes] = FirstOf(text);
        if (code == '\n') {
            visible += "\\n";
        } else if (code == '\r') {
            visible += "\\r";
        } else if (code == '\t') {
            visible += "\\t";
        } else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            visible += fmt::format("\\x{:02x}", static_cast<unsigned>(code));
        } else {
            visible += text.substr(0, bytes);
        }
        text.remove_prefix(bytes);
    }
    return visible;
}

bool IsNumber(const Type& type) {
    switch (type.id) {
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kInt128:
        case TypeId::kFloat:
        case TypeId::kDouble:
        case TypeId::kDecimal:
            return true;
        default:
            return false;
    }
}

}  // namespace

std::size_t DisplayWidth(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto [code, bytes] = FirstOf(text);
        width += WidthOf(code);
        text.remove_prefix(bytes);
    }
    return width;
}

std::string CutToWidth(std::string_view text, std::size_t cells) {
    std::size_t width = 0;
    std::size_t fits = 0;  // bytes that leave a cell for the mark
    std::size_t at = 0;
    while (at < text.size()) {
        const auto [code, bytes] = FirstOf(text.substr(at));
        width += WidthOf(code);
        if (width > cells) return std::string(text.substr(0, fits)) + "…";
        at += bytes;
        if (width + 1 <= cells) fits = at;
    }
    return std::string(text);
}

Status TableSink::Begin(const std::vector<Column>& columns) {
    columns_ = columns;
    for (const auto& column : columns_) {
        widths_.push_back(std::min(DisplayWidth(Visible(column.name)), kColumnWidthMax));
    }
    return {};
}

Status TableSink::Block(const RowBlock& block) {
    std::vector<std::string> row(block.columns.size());
    std::string text;
    for (std::size_t i = 0; i < block.rows; ++i) {
        for (std::size_t column = 0; column < row.size(); ++column) {
            const auto& cells = block.columns[column];
            text.clear();
            if (cells.IsNull(i)) {
                text = "NULL";
            } else {
                AppendText(cells, i, text);
            }
            // What cannot be shown need not be measured: a value may be of many megabytes.
            constexpr std::size_t kCharacterBytesMax = 4;
            if (text.size() > (kColumnWidthMax + 1) * kCharacterBytesMax) {
                text = CutToWidth(text, kColumnWidthMax + 1);
            }
            row[column] = CutToWidth(Visible(text), kColumnWidthMax);
        }
        if (measured_) {
            WriteRow(row);
            continue;
        }
        for (std::size_t column = 0; column < row.size(); ++column) {
            widths_[column] = std::max(widths_[column], DisplayWidth(row[column]));
        }
        waiting_.push_back(row);
        if (waiting_.size() == kMeasuredRows) WriteHead();
    }
    if (buffer_.size() < kOutputBytes) return {};
    return Flush();
}

Status TableSink::End(const QueryStats& stats) {
    if (!measured_) WriteHead();
    buffer_ += fmt::format("({} {}{}, {})\n", HumanCount(static_cast<std::int64_t>(stats.rows)),
                           stats.rows == 1 ? "row" : "rows",
                           stats.truncated ? "; there are more" : "", HumanSeconds(stats.seconds));
    return Flush();
}

void TableSink::WriteHead() {
    measured_ = true;
    std::vector<std::string> names;
    for (const auto& column : columns_) {
        names.push_back(CutToWidth(Visible(column.name), kColumnWidthMax));
    }
    WriteRow(names);
    for (std::size_t column = 0; column < widths_.size(); ++column) {
        if (column > 0) buffer_ += '+';
        buffer_.append(widths_[column] + 2, '-');
    }
    buffer_ += '\n';
    for (const auto& row : waiting_) WriteRow(row);
    waiting_.clear();
}

void TableSink::WriteRow(const std::vector<std::string>& row) {
    for (std::size_t column = 0; column < row.size(); ++column) {
        const auto text = CutToWidth(row[column], widths_[column]);
        const auto padding = widths_[column] - DisplayWidth(text);
        buffer_ += column > 0 ? "| " : " ";
        if (IsNumber(columns_[column].type)) {
            buffer_.append(padding, ' ');
            buffer_ += text;
        } else {
            buffer_ += text;
            if (column + 1 < row.size()) buffer_.append(padding, ' ');
        }
        if (column + 1 < row.size()) buffer_ += ' ';
    }
    buffer_ += '\n';
}

Status TableSink::Flush() {
    const auto status = output_(buffer_);
    buffer_.clear();
    return status;
}

}  // namespace biwa
