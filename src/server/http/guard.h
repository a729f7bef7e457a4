// Who may ask what: the checks that come before a request is looked at any closer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.h"

namespace biwa::http {

struct GuardOptions {
    std::string token;                    // empty: nothing that needs one is allowed
    std::vector<std::string> host_names;  // by which the server may be called, in lower case
};

// The refusal of a request that does not come from this server's own page or from a program:
// - a Host that is neither an IP address, localhost nor one of host_names. A name that its owner
// can
//   point to this machine would let a foreign page in (DNS rebinding); an address cannot be;
// - an Origin other than this server, or a browser that says the request comes from another site;
// - a body that is not application/json, which a foreign page can send without being asked.
std::optional<Response> RefuseForeign(const Request& request, const GuardOptions& options);

// The refusal of a request without "Authorization: Bearer TOKEN".
std::optional<Response> RefuseWithoutToken(const Request& request, const GuardOptions& options);

// "127.0.0.1:8700" -> "127.0.0.1", "[::1]:8700" -> "::1", "Example.com" -> "example.com". "" for a
// bracket without its end.
std::string HostWithoutPort(std::string_view host);

}  // namespace biwa::http
