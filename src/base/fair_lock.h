// A lock that is given in the order in which it was asked for: who takes it again and again in
// short turns keeps nobody out. May be given back by another thread than the one that took it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace biwa {

class FairLock {
  public:
    void acquire() {
        std::unique_lock lock(mutex_);
        const auto mine = next_++;
        changed_.wait(lock, [&] { return serving_ == mine; });
    }
    void release() {
        {
            std::lock_guard lock(mutex_);
            ++serving_;
        }
        changed_.notify_all();
    }
    // Whether somebody waits for whoever has it.
    bool is_awaited() const {
        std::lock_guard lock(mutex_);
        return next_ - serving_ > 1;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t next_ = 0;
    std::uint64_t serving_ = 0;
};

}  // namespace biwa
