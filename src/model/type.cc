#include "model/type.h"

#include <fmt/format.h>

#include "base/check.h"

namespace biwa {

bool operator==(const Type& a, const Type& b) {
    if (a.id != b.id || a.width != b.width || a.scale != b.scale) return false;
    if (!a.element || !b.element) return !a.element && !b.element;
    return *a.element == *b.element;
}

std::size_t CellBytes(const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return 1;
        case TypeId::kInt16:
            return 2;
        case TypeId::kInt32:
        case TypeId::kFloat:
        case TypeId::kDate:
            return 4;
        case TypeId::kInt64:
        case TypeId::kDouble:
        case TypeId::kTime:
        case TypeId::kTimestamp:
        case TypeId::kTimestampTz:
            return 8;
        case TypeId::kInt128:
        case TypeId::kText:
        case TypeId::kBytes:
        case TypeId::kJson:
        case TypeId::kInterval:
        case TypeId::kUuid:
        case TypeId::kList:
            return 16;
        case TypeId::kDecimal:
            return type.width <= 4 ? 2 : type.width <= 9 ? 4 : type.width <= 18 ? 8 : 16;
    }
    BIWA_CHECK(false);
    return 0;
}

std::string ToSql(const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return "BOOLEAN";
        case TypeId::kInt16:
            return "SMALLINT";
        case TypeId::kInt32:
            return "INTEGER";
        case TypeId::kInt64:
            return "BIGINT";
        case TypeId::kInt128:
            return "HUGEINT";
        case TypeId::kFloat:
            return "FLOAT";
        case TypeId::kDouble:
            return "DOUBLE";
        case TypeId::kDecimal:
            return fmt::format("DECIMAL({},{})", type.width, type.scale);
        case TypeId::kText:
            return "VARCHAR";
        case TypeId::kBytes:
            return "BLOB";
        case TypeId::kJson:
            return "JSON";
        case TypeId::kDate:
            return "DATE";
        case TypeId::kTime:
            return "TIME";
        case TypeId::kTimestamp:
            return "TIMESTAMP";
        case TypeId::kTimestampTz:
            return "TIMESTAMP WITH TIME ZONE";
        case TypeId::kInterval:
            return "INTERVAL";
        case TypeId::kUuid:
            return "UUID";
        case TypeId::kList:
            return ToSql(*type.element) + "[]";
    }
    BIWA_CHECK(false);
    return {};
}

}  // namespace biwa
