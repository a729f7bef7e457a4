#include "server/http/message.h"

#include "base/check.h"
#include "base/text.h"
#include "query/json_writer.h"

namespace biwa::http {

namespace {

int StatusOf(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::kUser:
            return 400;
        case ErrorKind::kConflict:
            return 409;
        case ErrorKind::kUnavailable:
            return 503;
        case ErrorKind::kCorrupt:
            return 500;
    }
    BIWA_CHECK(false);
    return 500;
}

int HexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string_view Request::Header(std::string_view name) const {
    for (const auto& header : headers) {
        if (header.first == name) return header.second;
    }
    return {};
}

std::optional<std::string> PathOfTarget(std::string_view target) {
    target = target.substr(0, target.find_first_of("?#"));
    if (target.empty() || target.front() != '/') return std::nullopt;
    std::string path;
    path.reserve(target.size());
    for (std::size_t i = 0; i < target.size(); ++i) {
        char c = target[i];
        if (c == '%') {
            if (i + 2 >= target.size()) return std::nullopt;
            const int high = HexDigit(target[i + 1]);
            const int low = HexDigit(target[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
        path += c;
    }
    if (!IsValidUtf8(path)) return std::nullopt;
    return path;
}

Response ErrorResponse(const Error& error, int status) {
    Response response;
    response.status = status != 0 ? status : StatusOf(error.kind);
    response.body = "{\"error\":" + ErrorToJson(error) + "}";
    return response;
}

Response JsonResponse(std::string json) {
    Response response;
    response.body = std::move(json);
    return response;
}

}  // namespace biwa::http
