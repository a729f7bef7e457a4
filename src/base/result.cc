#include "base/result.h"

namespace biwa {

std::string_view ToString(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::kUser:
            return "user";
        case ErrorKind::kUnavailable:
            return "unavailable";
        case ErrorKind::kConflict:
            return "conflict";
        case ErrorKind::kCorrupt:
            return "corrupt";
    }
    return "unknown";
}

std::string Error::ToString() const { return hint.empty() ? message : message + "\n" + hint; }

tl::unexpected<Error> Within(std::string_view doing, Error error) {
    error.message = std::string(doing) + ": " + error.message;
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace biwa
