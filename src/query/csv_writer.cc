#include "query/csv_writer.h"

#include <string_view>

#include "model/format.h"

namespace biwa {

namespace {

void AppendField(std::string_view text, std::string& out) {
    const bool outer_space = !text.empty() && (text.front() == ' ' || text.back() == ' ');
    if (!text.empty() && !outer_space && text.find_first_of(",\"\r\n") == std::string_view::npos) {
        out += text;
        return;
    }
    out += '"';
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

}  // namespace

Status CsvSink::Begin(const std::vector<Column>& columns) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) buffer_ += ',';
        AppendField(columns[i].name, buffer_);
    }
    buffer_ += '\n';
    return {};
}

Status CsvSink::Block(const RowBlock& block) {
    for (std::size_t row = 0; row < block.rows; ++row) {
        for (std::size_t column = 0; column < block.columns.size(); ++column) {
            const auto& cells = block.columns[column];
            if (column > 0) buffer_ += ',';
            if (cells.IsNull(row)) continue;
            cell_.clear();
            AppendText(cells, row, cell_);
            AppendField(cell_, buffer_);
        }
        buffer_ += '\n';
    }
    if (buffer_.size() < kOutputBytes) return {};
    return Flush();
}

Status CsvSink::End(const QueryStats&) { return Flush(); }

Status CsvSink::Flush() {
    const auto status = output_(buffer_);
    buffer_.clear();
    return status;
}

}  // namespace biwa
