#include "replication/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace biwa {

bool SleepFor(std::stop_token stop, std::chrono::milliseconds time) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

std::chrono::milliseconds Retry::Next() {
    if (next_.count() == 0) {
        const auto half = wait_ / 2;
        next_ =
            half + std::chrono::milliseconds(random_() % static_cast<unsigned>(half.count() + 1));
        wait_ = std::min(wait_ * 2, std::chrono::milliseconds(30'000));
    }
    return next_;
}

bool Retry::Wait(std::stop_token stop) {
    const auto time = Next();
    next_ = std::chrono::milliseconds(0);
    return SleepFor(std::move(stop), time);
}

}  // namespace biwa
