// A request and its answer, free of the library that reads and writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace biwa::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method;  // "GET"
    std::string path;    // percent-decoded; begins with "/"
    Headers headers;     // names in lower case
    std::string body;

    // The value of the first header of that name (in lower case), or "".
    std::string_view Header(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    // Instead of `body`: bytes that live as long as the server, so that they need not be copied.
    std::string_view static_body = {};
    Headers headers = {};
};

// The path of a request target ("/a%20b?c=d" -> "/a b"). Nothing when it does not begin with "/",
// has a broken escape, or decodes to control characters or to what is not UTF-8.
std::optional<std::string> PathOfTarget(std::string_view target);

// {"error": {…}} with the status that the error's kind has in docs/api.md, or another.
Response ErrorResponse(const Error& error, int status = 0);
Response JsonResponse(std::string json);

}  // namespace biwa::http
