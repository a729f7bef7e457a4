// Rests of the writer: a statement that has time lets whatever else runs on the machine have the
// processors now and then, by sleeping.
//
// A burst of some milliseconds is felt by a database beside it: who wakes up meanwhile waits until
// the kernel's next tick, whatever the priorities. The same work in pieces that are shorter than a
// transaction there is not.
#pragma once

#include <duckdb.h>

#include <atomic>
#include <chrono>

#include "base/result.h"

namespace biwa::duck {

// Thread-safe.
class Rests {
  public:
    // The function biwa_rest(column), which is true: where it stands in a condition on a table's
    // column, the threads that read that table rest.
    Status Register(duckdb_connection connection);

    // Around what rests, one at a time.
    void Begin();
    void End() { is_on_ = false; }

    // On a thread that works for it: sleeps if it has worked for a while since it last did.
    void RestIfDue();

    // A third of what a small transaction takes at the source, and some times as long.
    static constexpr std::chrono::microseconds kWork{300}, kRest{1000};
    // What takes long rests no longer than it works, from so much of rest on.
    static constexpr std::chrono::milliseconds kLongRests{100};

  private:
    std::atomic<bool> is_on_ = false;
    std::atomic<std::int64_t> rested_us_ = 0;
};

}  // namespace biwa::duck
