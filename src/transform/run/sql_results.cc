#include "transform/run/sql_results.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa::transform {

Result<std::vector<TextRow>> ReadTexts(RowStream& stream) {
    std::vector<TextRow> rows;
    while (const RowBlock* block = BIWA_TRY(stream.Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            auto& texts = rows.emplace_back();
            for (const auto& cells : block->columns) {
                if (cells.IsNull(row)) {
                    texts.emplace_back();
                } else {
                    texts.emplace_back(cells.GetString(row));
                }
            }
        }
    }
    return rows;
}

Result<std::vector<TableColumn>> DescribeColumns(WriteTransaction& transaction,
                                                 const std::string& table) {
    const auto stream = BIWA_TRY(transaction.Query(
        fmt::format("SELECT column_name, column_type FROM (DESCRIBE {})", table)));
    std::vector<TableColumn> columns;
    for (auto& row : BIWA_TRY(ReadTexts(*stream))) columns.push_back({*row[0], *row[1]});
    return columns;
}

Result<bool> AddMissingColumn(WriteTransaction& transaction, const TableName& table,
                              const TableColumn& column) {
    for (const auto& there : BIWA_TRY(transaction.Widths(table))) {
        if (there.name == column.name) return false;
    }
    BIWA_TRY(transaction.Execute(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", table.ToSql(),
                                             QuoteIdentifier(column.name), column.type)));
    return true;
}

}  // namespace biwa::transform
