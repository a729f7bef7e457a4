#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

namespace biwa {
namespace {

using std::chrono::milliseconds;

TEST(BoundedQueueTest, GivesItemsInOrderUntilItIsClosedAndDrained) {
    BoundedQueue<std::string> queue(100);
    for (std::string text : {"a", "b"}) EXPECT_TRUE(queue.TryPush(text, 10, milliseconds(0), {}));
    EXPECT_EQ(queue.bytes(), 20u);
    queue.Close();
    std::string late = "c";
    EXPECT_FALSE(queue.TryPush(late, 1, milliseconds(0), {}));
    EXPECT_EQ(late, "c");
    EXPECT_EQ(queue.Pop({}, milliseconds(0)), "a");
    EXPECT_EQ(queue.TryPop(), "b");
    EXPECT_EQ(queue.Pop({}, milliseconds(10'000)), std::nullopt) << "closed: it does not wait";
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0u);
}

TEST(BoundedQueueTest, AFullQueueLeavesTheItemWithItsOwner) {
    BoundedQueue<std::unique_ptr<int>> queue(10);
    auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
    EXPECT_TRUE(queue.TryPush(first, 8, milliseconds(0), {}));
    EXPECT_FALSE(queue.TryPush(second, 3, milliseconds(1), {}));
    ASSERT_TRUE(second);
    EXPECT_TRUE(queue.TryPop());
    EXPECT_TRUE(queue.TryPush(second, 3, milliseconds(1), {}));
}

TEST(BoundedQueueTest, AnItemAboveTheLimitIsLetInAlone) {
    BoundedQueue<int> queue(10);
    int large = 1, small = 2;
    EXPECT_TRUE(queue.TryPush(large, 1000, milliseconds(0), {}));
    EXPECT_FALSE(queue.TryPush(small, 1, milliseconds(0), {}));
}

TEST(BoundedQueueTest, AStopEndsTheWaitForRoomAndForItems) {
    BoundedQueue<int> queue(10);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(queue.Pop(stop.get_token(), milliseconds(60'000)), std::nullopt);
    int first = 1, second = 2;
    EXPECT_TRUE(queue.TryPush(first, 10, milliseconds(0), {}));
    EXPECT_FALSE(queue.TryPush(second, 10, milliseconds(60'000), stop.get_token()));
}

TEST(BoundedQueueTest, WhoWaitsUntilItIsFilledIsWokenByEnoughByAFullQueueAndByItsEnd) {
    constexpr milliseconds kLong(60'000);
    int one = 1;
    {
        BoundedQueue<int> queue(100);
        std::jthread writer([&] {
            for (int i = 0; i < 3; ++i) queue.TryPush(one, 10, kLong, {});
        });
        queue.WaitUntilFilled(30, {}, kLong);
        EXPECT_EQ(queue.bytes(), 30u);
        queue.WaitUntilFilled(31, {}, milliseconds(1));
        EXPECT_EQ(queue.bytes(), 30u) << "the time is up";
    }
    {
        BoundedQueue<int> queue(100);
        std::jthread writer([&] {
            for (int i = 0; i < 2; ++i) queue.TryPush(one, 60, kLong, {});
        });
        queue.WaitUntilFilled(1000, {}, kLong);
        EXPECT_EQ(queue.bytes(), 60u) << "there is no room for the second";
        EXPECT_TRUE(queue.TryPop());
    }
    {
        BoundedQueue<int> queue(100);
        std::jthread writer([&] { queue.Close(); });
        queue.WaitUntilFilled(1, {}, kLong);
        EXPECT_TRUE(queue.closed());
    }
}

TEST(BoundedQueueTest, NothingIsLostBetweenThreads) {
    BoundedQueue<int> queue(8);
    constexpr int kItems = 20'000;
    std::jthread writer([&] {
        for (int i = 0; i < kItems; ++i) {
            int item = i;
            while (!queue.TryPush(item, 1, milliseconds(50), {})) {
            }
        }
        queue.Close();
    });
    int next = 0;
    while (!(queue.closed() && queue.empty())) {
        const auto item = queue.Pop({}, milliseconds(50));
        ASSERT_EQ(item.value_or(next), next);
        if (item) ++next;
        ASSERT_LE(queue.bytes(), 8u);
    }
    EXPECT_EQ(next, kItems);
}

}  // namespace
}  // namespace biwa
