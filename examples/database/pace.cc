#include "database/pace.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

namespace biwa::examples {
namespace {

constexpr Micros kSecond = 1'000'000;
std::atomic<bool> stop_wanted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

}  // namespace

Micros Pace::Spend(double units, Micros now) {
    due_ = std::max(due_, now - kSecond);
    due_ += static_cast<Micros>(units / per_second_ * kSecond);
    return std::max<Micros>(0, due_ - now);
}

const std::atomic<bool>& StopOnSignals() {
    struct sigaction action = {};
    action.sa_handler = [](int) { stop_wanted = true; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return stop_wanted;
}

void SleepUnlessStopped(Micros duration, const std::atomic<bool>& stop) {
    while (duration > 0 && !stop) {
        const Micros step = std::min<Micros>(duration, kSecond / 10);
        std::this_thread::sleep_for(std::chrono::microseconds(step));
        duration -= step;
    }
}

}  // namespace biwa::examples
