// Time as a collaborator, so that schedules and freshness can be tested without waiting.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace biwa {

// Microseconds since 1970-01-01 00:00:00 UTC, as the databases count them.
using Micros = std::int64_t;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual Micros Now() const = 0;
};

class SystemClock final : public Clock {
  public:
    Micros Now() const override {
        return std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
};

// A clock that stands still until it is told to go on.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Micros now) : now_(now) {}
    Micros Now() const override { return now_; }
    void Advance(Micros by) { now_ += by; }

  private:
    Micros now_;
};

// "2026-11-23T05:06:07.123456Z"
std::string ToIso8601(Micros time);

}  // namespace biwa
