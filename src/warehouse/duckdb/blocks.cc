#include "warehouse/duckdb/blocks.h"

#include "base/check.h"

namespace biwa::duck {

LogicalType ToLogicalType(const Type& type) {
    const auto simple = [](duckdb_type id) { return LogicalType(duckdb_create_logical_type(id)); };
    switch (type.id) {
        case TypeId::kBool:
            return simple(DUCKDB_TYPE_BOOLEAN);
        case TypeId::kInt16:
            return simple(DUCKDB_TYPE_SMALLINT);
        case TypeId::kInt32:
            return simple(DUCKDB_TYPE_INTEGER);
        case TypeId::kInt64:
            return simple(DUCKDB_TYPE_BIGINT);
        case TypeId::kInt128:
            return simple(DUCKDB_TYPE_HUGEINT);
        case TypeId::kFloat:
            return simple(DUCKDB_TYPE_FLOAT);
        case TypeId::kDouble:
            return simple(DUCKDB_TYPE_DOUBLE);
        case TypeId::kDecimal:
            return LogicalType(duckdb_create_decimal_type(type.width, type.scale));
        case TypeId::kText:
            return simple(DUCKDB_TYPE_VARCHAR);
        case TypeId::kBytes:
            return simple(DUCKDB_TYPE_BLOB);
        case TypeId::kJson: {
            auto json = simple(DUCKDB_TYPE_VARCHAR);
            duckdb_logical_type_set_alias(json.get(), "JSON");
            return json;
        }
        case TypeId::kDate:
            return simple(DUCKDB_TYPE_DATE);
        case TypeId::kTime:
            return simple(DUCKDB_TYPE_TIME);
        case TypeId::kTimestamp:
            return simple(DUCKDB_TYPE_TIMESTAMP);
        case TypeId::kTimestampTz:
            return simple(DUCKDB_TYPE_TIMESTAMP_TZ);
        case TypeId::kInterval:
            return simple(DUCKDB_TYPE_INTERVAL);
        case TypeId::kUuid:
            return simple(DUCKDB_TYPE_UUID);
        case TypeId::kList: {
            const auto element = ToLogicalType(*type.element);
            return LogicalType(duckdb_create_list_type(element.get()));
        }
    }
    BIWA_CHECK(false);
    return LogicalType();
}

std::optional<Type> FromLogicalType(duckdb_logical_type type) {
    switch (duckdb_get_type_id(type)) {
        case DUCKDB_TYPE_BOOLEAN:
            return Type{TypeId::kBool};
        case DUCKDB_TYPE_SMALLINT:
            return Type{TypeId::kInt16};
        case DUCKDB_TYPE_INTEGER:
            return Type{TypeId::kInt32};
        case DUCKDB_TYPE_BIGINT:
            return Type{TypeId::kInt64};
        case DUCKDB_TYPE_HUGEINT:
            return Type{TypeId::kInt128};
        case DUCKDB_TYPE_FLOAT:
            return Type{TypeId::kFloat};
        case DUCKDB_TYPE_DOUBLE:
            return Type{TypeId::kDouble};
        case DUCKDB_TYPE_DECIMAL:
            return Type::Decimal(duckdb_decimal_width(type), duckdb_decimal_scale(type));
        case DUCKDB_TYPE_VARCHAR:
            return Type{TakeString(duckdb_logical_type_get_alias(type)) == "JSON" ? TypeId::kJson
                                                                                  : TypeId::kText};
        case DUCKDB_TYPE_BLOB:
            return Type{TypeId::kBytes};
        case DUCKDB_TYPE_DATE:
            return Type{TypeId::kDate};
        case DUCKDB_TYPE_TIME:
            return Type{TypeId::kTime};
        case DUCKDB_TYPE_TIMESTAMP:
            return Type{TypeId::kTimestamp};
        case DUCKDB_TYPE_TIMESTAMP_TZ:
            return Type{TypeId::kTimestampTz};
        case DUCKDB_TYPE_INTERVAL:
            return Type{TypeId::kInterval};
        case DUCKDB_TYPE_UUID:
            return Type{TypeId::kUuid};
        case DUCKDB_TYPE_LIST: {
            const LogicalType child(duckdb_list_type_child_type(type));
            auto element = FromLogicalType(child.get());
            if (!element) return std::nullopt;
            return Type::List(std::move(*element));
        }
        default:
            return std::nullopt;
    }
}

const char* StandInFor(duckdb_logical_type type) {
    switch (duckdb_get_type_id(type)) {
        case DUCKDB_TYPE_TINYINT:
        case DUCKDB_TYPE_UTINYINT:
            return "SMALLINT";
        case DUCKDB_TYPE_USMALLINT:
            return "INTEGER";
        case DUCKDB_TYPE_UINTEGER:
            return "BIGINT";
        case DUCKDB_TYPE_UBIGINT:
            return "HUGEINT";
        case DUCKDB_TYPE_TIMESTAMP_S:
        case DUCKDB_TYPE_TIMESTAMP_MS:
            return "TIMESTAMP";
        default:
            return "VARCHAR";
    }
}

ChunkBlock::ChunkBlock(const std::vector<Column>& columns) {
    for (const auto& column : columns) {
        auto& cells = block_.columns.emplace_back();
        cells.type = column.type;
    }
    for (auto& cells : block_.columns) cells.owner = &owners_.emplace_back();
}

RowBlock& ChunkBlock::ForWriting(duckdb_data_chunk chunk) {
    for (std::size_t i = 0; i < owners_.size(); ++i) {
        Point(owners_[i], block_.columns[i], duckdb_data_chunk_get_vector(chunk, i), false);
    }
    block_.rows = 0;
    return block_;
}

const RowBlock& ChunkBlock::ForReading(duckdb_data_chunk chunk) {
    for (std::size_t i = 0; i < owners_.size(); ++i) {
        Point(owners_[i], block_.columns[i], duckdb_data_chunk_get_vector(chunk, i), true);
    }
    block_.rows = duckdb_data_chunk_get_size(chunk);
    return block_;
}

void ChunkBlock::Point(VectorOwner& owner, Cells& cells, duckdb_vector vector, bool for_reading) {
    owner.vector = vector;
    cells.data = static_cast<std::byte*>(duckdb_vector_get_data(vector));
    // A vector to be filled starts with nothing NULL and so without a bitmap.
    cells.validity = for_reading ? duckdb_vector_get_validity(vector) : nullptr;
    cells.child_size = 0;
    if (cells.type.id != TypeId::kList) return;
    if (!owner.child) {
        owner.child = std::make_unique<VectorOwner>();
        owner.child_cells.type = *cells.type.element;
        owner.child_cells.owner = owner.child.get();
        cells.child = &owner.child_cells;
    }
    Point(*owner.child, owner.child_cells, duckdb_list_vector_get_child(vector), for_reading);
    if (for_reading) cells.child_size = duckdb_list_vector_get_size(vector);
}

void ChunkBlock::VectorOwner::MakeValidity(Cells& cells) {
    duckdb_vector_ensure_validity_writable(vector);
    cells.validity = duckdb_vector_get_validity(vector);
}

Cells& ChunkBlock::VectorOwner::GrowChild(Cells& cells, std::size_t size) {
    duckdb_list_vector_reserve(vector, size);
    duckdb_list_vector_set_size(vector, size);
    cells.child_size = size;
    child_cells.data = static_cast<std::byte*>(duckdb_vector_get_data(child->vector));
    if (child_cells.validity != nullptr) {
        child_cells.validity = duckdb_vector_get_validity(child->vector);
    }
    return child_cells;
}

}  // namespace biwa::duck
