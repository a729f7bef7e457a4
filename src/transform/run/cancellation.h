// Makes a stop request reach the statements that run for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace biwa::transform {

// While a Guard lives its interrupt is called over and over once a stop is requested: an interrupt
// between two statements is lost, so one call would not do.
class Cancellation {
  public:
    explicit Cancellation(std::stop_token stop);
    // Waits for its thread.
    ~Cancellation();

    class Guard {
      public:
        Guard(Cancellation& owner, std::function<void()> interrupt);
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

      private:
        Cancellation& owner_;
        int id_;
    };

    bool requested() const { return stop_.stop_requested(); }
    const std::stop_token& token() const { return stop_; }

  private:
    void Watch(std::stop_token end);

    const std::stop_token stop_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<int, std::function<void()>> interrupts_;
    int next_id_ = 0;
    std::stop_callback<std::function<void()>> wake_;
    std::jthread watcher_;
};

}  // namespace biwa::transform
