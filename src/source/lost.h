// What is said of a stream whose changes are lost: behind what else helps.
#pragma once

namespace biwa {

inline constexpr const char* kCopyAllAnew =
    "With `when_lost: recopy` in the stream's file, and Biwa started again, all tables are copied "
    "anew, beside those that are there, which stay until then.";

}  // namespace biwa
