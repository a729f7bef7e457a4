// The target and the headers of a request: they end in a path that is safe to use, or a refusal.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "server/http/guard.h"
#include "server/http/routes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace biwa::http;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto path = PathOfTarget(text)) {
        BIWA_CHECK(!path->empty() && path->front() == '/' && biwa::IsValidUtf8(*path));
        BIWA_CHECK(std::none_of(path->begin(), path->end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        }));
        for (const auto* method : {"GET", "POST", "DELETE"}) {
            const auto match = FindRoute(method, *path);
            if (!match || match->route == nullptr) continue;
            BIWA_CHECK(match->parameter.find('/') == std::string::npos);
        }
    }
    // The input again, as each header that is looked at.
    static const GuardOptions options{.token = "secret", .host_names = {"biwa.example"}};
    Request request;
    request.method = "POST";
    request.body = "{}";
    for (const auto* name : {"host", "origin", "content-type", "authorization"}) {
        request.headers.emplace_back(name, std::string(text));
    }
    (void)RefuseForeign(request, options);
    BIWA_CHECK(RefuseWithoutToken(request, options).has_value() == (text != "Bearer secret"));
    return 0;
}
