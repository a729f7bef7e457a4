// A queue between threads that holds at most so many bytes: a slow reader makes the writer wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace biwa {

// Any number of threads may push and pop. An item larger than the limit is let in alone, so that
// one large item cannot block for ever.
template <typename T>
class BoundedQueue {
  public:
    explicit BoundedQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    // Waits at most `timeout` for room. False when there is none, or on a stop or after Close: the
    // item is then as it was.
    bool TryPush(T& item, std::size_t bytes, std::chrono::milliseconds timeout,
                 std::stop_token stop) {
        std::unique_lock lock(mutex_);
        const auto has_room = [&] {
            return closed_ || items_.empty() || bytes_ + bytes <= bytes_max_;
        };
        if (!has_room()) {
            is_crowded_ = true;
            filled_.notify_all();
            if (!changed_.wait_for(lock, stop, timeout, has_room)) return false;
        }
        if (closed_) return false;
        items_.emplace_back(std::move(item), bytes);
        bytes_ += bytes;
        changed_.notify_all();
        if (bytes_ >= fill_) filled_.notify_all();
        return true;
    }

    // Waits at most `timeout` for an item. Empty on timeout, stop, or closed and drained.
    std::optional<T> Pop(std::stop_token stop, std::chrono::milliseconds timeout) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, timeout, [&] { return closed_ || !items_.empty(); });
        return TakeFront();
    }

    // Waits at most `timeout` until so many bytes are inside, or no more of them have room: who has
    // time pops them together, and is not woken for each.
    void WaitUntilFilled(std::size_t bytes, std::stop_token stop,
                         std::chrono::milliseconds timeout) {
        std::unique_lock lock(mutex_);
        fill_ = bytes;
        filled_.wait_for(lock, stop, timeout,
                         [&] { return closed_ || is_crowded_ || bytes_ >= bytes; });
    }

    std::optional<T> TryPop() {
        std::lock_guard lock(mutex_);
        return TakeFront();
    }

    // No more pushes; what is inside can still be popped.
    void Close() {
        std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
        filled_.notify_all();
    }

    bool closed() const {
        std::lock_guard lock(mutex_);
        return closed_;
    }
    bool empty() const {
        std::lock_guard lock(mutex_);
        return items_.empty();
    }
    std::size_t bytes() const {
        std::lock_guard lock(mutex_);
        return bytes_;
    }

  private:
    std::optional<T> TakeFront() {
        if (items_.empty()) return std::nullopt;
        std::optional<T> item(std::move(items_.front().first));
        bytes_ -= items_.front().second;
        items_.pop_front();
        is_crowded_ = false;
        changed_.notify_all();
        return item;
    }

    const std::size_t bytes_max_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_, filled_;
    std::deque<std::pair<T, std::size_t>> items_;
    std::size_t bytes_ = 0, fill_ = 0;
    bool is_crowded_ = false;  // somebody waits for room
    bool closed_ = false;
};

}  // namespace biwa
