// References to secrets: ${env:NAME} and ${file:/path}. Nothing here ever prints a secret.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace biwa {

struct SecretReference {
    enum class Kind { kEnvironment, kFile };
    Kind kind = Kind::kEnvironment;
    std::string target;     // the variable's name or the file's path
    std::size_t begin = 0;  // where "${" stands in the text
    std::size_t size = 0;   // up to and with "}"
};

// The references in a text, from left to right. The error says what is wrong with one of them, and
// shows nothing but its first word.
Result<std::vector<SecretReference>> FindReferences(std::string_view text);

// The text is one reference and nothing else.
bool IsReference(std::string_view text);

// A URL ("x://user:password@host") or a text of "password=…" holds a password that is no reference.
bool HoldsLiteralPassword(std::string_view text);

// The text with every reference replaced. Within a URL the secret is percent-encoded.
Result<std::string> ResolveReferences(std::string_view text, const std::filesystem::path& root);

}  // namespace biwa
