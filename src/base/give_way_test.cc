#include "base/give_way.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

namespace biwa {
namespace {

// Of the calling thread, as the kernel tells it; 0 where it does not.
double SliceMs() {
    std::ifstream lines("/proc/thread-self/sched");
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("se.slice", 0) == 0) return std::stod(line.substr(line.find(':') + 1)) / 1e6;
    }
    return 0;
}

TEST(GiveWayTest, AThreadAndThoseThatItStartsGiveWayAndItNoLongerAfterwards) {
    const auto before = SliceMs();
    if (before == 0) GTEST_SKIP() << "this kernel has no slices of threads";
    double inside = 0, started = 0, started_later = 0;
    {
        const GivesWay gives_way;
        inside = SliceMs();
        std::thread([&] { started = SliceMs(); }).join();
    }
    std::thread([&] { started_later = SliceMs(); }).join();
    EXPECT_DOUBLE_EQ(inside, 100);
    EXPECT_DOUBLE_EQ(started, 100);
    EXPECT_DOUBLE_EQ(started_later, before);
    EXPECT_DOUBLE_EQ(SliceMs(), before);
}

}  // namespace
}  // namespace biwa
