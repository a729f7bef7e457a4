#include "transform/run/table_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

constexpr std::uint64_t kRowsRead = 10'000;
// Values that have to be made a text first may be large, and so many of them are in memory at once.
constexpr std::uint64_t kNestedRowsRead = 500;

}  // namespace

Result<std::uint64_t> TableBytes(WriteTransaction& transaction, const TableName& table,
                                 std::uint64_t rows) {
    if (rows == 0) return std::uint64_t{0};
    std::uint64_t width = 0;
    std::string lengths;
    auto rows_read = std::min(rows, kRowsRead);
    for (const auto& column : BIWA_TRY(transaction.Widths(table))) {
        using Kind = ColumnWidth::Kind;
        width += column.bytes;
        if (column.kind == Kind::kFixed) continue;
        if (column.kind == Kind::kNested) rows_read = std::min(rows, kNestedRowsRead);
        const auto name = QuoteIdentifier(column.name);
        lengths += column.kind == Kind::kBytes
                       ? fmt::format(" + coalesce(octet_length({}), 0)", name)
                       : fmt::format(" + coalesce(strlen({}::VARCHAR), 0)", name);
    }
    if (lengths.empty()) return rows * width;
    const auto read = BIWA_TRY(
        ReadCount(transaction, fmt::format("SELECT sum(0{})::BIGINT FROM (SELECT * FROM {} "
                                           "LIMIT {})",
                                           lengths, table.ToSql(), rows_read)));
    return rows * width +
           static_cast<std::uint64_t>(static_cast<double>(read) * static_cast<double>(rows) /
                                      static_cast<double>(rows_read));
}

}  // namespace biwa::transform
