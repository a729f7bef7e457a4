// Waits between attempts: longer each time, up to half a minute.
#pragma once

#include <chrono>
#include <random>
#include <stop_token>

namespace biwa {

// Waits for the time; false when stopped meanwhile.
bool SleepFor(std::stop_token stop, std::chrono::milliseconds time);

class Retry {
  public:
    explicit Retry(std::chrono::milliseconds first) : first_(first), wait_(first) {}

    void Reset() { wait_ = first_; }
    // What the next Wait will be. With jitter, so that many streams of one server do not come back
    // at the same moment.
    std::chrono::milliseconds Next();
    // False when stopped.
    bool Wait(std::stop_token stop);

  private:
    const std::chrono::milliseconds first_;
    std::chrono::milliseconds wait_;
    std::chrono::milliseconds next_{0};
    std::mt19937 random_{std::random_device{}()};
};

}  // namespace biwa
