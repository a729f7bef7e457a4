#include "transform/run/cancellation.h"

#include <algorithm>
#include <chrono>

namespace biwa::transform {

Cancellation::Cancellation(std::stop_token stop)
    : stop_(stop),
      wake_(stop,
            [this] {
                // The lock keeps the wake-up from falling between the watcher's look and its wait.
                std::lock_guard lock(mutex_);
                changed_.notify_all();
            }),
      watcher_([this](std::stop_token end) { Watch(end); }) {}

Cancellation::~Cancellation() = default;

void Cancellation::Watch(std::stop_token end) {
    constexpr std::chrono::milliseconds kPause{20};
    constexpr std::chrono::hours kLongest{1};
    std::unique_lock lock(mutex_);
    while (!end.stop_requested()) {
        const bool is_stopping = stop_.stop_requested();
        const auto now = std::chrono::steady_clock::now();
        auto next = now + (is_stopping ? std::chrono::steady_clock::duration(kPause) : kLongest);
        for (const auto& [id, interrupt] : interrupts_) {
            const bool is_due = is_stopping || interrupt.until <= now;
            if (is_due) interrupt.call();
            next = std::min(next, is_due ? now + kPause : interrupt.until);
        }
        wakes_at_ = next;
        changed_.wait_until(lock, end, next, [&] {
            return stop_.stop_requested() != is_stopping || wakes_at_ < next;
        });
    }
}

Cancellation::Guard::Guard(Cancellation& owner, std::function<void()> interrupt, Time until)
    : owner_(owner) {
    std::lock_guard lock(owner_.mutex_);
    id_ = owner_.next_id_++;
    owner_.interrupts_.emplace(id_, Interrupt{std::move(interrupt), until});
    if (until >= owner_.wakes_at_) return;
    owner_.wakes_at_ = until;
    owner_.changed_.notify_all();
}

Cancellation::Guard::~Guard() {
    std::lock_guard lock(owner_.mutex_);
    owner_.interrupts_.erase(id_);
}

}  // namespace biwa::transform
