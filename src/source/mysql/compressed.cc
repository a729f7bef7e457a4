#include "source/mysql/compressed.h"

#include <libdeflate.h>

#include <cstdint>
#include <memory>

#include "source/mysql/byte_reader.h"

namespace biwa::mysql {

namespace {

// The largest packet there is: what claims to unpack to more is none.
constexpr std::uint64_t kUncompressedMax = 1U << 30;
constexpr unsigned kZlib = 0x80, kIsRaw = 0x08, kLengthBytes = 0x07;

}  // namespace

Result<std::string_view> Uncompress(std::string_view bytes, std::string& buffer) {
    ByteReader reader(bytes);
    const unsigned head = reader.Number<std::uint8_t>();
    const std::size_t length_bytes = head & kLengthBytes;
    const auto length_text = reader.Bytes(length_bytes);
    const bool is_zlib = (head & ~(kIsRaw | kLengthBytes)) == kZlib;
    if (!reader.ok() || !is_zlib || length_bytes == 0 || length_bytes > 4) {
        return Corrupt("compressed data of the binary log has a header that is not known");
    }
    const auto length = LoadBigEndian(length_text.data(), length_bytes);
    const auto packed = reader.TakeRest();
    // A byte becomes about a thousand at the most.
    if (length > kUncompressedMax || length > (packed.size() + 16) * 1032) {
        return Corrupt("compressed data of the binary log claims an impossible length");
    }
    buffer.resize(length);
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    const auto uncompress =
        (head & kIsRaw) != 0 ? libdeflate_deflate_decompress : libdeflate_zlib_decompress;
    // Without a place for the size that came out it has to be all of the buffer.
    if (!decompressor || uncompress(decompressor.get(), packed.data(), packed.size(), buffer.data(),
                                    buffer.size(), nullptr) != LIBDEFLATE_SUCCESS) {
        return Corrupt("compressed data of the binary log cannot be uncompressed");
    }
    return std::string_view(buffer);
}

Result<std::string_view> UncompressValue(std::string_view bytes, std::string& buffer) {
    if (bytes.empty()) return bytes;
    if (bytes[0] == 0) return bytes.substr(1);
    return Uncompress(bytes, buffer);
}

}  // namespace biwa::mysql
