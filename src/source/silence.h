// How long a server may say nothing though it was asked. One that goes through a large transaction
// or a large catalogue may be slow to answer; one that is not there any more, though nobody has
// closed the connection (a firewall forgot it), never will.
#pragma once

#include <chrono>
#include <cstdlib>

namespace biwa {

inline std::chrono::milliseconds SilenceMax() {
    // For tests.
    const char* text = std::getenv("BIWA_SILENCE_MAX_MS");
    return text != nullptr ? std::chrono::milliseconds(std::atoi(text)) : std::chrono::minutes(5);
}

}  // namespace biwa
