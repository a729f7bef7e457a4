// Makes a stop request reach the statements that run for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace biwa::transform {

// While a Guard lives its interrupt is called over and over once a stop is requested, or its time
// has come: an interrupt between two statements is lost, so one call would not do.
class Cancellation {
  public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr Time kNever = Time::max();

    explicit Cancellation(std::stop_token stop);
    // Waits for its thread.
    ~Cancellation();

    class Guard {
      public:
        Guard(Cancellation& owner, std::function<void()> interrupt, Time until = kNever);
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
    struct Interrupt {
        std::function<void()> call;
        Time until;
    };
    void Watch(std::stop_token end);

    const std::stop_token stop_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<int, Interrupt> interrupts_;
    int next_id_ = 0;
    Time wakes_at_ = kNever;  // the watcher
    std::stop_callback<std::function<void()>> wake_;
    std::jthread watcher_;
};

}  // namespace biwa::transform
