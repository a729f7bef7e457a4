// The types of values that travel through Biwa, and how one value lies in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace biwa {

// A cell is the fixed-width slot of one value in a column. The layouts are those of DuckDB's
// vectors (duckdb.h, "Types"), so that a reader can decode straight into the warehouse's memory.
enum class TypeId : std::uint8_t {
    kBool,         // 1 byte, 0 or 1
    kInt16,        //
    kInt32,        //
    kInt64,        //
    kInt128,       // 16 bytes, Int128
    kFloat,        //
    kDouble,       //
    kDecimal,      // value * 10^scale in 2, 4, 8 or 16 bytes: width <= 4, 9, 18, 38
    kText,         // StringCell, UTF-8
    kBytes,        // StringCell
    kJson,         // StringCell, UTF-8
    kDate,         // int32, days since 1970-01-01; INT32_MAX and -INT32_MAX are the infinities
    kTime,         // int64, microseconds since midnight
    kTimestamp,    // int64, microseconds since 1970-01-01 00:00; INT64_MAX, -INT64_MAX infinite
    kTimestampTz,  // the same, of UTC
    kInterval,     // IntervalCell
    kUuid,         // Int128: the big-endian number with its top bit flipped
    kList,         // ListCell into a child column
};

struct Int128 {
    std::uint64_t low;
    std::int64_t high;
    friend bool operator==(const Int128&, const Int128&) = default;
};

struct IntervalCell {
    std::int32_t months;
    std::int32_t days;
    std::int64_t micros;
};

struct ListCell {
    std::uint64_t offset;
    std::uint64_t length;
};

// A "German string" (Neumann and Freitag, Umbra, CIDR 2020): up to 12 bytes lie in the cell itself,
// a longer one has its first four bytes here and all of them behind the pointer.
struct StringCell {
    static constexpr std::uint32_t kInlineMax = 12;

    union {
        struct {
            std::uint32_t length;
            char prefix[4];
            const char* pointer;
        };
        struct {
            std::uint32_t length_again;
            char inlined[12];
        };
    };

    // The bytes must outlive the cell when they are more than kInlineMax.
    static StringCell Of(const char* bytes, std::size_t size) {
        StringCell cell;
        cell.length = static_cast<std::uint32_t>(size);
        if (size > kInlineMax) {
            std::memcpy(cell.prefix, bytes, sizeof cell.prefix);
            cell.pointer = bytes;
            return cell;
        }
        std::memset(cell.inlined, 0, sizeof cell.inlined);
        if (size > 0) std::memcpy(cell.inlined, bytes, size);
        return cell;
    }
    std::string_view view() const { return {length <= kInlineMax ? inlined : pointer, length}; }
};
static_assert(sizeof(StringCell) == 16);

struct Type {
    TypeId id = TypeId::kText;
    std::uint8_t width = 0;                         // kDecimal: digits in all, 1..38
    std::uint8_t scale = 0;                         // kDecimal: digits behind the point
    std::shared_ptr<const Type> element = nullptr;  // kList

    static Type Decimal(int width, int scale) {
        return {TypeId::kDecimal, static_cast<std::uint8_t>(width),
                static_cast<std::uint8_t>(scale), nullptr};
    }
    static Type List(Type element) {
        return {TypeId::kList, 0, 0, std::make_shared<const Type>(std::move(element))};
    }
    friend bool operator==(const Type& a, const Type& b);
};

// Bytes of one cell.
std::size_t CellBytes(const Type& type);

inline bool IsString(const Type& type) {
    return type.id == TypeId::kText || type.id == TypeId::kBytes || type.id == TypeId::kJson;
}

// The name in SQL, as DuckDB writes it: "BIGINT", "DECIMAL(10,2)", "VARCHAR[]".
std::string ToSql(const Type& type);

}  // namespace biwa
