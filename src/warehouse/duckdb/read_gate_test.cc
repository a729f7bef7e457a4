#include "warehouse/duckdb/read_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace biwa::duck {
namespace {

TEST(ReadGateTest, ClosesOnlyWhileNobodyReads) {
    ReadGate gate;
    {
        const ReadGate::Reader one(gate);
        const ReadGate::Reader other(gate);
        EXPECT_FALSE(gate.TryClose());
    }
    EXPECT_TRUE(gate.TryClose());
    EXPECT_FALSE(gate.TryClose());
    gate.Open();
    EXPECT_TRUE(gate.TryClose());
    gate.Open();
}

TEST(ReadGateTest, WhoComesWhileItIsClosedWaitsUntilItOpens) {
    ReadGate gate;
    ASSERT_TRUE(gate.TryClose());
    std::atomic<bool> is_open = false;
    std::jthread reader([&] {
        const ReadGate::Reader held(gate);
        EXPECT_TRUE(is_open);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    is_open = true;
    gate.Open();
}

TEST(ReadGateTest, AReaderMayGoInAnotherThread) {
    ReadGate gate;
    std::optional<ReadGate::Reader> reader(std::in_place, gate);
    std::jthread([&] { reader.reset(); }).join();
    EXPECT_TRUE(gate.TryClose());
}

}  // namespace
}  // namespace biwa::duck
