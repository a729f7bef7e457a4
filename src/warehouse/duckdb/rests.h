// Rests of the writer: a statement that has time lets whatever else runs on the machine have the
// processors now and then, by sleeping.
//
// A burst of some milliseconds is felt by a database beside it: who wakes up meanwhile waits until
// the kernel's next tick, whatever the priorities. The same work in pieces that are shorter than a
// transaction there is not.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>

namespace biwa::duck {

// Thread-safe.
class Rests {
  public:
    // Around what rests, one at a time. While `nobody_waits` for its end it rests for longer; asked
    // at each rest, on whichever thread that is.
    void Begin(std::function<bool()> nobody_waits);
    void End();

    // On a thread that works for it: sleeps if it has worked for a while since it last did.
    void RestIfDue();

    // Work of a part of what a small transaction takes at the source, and some times as much rest.
    // What takes long rests no longer than it works, from so much of rest on.
    struct Pace {
        std::chrono::microseconds work, rest;
        std::chrono::milliseconds long_rests;
    };
    static constexpr Pace kAwaited{std::chrono::microseconds(300), std::chrono::microseconds(1000),
                                   std::chrono::milliseconds(100)};
    static constexpr Pace kUnawaited{std::chrono::microseconds(200),
                                     std::chrono::microseconds(4000),
                                     std::chrono::milliseconds(2000)};

  private:
    Pace pace();

    std::atomic<bool> is_on_ = false;
    std::atomic<std::int64_t> rested_us_ = 0;
    std::mutex mutex_;
    std::function<bool()> nobody_waits_;
};

}  // namespace biwa::duck
