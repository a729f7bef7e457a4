// Reads bytes of MySQL's protocol and binary log from their front: numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace biwa::mysql {

// `size` bytes, at most eight, as a little-endian number.
inline std::uint64_t LoadLittleEndian(const char* bytes, std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, size);
    return value;
}
inline std::uint64_t LoadBigEndian(const char* bytes, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

// After the end everything reads as zero and ok() is false.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    template <typename T>
    T Number() {
        return static_cast<T>(Number(sizeof(T)));
    }
    std::uint64_t Number(std::size_t size) {
        const auto bytes = Bytes(size);
        return ok_ ? LoadLittleEndian(bytes.data(), size) : 0;
    }
    // A number in one, three, four or nine bytes ("length-encoded integer").
    std::uint64_t Packed() {
        const auto first = Number<std::uint8_t>();
        switch (first) {
            case 0xfc:
                return Number(2);
            case 0xfd:
                return Number(3);
            case 0xfe:
                return Number(8);
            case 0xfb:  // NULL, where a value may stand
            case 0xff:
                Fail();
                return 0;
            default:
                return first;
        }
    }
    std::string_view PackedText() { return Bytes(Packed()); }
    std::string_view Bytes(std::uint64_t size) {
        if (size > rest_.size()) {
            Fail();
            return {};
        }
        const auto bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    std::string_view TakeRest() { return Bytes(rest_.size()); }
    void Fail() {
        ok_ = false;
        rest_ = {};
    }

    bool ok() const { return ok_; }
    bool empty() const { return rest_.empty(); }
    // Everything was there, and nothing more.
    bool at_end() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace biwa::mysql
