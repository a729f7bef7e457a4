#include "query/json_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "base/text.h"
#include "model/format.h"

namespace biwa {

namespace {

constexpr std::int64_t kExactIntegerMax = std::int64_t{1} << 53;

// The length of the UTF-8 sequence at the start of `text`, 0 when it is none (RFC 3629).
std::size_t SequenceLength(std::string_view text) {
    const auto at = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto follows = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && at(1) < 0xa0;
        const bool surrogate = first == 0xed && at(1) >= 0xa0;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && at(1) < 0x90;
        const bool beyond = first == 0xf4 && at(1) >= 0x90;
        return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

void AppendEscaped(std::string_view text, std::string& out) {
    std::size_t begin = 0;  // of what has not been copied yet
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out.append(text, begin, i - begin);
        begin = i + 1;
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += fmt::format("\\u{:04x}", c);
        }
    }
    out.append(text, begin, text.size() - begin);
}

void AppendBase64(std::string_view bytes, std::string& out) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t offset) {
            return i + offset < bytes.size() ? static_cast<unsigned char>(bytes[i + offset]) : 0U;
        };
        const unsigned three = byte(0) << 16 | byte(1) << 8 | byte(2);
        out += kDigits[three >> 18];
        out += kDigits[three >> 12 & 63];
        out += i + 1 < bytes.size() ? kDigits[three >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? kDigits[three & 63] : '=';
    }
}

void AppendQuotedText(const Cells& cells, std::size_t row, std::string& out) {
    out += '"';
    AppendText(cells, row, out, TimeStyle::kIso);
    out += '"';
}

bool IsExact(const Cells& cells, std::size_t row) {
    const auto value = WholeNumber(cells, row);
    const auto low = static_cast<std::int64_t>(value.low);
    const bool is_64_bit = value.high == (low < 0 ? -1 : 0);
    return is_64_bit && low >= -kExactIntegerMax && low <= kExactIntegerMax;
}

void AppendIf(bool is_number, const Cells& cells, std::size_t row, std::string& out) {
    if (is_number) {
        AppendText(cells, row, out);
    } else {
        AppendQuotedText(cells, row, out);
    }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
    out += '"';
    if (IsValidUtf8(text)) {
        AppendEscaped(text, out);
    } else {
        while (!text.empty()) {
            const auto length = SequenceLength(text);
            if (length == 0) {
                out += "\xef\xbf\xbd";
                text.remove_prefix(1);
            } else {
                AppendEscaped(text.substr(0, length), out);
                text.remove_prefix(length);
            }
        }
    }
    out += '"';
}

void AppendJsonCell(const Cells& cells, std::size_t row, std::string& out) {
    if (cells.IsNull(row)) {
        out += "null";
        return;
    }
    switch (cells.type.id) {
        case TypeId::kBool:
        case TypeId::kInt16:
        case TypeId::kInt32:
            return AppendText(cells, row, out);
        case TypeId::kInt64:
        case TypeId::kInt128:
            return AppendIf(IsExact(cells, row), cells, row, out);
        case TypeId::kFloat:
            return AppendIf(std::isfinite(cells.Get<float>(row)), cells, row, out);
        case TypeId::kDouble:
            return AppendIf(std::isfinite(cells.Get<double>(row)), cells, row, out);
        case TypeId::kText:
        case TypeId::kJson:
            return AppendJsonString(cells.GetString(row), out);
        case TypeId::kBytes:
            out += '"';
            AppendBase64(cells.GetString(row), out);
            out += '"';
            return;
        case TypeId::kList: {
            const auto list = cells.Get<ListCell>(row);
            out += '[';
            for (std::size_t i = 0; i < list.length; ++i) {
                if (i > 0) out += ',';
                AppendJsonCell(*cells.child, list.offset + i, out);
            }
            out += ']';
            return;
        }
        case TypeId::kDecimal:
        case TypeId::kDate:
        case TypeId::kTime:
        case TypeId::kTimestamp:
        case TypeId::kTimestampTz:
        case TypeId::kInterval:
        case TypeId::kUuid:
            return AppendQuotedText(cells, row, out);
    }
}

void AppendJsonColumns(const std::vector<Column>& columns, std::string& out) {
    out += '[';
    for (const auto& column : columns) {
        if (out.back() != '[') out += ',';
        out += "{\"name\":";
        AppendJsonString(column.name, out);
        out += ",\"type\":";
        AppendJsonString(ToSql(column.type), out);
        out += '}';
    }
    out += ']';
}

void AppendJsonRows(const RowBlock& block, std::string& out) {
    for (std::size_t row = 0; row < block.rows; ++row) {
        out += row == 0 ? "[" : ",[";
        for (std::size_t column = 0; column < block.columns.size(); ++column) {
            if (column > 0) out += ',';
            AppendJsonCell(block.columns[column], row, out);
        }
        out += ']';
    }
}

std::string ErrorToJson(const Error& error) {
    std::string json = "{\"kind\":";
    AppendJsonString(ToString(error.kind), json);
    json += ",\"message\":";
    AppendJsonString(error.message, json);
    json += ",\"hint\":";
    if (error.hint.empty()) {
        json += "null";
    } else {
        AppendJsonString(error.hint, json);
    }
    json += '}';
    return json;
}

Status JsonSink::Begin(const std::vector<Column>& columns) {
    buffer_ = "{\"columns\":";
    AppendJsonColumns(columns, buffer_);
    buffer_ += ",\"rows\":[";
    return {};
}

Status JsonSink::Block(const RowBlock& block) {
    if (block.rows == 0) return {};
    if (!first_row_) buffer_ += ',';
    first_row_ = false;
    AppendJsonRows(block, buffer_);
    if (buffer_.size() < kOutputBytes) return {};
    return Flush();
}

Status JsonSink::End(const QueryStats& stats) {
    buffer_ += fmt::format("],\"row_count\":{},\"truncated\":{},\"seconds\":{:.6f}}}", stats.rows,
                           stats.truncated, stats.seconds);
    return Flush();
}

Status JsonSink::EndWith(const Error& error) {
    buffer_ += "],\"error\":" + ErrorToJson(error) + "}";
    return Flush();
}

Status JsonSink::Flush() {
    silent_ = false;
    const auto status = output_(buffer_);
    buffer_.clear();
    return status;
}

}  // namespace biwa
