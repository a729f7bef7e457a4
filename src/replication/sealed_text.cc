#include "replication/sealed_text.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>
#include <memory>

#include "base/check.h"
#include "replication/masking.h"

namespace biwa {

namespace {

constexpr int kNonceBytes = 12;
constexpr int kTagBytes = 16;

using Context = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>;

Context Begin(std::string_view key, const unsigned char* nonce, bool encrypts) {
    Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    const auto secret = KeyedHash(key).Digest("biwa sealed text");
    BIWA_CHECK(EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, secret.data(), nonce,
                                 encrypts ? 1 : 0) == 1);
    return context;
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::string Seal(std::string_view key, std::string_view text) {
    std::string sealed(kNonceBytes + text.size() + kTagBytes, '\0');
    BIWA_CHECK(RAND_bytes(Bytes(sealed), kNonceBytes) == 1);
    const auto context = Begin(key, Bytes(sealed), true);
    int size = 0;
    BIWA_CHECK(EVP_CipherUpdate(context.get(), Bytes(sealed) + kNonceBytes, &size,
                                reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size())) == 1);
    auto* const tag = Bytes(sealed) + kNonceBytes + text.size();
    BIWA_CHECK(EVP_CipherFinal_ex(context.get(), tag, &size) == 1 && size == 0);
    BIWA_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) == 1);
    std::string hex;
    for (const char byte : sealed) {
        hex += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
        hex += "0123456789abcdef"[byte & 0xf];
    }
    return hex;
}

Result<std::string> Unseal(std::string_view key, std::string_view sealed) {
    const auto refuse = [] {
        return Fail(ErrorKind::kConflict, "what was sealed cannot be opened with this mask_key");
    };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < sealed.size(); i += 2) {
        unsigned value = 0;
        const auto* const end = sealed.data() + i + 2;
        const auto parsed = std::from_chars(sealed.data() + i, end, value, 16);
        if (parsed.ptr != end) return refuse();
        bytes += static_cast<char>(value);
    }
    if (sealed.size() % 2 != 0 || bytes.size() < kNonceBytes + kTagBytes) return refuse();
    std::string text(bytes.size() - kNonceBytes - kTagBytes, '\0');
    const auto context = Begin(key, Bytes(bytes), false);
    auto* const tag = Bytes(bytes) + kNonceBytes + text.size();
    int size = 0;
    unsigned char nothing[EVP_MAX_BLOCK_LENGTH];
    const bool is_good =
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag) == 1 &&
        EVP_CipherUpdate(context.get(), Bytes(text), &size, Bytes(bytes) + kNonceBytes,
                         static_cast<int>(text.size())) == 1 &&
        EVP_CipherFinal_ex(context.get(), nothing, &size) == 1;
    if (!is_good) return refuse();
    return text;
}

}  // namespace biwa
