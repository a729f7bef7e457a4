// What other threads want done on one thread, in the order in which they came.
#pragma once

#include <functional>
#include <future>
#include <mutex>
#include <vector>

#include "base/result.h"

namespace biwa {

class Errands {
  public:
    using Work = std::function<Status()>;

    // From any thread; what comes of it is told by the future. Once closed, kUnavailable.
    std::future<Status> Leave(Work work);
    // Does what was left so far. By the one thread.
    void Do();
    // Nothing is done any more: what was left and is not done, and all that comes, fails.
    void Close();

  private:
    struct Errand {
        Work work;
        std::promise<Status> done;
    };

    std::mutex mutex_;  // guards the two below
    bool is_closed_ = false;
    std::vector<Errand> errands_;
};

}  // namespace biwa
