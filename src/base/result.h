// Errors as values. A function that can fail for a reason outside the program returns Result<T>;
// a bug aborts through BIWA_CHECK (check.h). Exceptions of libraries end where they are wrapped.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace biwa {

// Who has to act.
enum class ErrorKind {
    kUser,         // Fix the project file, the command or the query.
    kUnavailable,  // Something else is not there now; trying again later may help.
    kConflict,     // The world is not as was assumed: read it again.
    kCorrupt,      // Stop; a person must look.
};

std::string_view ToString(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::kUser;
    std::string message;  // What was being done, with what, and what went wrong.
    std::string hint;     // What to do next; may be empty.

    // The message, and the hint on a line of its own.
    std::string ToString() const;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(ErrorKind kind, std::string message, std::string hint = {}) {
    return tl::unexpected<Error>(Error{kind, std::move(message), std::move(hint)});
}
inline tl::unexpected<Error> UserError(std::string message, std::string hint = {}) {
    return Fail(ErrorKind::kUser, std::move(message), std::move(hint));
}
inline tl::unexpected<Error> Unavailable(std::string message, std::string hint = {}) {
    return Fail(ErrorKind::kUnavailable, std::move(message), std::move(hint));
}
inline tl::unexpected<Error> Corrupt(std::string message, std::string hint = {}) {
    return Fail(ErrorKind::kCorrupt, std::move(message), std::move(hint));
}

// The same error with "what was being done: " in front of its message.
tl::unexpected<Error> Within(std::string_view doing, Error error);

namespace internal {
template <typename T>
T&& Take(Result<T>& result) {
    return std::move(*result);
}
inline void Take(Status&) {}
}  // namespace internal

}  // namespace biwa

// The value of a Result, or out of the function with its error. Never inside a coroutine: g++ 12
// crashes on a statement expression there.
#define BIWA_TRY(expression) BIWA_TRY_NAMED(expression, BIWA_JOIN(biwa_try_result_, __COUNTER__))
#define BIWA_JOIN(a, b) BIWA_JOIN_TEXT(a, b)
#define BIWA_JOIN_TEXT(a, b) a##b
#define BIWA_TRY_NAMED(expression, result)                                           \
    ({                                                                               \
        auto result = (expression);                                                  \
        if (!result.has_value()) return ::tl::unexpected(std::move(result).error()); \
        ::biwa::internal::Take(result);                                              \
    })
