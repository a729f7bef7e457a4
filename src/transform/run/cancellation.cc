#include "transform/run/cancellation.h"

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
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, end, [this] { return stop_.stop_requested(); })) return;
    while (!end.stop_requested()) {
        for (const auto& [id, interrupt] : interrupts_) interrupt();
        changed_.wait_for(lock, end, kPause, [] { return false; });
    }
}

Cancellation::Guard::Guard(Cancellation& owner, std::function<void()> interrupt) : owner_(owner) {
    std::lock_guard lock(owner_.mutex_);
    id_ = owner_.next_id_++;
    owner_.interrupts_.emplace(id_, std::move(interrupt));
}

Cancellation::Guard::~Guard() {
    std::lock_guard lock(owner_.mutex_);
    owner_.interrupts_.erase(id_);
}

}  // namespace biwa::transform
