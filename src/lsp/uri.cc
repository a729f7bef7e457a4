#include "lsp/uri.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

namespace biwa::lsp {

std::optional<std::filesystem::path> PathOfUri(std::string_view uri) {
    for (const std::string_view scheme : {"file://localhost/", "file:///"}) {
        if (!uri.starts_with(scheme)) continue;
        const auto encoded = uri.substr(scheme.size() - 1);
        std::string path;
        for (std::size_t i = 0; i < encoded.size(); ++i) {
            unsigned byte = 0;
            const auto hex = encoded.substr(i + 1, 2);
            if (encoded[i] == '%' && hex.size() == 2 &&
                std::from_chars(hex.data(), hex.data() + 2, byte, 16).ptr == hex.data() + 2) {
                path += static_cast<char>(byte);
                i += 2;
            } else {
                path += encoded[i];
            }
        }
        if (path.find('\0') != std::string::npos) return std::nullopt;
        return std::filesystem::path(path).lexically_normal();
    }
    return std::nullopt;
}

std::string UriOfPath(const std::filesystem::path& path) {
    std::string uri = "file://";
    for (const char c : path.string()) {
        const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) || c == '/' || c == '-' ||
                              c == '_' || c == '.' || c == '~';
        uri += is_plain
                   ? std::string(1, c)
                   : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return uri;
}

}  // namespace biwa::lsp
