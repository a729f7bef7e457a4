// Texts that only who has the key of a stream's masks can read: AES-256-GCM under
// HMAC-SHA-256(key, "biwa sealed text"), as hex of 12 bytes of nonce, the text, 16 bytes of tag.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace biwa {

std::string Seal(std::string_view key, std::string_view text);
// kConflict: it was not sealed by this key.
Result<std::string> Unseal(std::string_view key, std::string_view sealed);

}  // namespace biwa
