// `juku live`: pupils who go on studying, as small transactions at a given rate.
#pragma once

#include <string>

#include "base/result.h"

namespace juku {

struct LiveOptions {
    std::string url;
    double rate = 200;   // INSERT, UPDATE and DELETE statements a second
    double seconds = 0;  // 0: until SIGINT or SIGTERM
    std::uint64_t seed = 0;
};

biwa::Status Live(const LiveOptions& options);

}  // namespace juku
