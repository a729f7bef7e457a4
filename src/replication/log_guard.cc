#include "replication/log_guard.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa {

std::string LogGuard::Warning(std::uint64_t retained) const {
    return fmt::format(
        "the source keeps {} of log for this stream, more than wal_guard.warn ({}): its disk may "
        "fill. The log is freed as the stream gets on; mend what holds it up, or remove the "
        "stream{}",
        HumanBytes(retained), HumanBytes(warn_bytes),
        stop_bytes == 0 ? "."
                        : fmt::format(". At {} the stream is given up (wal_guard.stop).",
                                      HumanBytes(stop_bytes)));
}

Error LogGuard::Stopped(std::uint64_t retained) const {
    return {ErrorKind::kConflict,
            fmt::format("the source kept {} of log for this stream, more than wal_guard.stop ({}): "
                        "its slot was dropped, so that the disk does not fill",
                        HumanBytes(retained), HumanBytes(stop_bytes)),
            "The tables stay as they are, and changes since are not followed. Mend what held the "
            "stream up, and `biwa stream resume` it: the tables are copied anew."};
}

std::string LogGuard::CopyStopped(std::uint64_t retained) const {
    return fmt::format(
        "its copy was given up, as the source kept {} of log for it, more than wal_guard.stop "
        "({}); "
        "`biwa stream recopy` begins it again",
        HumanBytes(retained), HumanBytes(stop_bytes));
}

}  // namespace biwa
