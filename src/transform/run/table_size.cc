#include "transform/run/table_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

constexpr std::uint64_t kRowsRead = 10'000;

// Of types whose values are all as wide; 0: of none such.
std::uint64_t WidthOf(std::string_view type) {
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 26> kWidths = {
        {{"BOOLEAN", 1},
         {"TINYINT", 1},
         {"UTINYINT", 1},
         {"SMALLINT", 2},
         {"USMALLINT", 2},
         {"INTEGER", 4},
         {"UINTEGER", 4},
         {"FLOAT", 4},
         {"DATE", 4},
         {"BIGINT", 8},
         {"UBIGINT", 8},
         {"DOUBLE", 8},
         {"TIME", 8},
         {"TIME_NS", 8},
         {"TIME WITH TIME ZONE", 8},
         {"TIMESTAMP", 8},
         {"TIMESTAMP_S", 8},
         {"TIMESTAMP_MS", 8},
         {"TIMESTAMP_NS", 8},
         {"TIMESTAMP WITH TIME ZONE", 8},
         {"HUGEINT", 16},
         {"UHUGEINT", 16},
         {"UUID", 16},
         {"INTERVAL", 16},
         {"NULL", 1},
         {"\"NULL\"", 1}}};
    for (const auto& [name, width] : kWidths) {
        if (name == type) return width;
    }
    if (type.starts_with("ENUM(")) return 4;
    // DECIMAL(18,3) and its like: 2, 4, 8 or 16 bytes by how many digits there are.
    if (!type.starts_with("DECIMAL(") || !type.ends_with(')')) return 0;
    const auto digits = std::stoi(std::string(type.substr(8)));
    return digits <= 4 ? 2 : digits <= 9 ? 4 : digits <= 18 ? 8 : 16;
}

}  // namespace

Result<std::uint64_t> TableBytes(WriteTransaction& transaction, const TableName& table,
                                 std::uint64_t rows) {
    if (rows == 0) return std::uint64_t{0};
    std::uint64_t width = 0;
    std::string lengths;
    for (const auto& column : BIWA_TRY(DescribeColumns(transaction, table.ToSql()))) {
        const auto fixed = WidthOf(column.type);
        width += fixed;
        if (fixed > 0) continue;
        const auto name = QuoteIdentifier(column.name);
        lengths += column.type == "BLOB" ? fmt::format(" + coalesce(octet_length({}), 0)", name)
                                         : fmt::format(" + coalesce(strlen({}::VARCHAR), 0)", name);
    }
    if (lengths.empty()) return rows * width;
    const auto read = BIWA_TRY(
        ReadCount(transaction, fmt::format("SELECT sum(0{})::BIGINT FROM (SELECT * FROM {} "
                                           "LIMIT {})",
                                           lengths, table.ToSql(), kRowsRead)));
    const auto part = std::min(rows, kRowsRead);
    return rows * width +
           static_cast<std::uint64_t>(static_cast<double>(read) * static_cast<double>(rows) /
                                      static_cast<double>(part));
}

}  // namespace biwa::transform
