#include "project/secrets.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/file.h"
#include "base/text.h"
#include "project/project.h"

namespace biwa {

namespace {

constexpr std::uintmax_t kSecretBytesMax = 64 << 10;

bool IsVariableName(std::string_view name) {
    if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
    for (const char c : name) {
        const bool good =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!good) return false;
    }
    return true;
}

Result<std::string> ReadReference(const SecretReference& reference,
                                  const std::filesystem::path& root) {
    if (reference.kind == SecretReference::Kind::kEnvironment) {
        const char* value = std::getenv(reference.target.c_str());
        if (value == nullptr || *value == '\0') {
            return UserError(fmt::format("${{env:{}}}: the environment variable {} is not set",
                                         reference.target, reference.target),
                             fmt::format("Set it for the process that runs biwa: export {}=…",
                                         reference.target));
        }
        return std::string(value);
    }
    const auto path = root / reference.target;  // an absolute target replaces the root
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        return UserError(
            fmt::format("${{file:{}}}: there is no file {}", reference.target, path.string()),
            "Write the secret into that file, readable by its owner only (chmod 600).");
    }
    if (const auto size = std::filesystem::file_size(path, error);
        !error && size > kSecretBytesMax) {
        return UserError(fmt::format("${{file:{}}}: a file of {} is no secret", reference.target,
                                     HumanBytes(size)));
    }
    auto content = BIWA_TRY(ReadFile(path));
    if (!content.empty() && content.back() == '\n') content.pop_back();
    if (!content.empty() && content.back() == '\r') content.pop_back();
    if (content.empty()) {
        return UserError(fmt::format("${{file:{}}}: {} is empty", reference.target, path.string()));
    }
    return content;
}

// RFC 3986, section 2.1: all but the unreserved characters.
std::string PercentEncode(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        encoded +=
            plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

}  // namespace

Result<std::vector<SecretReference>> FindReferences(std::string_view text) {
    std::vector<SecretReference> references;
    for (std::size_t at = 0; (at = text.find("${", at)) != std::string_view::npos;) {
        const auto end = text.find('}', at);
        if (end == std::string_view::npos) {
            return UserError("a reference that begins with \"${\" is not closed with \"}\"");
        }
        const auto inside = text.substr(at + 2, end - at - 2);
        SecretReference reference;
        reference.begin = at;
        reference.size = end + 1 - at;
        if (inside.substr(0, 4) == "env:") {
            reference.target = inside.substr(4);
            if (!IsVariableName(reference.target)) {
                return UserError(
                    "${env:…} needs the name of an environment variable (letters, digits, _)");
            }
        } else if (inside.substr(0, 5) == "file:") {
            reference.kind = SecretReference::Kind::kFile;
            reference.target = inside.substr(5);
            if (reference.target.empty() || reference.target.find('\0') != std::string::npos) {
                return UserError("${file:…} needs the path of a file");
            }
        } else {
            return UserError(
                "a reference is written ${env:NAME} or ${file:/path}, and this \"${…}\" is "
                "neither");
        }
        references.push_back(std::move(reference));
        at = end + 1;
    }
    return references;
}

bool IsReference(std::string_view text) {
    const auto references = FindReferences(text);
    return references && references->size() == 1 && references->front().size == text.size();
}

bool HoldsLiteralPassword(std::string_view text) {
    // Without its references the text shows as a password what is written out.
    std::string rest(text);
    if (const auto references = FindReferences(text)) {
        for (auto it = references->rbegin(); it != references->rend(); ++it) {
            rest.erase(it->begin, it->size);
        }
    }
    if (const auto scheme = rest.find("://"); scheme != std::string::npos) {
        const auto begin = scheme + 3;
        // A password may hold "/" by mistake; the host begins behind the last "@" in any case.
        auto end = rest.find('@', begin);
        for (auto next = end; next != std::string::npos; next = rest.find('@', next + 1)) {
            if (rest.find_first_of("?#", begin) < next) break;
            end = next;
        }
        if (end != std::string::npos) {
            const auto colon = rest.find(':', begin);
            if (colon < end && colon + 1 < end) return true;
        }
    }
    for (std::size_t at = 0; (at = rest.find("password", at)) != std::string::npos;) {
        at += 8;
        auto value = rest.find_first_not_of(' ', at);
        if (value == std::string::npos || rest[value] != '=') continue;
        value = rest.find_first_not_of(' ', value + 1);
        if (value != std::string::npos && rest[value] != '&') return true;
    }
    return false;
}

Result<std::string> ResolveReferences(std::string_view text, const std::filesystem::path& root) {
    std::string resolved;
    std::size_t at = 0;
    const auto references = BIWA_TRY(FindReferences(text));
    for (const auto& reference : references) {
        const auto secret = BIWA_TRY(ReadReference(reference, root));
        const bool in_url = text.substr(0, reference.begin).find("://") != std::string_view::npos;
        resolved += text.substr(at, reference.begin - at);
        resolved += in_url ? PercentEncode(secret) : secret;
        at = reference.begin + reference.size;
    }
    resolved += text.substr(at);
    return resolved;
}

Result<std::map<std::string, std::string>> ResolveSecrets(const Project& project,
                                                          const ConnectionConfig& connection) {
    std::map<std::string, std::string> resolved;
    for (const auto& [name, value] : connection.settings) {
        auto text = ResolveReferences(value, project.root);
        if (!text) {
            return Within(fmt::format("{}: {}", connection.location.file, name), text.error());
        }
        resolved[name] = std::move(*text);
    }
    return resolved;
}

}  // namespace biwa
