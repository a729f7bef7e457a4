// Small results of the warehouse, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

using TextRow = std::vector<std::optional<std::string>>;  // NULL is nullopt

// The rows of a result whose columns are all text.
Result<std::vector<TextRow>> ReadTexts(RowStream& stream);

// The number that a query gives; 0 where it gives no row. `Connection` is a WriteTransaction or a
// ReadSession.
template <typename Connection>
Result<std::uint64_t> ReadCount(Connection& connection, std::string_view sql) {
    const auto stream = BIWA_TRY(connection.Query(sql));
    std::uint64_t count = 0;
    while (const RowBlock* block = BIWA_TRY(stream->Next())) {
        if (block->rows > 0)
            count = static_cast<std::uint64_t>(block->columns[0].template Get<std::int64_t>(0));
    }
    return count;
}

struct TableColumn {
    std::string name;
    std::string type;  // as the engine writes it
};

// The columns of a table, view or "(query)", in their order.
Result<std::vector<TableColumn>> DescribeColumns(WriteTransaction& transaction,
                                                 const std::string& table);

// To a table of ours that an older version has made without it. Whether it had to be added.
Result<bool> AddMissingColumn(WriteTransaction& transaction, const TableName& table,
                              const TableColumn& column);

}  // namespace biwa::transform
