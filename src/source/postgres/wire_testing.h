// For tests: PostgreSQL's bytes, by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace biwa::postgres {

inline std::string BigEndian(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
    return text;
}
inline std::string Int8(std::int64_t value) {
    return BigEndian(static_cast<std::uint64_t>(value), 1);
}
inline std::string Int16(std::int64_t value) {
    return BigEndian(static_cast<std::uint64_t>(value), 2);
}
inline std::string Int32(std::int64_t value) {
    return BigEndian(static_cast<std::uint64_t>(value), 4);
}
inline std::string Int64(std::int64_t value) {
    return BigEndian(static_cast<std::uint64_t>(value), 8);
}

inline std::string NumericBytes(const std::vector<int>& digits, int weight, int sign, int scale) {
    auto bytes = Int16(static_cast<std::int64_t>(digits.size())) + Int16(weight) + Int16(sign) +
                 Int16(scale);
    for (const int digit : digits) bytes += Int16(digit);
    return bytes;
}

inline std::string IntervalBytes(std::int32_t months, std::int32_t days, std::int64_t micros) {
    return Int64(micros) + Int32(days) + Int32(months);
}

using Elements = std::vector<std::optional<std::string>>;

inline std::string Field(const std::optional<std::string>& value) {
    return value ? Int32(static_cast<std::int64_t>(value->size())) + *value : Int32(-1);
}
inline std::string ArrayEmpty(std::uint32_t oid) { return Int32(0) + Int32(0) + Int32(oid); }
inline std::string Array1(std::uint32_t oid, const Elements& elements, int lower = 1) {
    auto bytes = Int32(1) + Int32(0) + Int32(oid) +
                 Int32(static_cast<std::int64_t>(elements.size())) + Int32(lower);
    for (const auto& element : elements) bytes += Field(element);
    return bytes;
}
inline std::string Array2(std::uint32_t oid, const Elements& elements, int columns) {
    auto bytes = Int32(2) + Int32(0) + Int32(oid) +
                 Int32(static_cast<std::int64_t>(elements.size()) / columns) + Int32(1) +
                 Int32(columns) + Int32(1);
    for (const auto& element : elements) bytes += Field(element);
    return bytes;
}

}  // namespace biwa::postgres
