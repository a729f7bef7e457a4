// Reading PostgreSQL's binary forms from the front: numbers in network byte order, fields with a
// length before them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace biwa::postgres {

// `bytes` must have room for a T.
template <typename T>
T LoadBigEndian(const char* bytes) {
    if constexpr (sizeof(T) == 1) {
        return static_cast<T>(*bytes);
    } else if constexpr (sizeof(T) == 2) {
        std::uint16_t raw;
        std::memcpy(&raw, bytes, sizeof raw);
        return std::bit_cast<T>(__builtin_bswap16(raw));
    } else if constexpr (sizeof(T) == 4) {
        std::uint32_t raw;
        std::memcpy(&raw, bytes, sizeof raw);
        return std::bit_cast<T>(__builtin_bswap32(raw));
    } else {
        static_assert(sizeof(T) == 8);
        std::uint64_t raw;
        std::memcpy(&raw, bytes, sizeof raw);
        return std::bit_cast<T>(__builtin_bswap64(raw));
    }
}

// Of a value that is nothing else.
template <typename T>
bool ReadWhole(std::string_view bytes, T& value) {
    if (bytes.size() != sizeof(T)) return false;
    value = LoadBigEndian<T>(bytes.data());
    return true;
}

// Reads from the front of a value; false where the bytes do not reach, and then nothing is read.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    template <typename T>
    bool Number(T& value) {
        if (rest_.size() < sizeof(T)) return false;
        value = LoadBigEndian<T>(rest_.data());
        rest_.remove_prefix(sizeof(T));
        return true;
    }
    bool Bytes(std::size_t size, std::string_view& bytes) {
        if (size > rest_.size()) return false;
        bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }
    // int32 length (-1: NULL) and so many bytes.
    bool Field(std::optional<std::string_view>& field) {
        std::int32_t length = 0;
        if (!Number(length) || length < -1) return false;
        field.reset();
        if (length == -1) return true;
        std::string_view bytes;
        if (!Bytes(static_cast<std::size_t>(length), bytes)) return false;
        field = bytes;
        return true;
    }
    // A text that ends with a zero byte.
    bool Text(std::string_view& text) {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos) return false;
        text = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return true;
    }
    std::string_view rest() const { return rest_; }
    bool at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

// The head of array_send: int32 dimensions, int32 has-nulls, oid of the element; for each dimension
// int32 size and int32 lower bound. The elements follow, each a Field.
struct ArrayHeader {
    static constexpr int kDimensionsMax = 6;  // MAXDIM of PostgreSQL

    int dimensions = 0;
    std::int32_t sizes[kDimensionsMax] = {};
    std::int32_t lower_bounds[kDimensionsMax] = {};
    std::size_t elements = 0;

    bool Read(ByteReader& reader) {
        std::int32_t has_nulls = 0;
        std::uint32_t element = 0;
        if (!reader.Number(dimensions) || !reader.Number(has_nulls) || !reader.Number(element) ||
            dimensions < 0 || dimensions > kDimensionsMax) {
            return false;
        }
        elements = dimensions == 0 ? 0 : 1;
        for (int i = 0; i < dimensions; ++i) {
            // Of several dimensions none is empty, or else the others could be of any size.
            if (!reader.Number(sizes[i]) || !reader.Number(lower_bounds[i]) ||
                sizes[i] < (dimensions == 1 ? 0 : 1) ||
                __builtin_mul_overflow(elements, static_cast<std::size_t>(sizes[i]), &elements)) {
                return false;
            }
        }
        // Each element takes four bytes at least: what says otherwise must not make us allocate.
        return elements <= reader.rest().size() / 4;
    }
};

}  // namespace biwa::postgres
