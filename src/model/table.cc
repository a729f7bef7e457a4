#include "model/table.h"

#include "base/text.h"

namespace biwa {

std::string TableName::ToSql() const {
    return QuoteIdentifier(dataset) + "." + QuoteIdentifier(name);
}

std::optional<std::size_t> TableSchema::Find(std::string_view column) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].name == column) return i;
    }
    return std::nullopt;
}

std::vector<std::string> TableSchema::ColumnNames() const {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const auto& column : columns) names.push_back(column.name);
    return names;
}

}  // namespace biwa
