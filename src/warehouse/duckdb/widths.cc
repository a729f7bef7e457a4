#include "warehouse/duckdb/widths.h"

#include "warehouse/duckdb/handles.h"
#include "warehouse/duckdb/session.h"

namespace biwa::duck {

namespace {

using Description = Handle<duckdb_table_description, duckdb_table_description_destroy>;

ColumnWidth Fixed(std::uint64_t bytes) { return {"", ColumnWidth::Kind::kFixed, bytes}; }

ColumnWidth WidthOf(duckdb_type type) {
    switch (type) {
        case DUCKDB_TYPE_BOOLEAN:
        case DUCKDB_TYPE_TINYINT:
        case DUCKDB_TYPE_UTINYINT:
        case DUCKDB_TYPE_SQLNULL:
            return Fixed(1);
        case DUCKDB_TYPE_SMALLINT:
        case DUCKDB_TYPE_USMALLINT:
            return Fixed(2);
        case DUCKDB_TYPE_INTEGER:
        case DUCKDB_TYPE_UINTEGER:
        case DUCKDB_TYPE_FLOAT:
        case DUCKDB_TYPE_DATE:
            return Fixed(4);
        case DUCKDB_TYPE_BIGINT:
        case DUCKDB_TYPE_UBIGINT:
        case DUCKDB_TYPE_DOUBLE:
        case DUCKDB_TYPE_TIME:
        case DUCKDB_TYPE_TIME_NS:
        case DUCKDB_TYPE_TIME_TZ:
        case DUCKDB_TYPE_TIMESTAMP:
        case DUCKDB_TYPE_TIMESTAMP_S:
        case DUCKDB_TYPE_TIMESTAMP_MS:
        case DUCKDB_TYPE_TIMESTAMP_NS:
        case DUCKDB_TYPE_TIMESTAMP_TZ:
            return Fixed(8);
        case DUCKDB_TYPE_HUGEINT:
        case DUCKDB_TYPE_UHUGEINT:
        case DUCKDB_TYPE_UUID:
        case DUCKDB_TYPE_INTERVAL:
            return Fixed(16);
        case DUCKDB_TYPE_VARCHAR:
            return {"", ColumnWidth::Kind::kText};
        case DUCKDB_TYPE_BLOB:
            return {"", ColumnWidth::Kind::kBytes};
        default:
            return {"", ColumnWidth::Kind::kNested};
    }
}

ColumnWidth WidthOf(duckdb_logical_type type) {
    const auto id = duckdb_get_type_id(type);
    if (id == DUCKDB_TYPE_DECIMAL) return WidthOf(duckdb_decimal_internal_type(type));
    if (id == DUCKDB_TYPE_ENUM) return WidthOf(duckdb_enum_internal_type(type));
    return WidthOf(id);
}

}  // namespace

Result<std::vector<ColumnWidth>> WidthsOf(duckdb_connection connection, const TableName& table) {
    Description description;
    if (duckdb_table_description_create(connection, table.dataset.c_str(), table.name.c_str(),
                                        description.out()) != DuckDBSuccess) {
        return tl::unexpected(
            EngineError(DUCKDB_ERROR_INVALID, duckdb_table_description_error(description.get())));
    }
    std::vector<ColumnWidth> widths;
    const auto count = duckdb_table_description_get_column_count(description.get());
    for (idx_t i = 0; i < count; ++i) {
        const LogicalType type(duckdb_table_description_get_column_type(description.get(), i));
        widths.push_back(WidthOf(type.get()));
        widths.back().name =
            TakeString(duckdb_table_description_get_column_name(description.get(), i));
    }
    return widths;
}

}  // namespace biwa::duck
