#include "replication/row_sql.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa {

std::string QuotedList(const std::vector<Column>& columns, std::string_view prefix) {
    std::string list;
    for (const auto& column : columns) {
        if (!list.empty()) list += ", ";
        list += prefix;
        list += QuoteIdentifier(column.name);
    }
    return list;
}

std::vector<Column> KeyColumns(const TableSchema& columns) {
    std::vector<Column> key;
    for (const auto column : columns.key) key.push_back(columns.columns[column]);
    return key;
}

std::string KeyList(const TableSchema& columns, std::string_view prefix) {
    return QuotedList(KeyColumns(columns), prefix);
}

std::string OnKey(const TableSchema& columns, std::string_view a, std::string_view b) {
    std::string on;
    for (const auto column : columns.key) {
        const auto name = QuoteIdentifier(columns.columns[column].name);
        on += fmt::format("{}{}.{} = {}.{}", on.empty() ? "" : " AND ", a, name, b, name);
    }
    return on;
}

std::string OnlyKeys(const TableSchema& columns, std::string_view a, std::string_view keys) {
    return fmt::format(" SEMI JOIN {} ON {}", keys, OnKey(columns, a, keys));
}

std::string AsText(const Column& column) {
    const auto name = QuoteIdentifier(column.name);
    return column.type.id == TypeId::kBytes ? fmt::format("'\\x' || hex({})", name)
                                            : fmt::format("CAST({} AS VARCHAR)", name);
}

std::string FromText(const Column& column, const std::string& text) {
    if (column.type.id == TypeId::kBytes) {
        return fmt::format("unhex({})", QuoteLiteral(text.substr(2)));
    }
    return fmt::format("CAST({} AS {})", QuoteLiteral(text), ToSql(column.type));
}

Result<std::unique_ptr<RowReader>> ReaderSource::Open() {
    if (!reader_) return Corrupt("rows of the source were asked for twice");
    return std::move(reader_);
}

}  // namespace biwa
