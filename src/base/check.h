// Always-on checks for what only a bug can break.
#pragma once

namespace biwa::internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}

#define BIWA_CHECK(condition) \
    ((condition) ? void() : ::biwa::internal::CheckFailed(#condition, __FILE__, __LINE__))
