#include "server/http/static_files.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>

namespace biwa::http {

namespace {

std::string MakeEtag(std::string_view content) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest.data());
    std::string etag = "\"";
    for (std::size_t i = 0; i < 12; ++i) etag += fmt::format("{:02x}", digest[i]);
    return etag + "\"";
}

bool AcceptsGzip(std::string_view header) {
    while (!header.empty()) {
        const auto comma = header.find(',');
        auto coding = header.substr(0, comma);
        while (coding.starts_with(' ')) coding.remove_prefix(1);
        if (coding.starts_with("gzip")) {
            const bool refused = coding.find("q=0") != std::string_view::npos &&
                                 coding.find("q=0.") == std::string_view::npos;
            return !refused;
        }
        if (comma == std::string_view::npos) break;
        header.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace

StaticFiles::StaticFiles(std::span<const StaticFile> files) {
    for (const auto& file : files) entries_[file.path] = {file, MakeEtag(file.content)};
}

Response StaticFiles::Find(const Request& request) const {
    if (request.method != "GET" && request.method != "HEAD") {
        auto refusal = ErrorResponse({ErrorKind::kUser, "this address can only be read", ""}, 405);
        refusal.headers.emplace_back("Allow", "GET, HEAD");
        return refusal;
    }
    auto found = entries_.find(request.path);
    // The page has addresses of its own, and names in them may have dots: /models/mart.daily. What
    // a person opens asks for HTML; a script or a picture that is missing is not the page.
    const auto last_part = request.path.substr(request.path.rfind('/') + 1);
    const bool is_opened = request.Header("accept").find("text/html") != std::string_view::npos;
    if (found == entries_.end() && (is_opened || last_part.find('.') == std::string::npos)) {
        found = entries_.find("/index.html");
    }
    if (found == entries_.end()) {
        return ErrorResponse(
            {ErrorKind::kUser, fmt::format("there is nothing at {}", request.path), ""}, 404);
    }
    const auto& [file, etag] = found->second;
    Response response;
    response.content_type = file.content_type;
    response.headers = {
        {"ETag", etag},
        {"Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache"},
        {"Vary", "Accept-Encoding"}};
    if (request.Header("if-none-match").find(etag) != std::string_view::npos) {
        response.status = 304;
        return response;
    }
    response.static_body = file.content;
    if (!file.gzip.empty() && AcceptsGzip(request.Header("accept-encoding"))) {
        response.static_body = file.gzip;
        response.headers.emplace_back("Content-Encoding", "gzip");
    }
    return response;
}

}  // namespace biwa::http
