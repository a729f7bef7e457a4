#include "server/http/guard.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace biwa::http {

namespace {

std::string Lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return lower;
}

bool IsAddress(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes;
    return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

bool IsOwnHost(std::string_view header, const GuardOptions& options) {
    const auto host = HostWithoutPort(header);
    return IsAddress(host) || host == "localhost" ||
           std::find(options.host_names.begin(), options.host_names.end(), host) !=
               options.host_names.end();
}

bool IsJson(std::string_view content_type) {
    return Lower(Trim(content_type.substr(0, content_type.find(';')))) == "application/json";
}

// Compared by digest, so that neither the time nor the length tells how near a guess is.
bool IsSameSecret(std::string_view a, std::string_view b) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest_a;
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest_b;
    SHA256(reinterpret_cast<const unsigned char*>(a.data()), a.size(), digest_a.data());
    SHA256(reinterpret_cast<const unsigned char*>(b.data()), b.size(), digest_b.data());
    return CRYPTO_memcmp(digest_a.data(), digest_b.data(), digest_a.size()) == 0;
}

Response Refusal(int status, std::string message, std::string hint) {
    return ErrorResponse({ErrorKind::kUser, std::move(message), std::move(hint)}, status);
}

}  // namespace

std::string HostWithoutPort(std::string_view host) {
    if (host.starts_with('[')) {
        const auto end = host.find(']');
        return end == std::string_view::npos ? "" : Lower(host.substr(1, end - 1));
    }
    return Lower(host.substr(0, host.find(':')));
}

std::optional<Response> RefuseForeign(const Request& request, const GuardOptions& options) {
    const auto host = request.Header("host");
    if (!IsOwnHost(host, options)) {
        return Refusal(403, fmt::format("this server is not \"{}\"", host),
                       "Use the address that Biwa printed when it started.");
    }
    const auto origin = request.Header("origin");
    const auto site = request.Header("sec-fetch-site");
    // Only the host is compared: behind a proxy that ends TLS the scheme is another.
    const auto scheme_end = origin.find("://");
    const bool same_origin =
        origin.empty() || (scheme_end != std::string_view::npos &&
                           Lower(origin.substr(scheme_end + 3)) == Lower(host));
    // Following a link to the page from elsewhere is fine; asking the API from elsewhere is not.
    const bool is_foreign_fetch =
        site == "cross-site" && request.Header("sec-fetch-mode") != "navigate";
    if (!same_origin || is_foreign_fetch) {
        return Refusal(403, "requests from other sites' pages are not answered",
                       "Open Biwa's own page, or call the API from a program.");
    }
    if (!request.body.empty() && !IsJson(request.Header("content-type"))) {
        return Refusal(415, "the body of a request must be JSON",
                       "Send the header Content-Type: application/json.");
    }
    return std::nullopt;
}

std::optional<Response> RefuseWithoutToken(const Request& request, const GuardOptions& options) {
    constexpr std::string_view kBearer = "Bearer ";
    const auto header = request.Header("authorization");
    if (!options.token.empty() && header.starts_with(kBearer) &&
        IsSameSecret(header.substr(kBearer.size()), options.token)) {
        return std::nullopt;
    }
    auto refusal =
        Refusal(401, "this changes something and needs the instance's token",
                "Send Authorization: Bearer TOKEN with the token of .biwa/server.json, or "
                "use the command line, which does.");
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
}

}  // namespace biwa::http
