#include "base/fair_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace biwa {
namespace {

TEST(FairLockTest, WhoAsksFirstIsServedFirst) {
    FairLock lock;
    std::vector<int> order;
    std::vector<std::thread> threads;
    lock.acquire();
    for (int i = 0; i < 5; ++i) {
        std::atomic<bool> asks = false;
        threads.emplace_back([&, i] {
            asks = true;
            lock.acquire();
            order.push_back(i);
            lock.release();
        });
        while (!asks) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // A turn of our own is asked for after theirs.
    lock.release();
    lock.acquire();
    EXPECT_EQ(order.size(), 5u);
    lock.release();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace biwa
