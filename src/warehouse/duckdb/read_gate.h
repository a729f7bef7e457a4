// Whether statements may read: all can at once, but for the moment in which a large commit is put
// into its table, when the engine would show it to them in part.
#pragma once

#include <condition_variable>
#include <mutex>

namespace biwa::duck {

// Thread-safe. A writer never waits: where somebody reads it is told so, and has other means.
class ReadGate {
  public:
    // Held by a statement that reads, from before it begins until its last row. Waits while the
    // gate is closed. It may go in another thread than it came from.
    class Reader {
      public:
        explicit Reader(ReadGate& gate) : gate_(gate) {
            std::unique_lock lock(gate_.mutex_);
            gate_.opened_.wait(lock, [this] { return !gate_.is_closed_; });
            ++gate_.readers_;
        }
        ~Reader() {
            std::lock_guard lock(gate_.mutex_);
            --gate_.readers_;
        }
        Reader(const Reader&) = delete;
        Reader& operator=(const Reader&) = delete;

      private:
        ReadGate& gate_;
    };

    // False where somebody reads, or another has closed it. Else Open() is to follow, soon.
    bool TryClose() {
        std::lock_guard lock(mutex_);
        if (readers_ > 0 || is_closed_) return false;
        is_closed_ = true;
        return true;
    }
    void Open() {
        {
            std::lock_guard lock(mutex_);
            is_closed_ = false;
        }
        opened_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable opened_;
    int readers_ = 0;
    bool is_closed_ = false;
};

}  // namespace biwa::duck
