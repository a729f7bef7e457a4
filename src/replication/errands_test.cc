#include "replication/errands.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace biwa {
namespace {

TEST(ErrandsTest, AreDoneInTheirOrderOnTheThreadThatDoesThem) {
    Errands errands;
    std::string done;
    std::thread::id where;
    auto first = errands.Leave([&]() -> Status {
        done += "1";
        where = std::this_thread::get_id();
        return {};
    });
    auto second = errands.Leave([&]() -> Status {
        done += "2";
        return UserError("no");
    });
    EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    std::thread::id doer;
    std::thread([&] {
        doer = std::this_thread::get_id();
        errands.Do();
    }).join();
    EXPECT_TRUE(first.get());
    EXPECT_EQ(second.get().error().message, "no");
    EXPECT_EQ(done, "12");
    EXPECT_EQ(where, doer);
    errands.Do();
    EXPECT_EQ(done, "12") << "each is done once";
}

TEST(ErrandsTest, WhoeverLeftOneHearsThatNobodyDoesItAnyMore) {
    Errands errands;
    bool was_done = false;
    const auto work = [&]() -> Status {
        was_done = true;
        return {};
    };
    auto before = errands.Leave(work);
    errands.Close();
    auto after = errands.Leave(work);
    EXPECT_EQ(before.get().error().kind, ErrorKind::kUnavailable);
    EXPECT_EQ(after.get().error().kind, ErrorKind::kUnavailable);
    errands.Do();
    EXPECT_FALSE(was_done);
}

TEST(ErrandsTest, OneMayBeLeftByAnother) {
    Errands errands;
    std::future<Status> inner;
    auto outer = errands.Leave([&]() -> Status {
        inner = errands.Leave([]() -> Status { return {}; });
        return {};
    });
    errands.Do();
    EXPECT_TRUE(outer.get());
    errands.Do();
    EXPECT_TRUE(inner.get());
}

}  // namespace
}  // namespace biwa
