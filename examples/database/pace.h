// A steady pace for a stream of statements, and a stop when the user wants one.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace biwa::examples {

// Says how long to wait so that work goes on at `per_second`. After a pause it catches up with at
// most one second's work, so that a server that comes back is not hit by all that was missed.
class Pace {
  public:
    Pace(double per_second, Micros now) : per_second_(per_second), due_(now) {}

    // Counts `units` as done and returns how long to wait before the next, 0 when late.
    Micros Spend(double units, Micros now);

  private:
    double per_second_;
    Micros due_;
};

// Sets a flag on SIGINT and SIGTERM instead of ending the program.
const std::atomic<bool>& StopOnSignals();

// Sleeps at most so long, in steps short enough to notice a stop.
void SleepUnlessStopped(Micros duration, const std::atomic<bool>& stop);

}  // namespace biwa::examples
