#include "base/slabs.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace biwa {
namespace {

struct Piece {
    std::shared_ptr<std::byte[]> memory;
    std::size_t bytes;
    int value;

    bool is_intact() const {
        for (std::size_t i = 0; i < bytes; ++i) {
            if (memory[i] != static_cast<std::byte>(value)) return false;
        }
        return true;
    }
};

Piece Fill(Slabs& slabs, std::size_t bytes, int value) {
    Piece piece{slabs.Allocate(bytes), bytes, value};
    std::memset(piece.memory.get(), value, bytes);
    return piece;
}

TEST(SlabsTest, PiecesDoNotLieInEachOther) {
    Slabs slabs;
    std::vector<Piece> pieces;
    for (int i = 0; i < 200; ++i) {
        const std::size_t sizes[] = {1, 16 << 10, 100'001, 1 << 20, (1 << 20) + 1, 5 << 20};
        pieces.push_back(Fill(slabs, sizes[i % 6], i));
        const auto address = reinterpret_cast<std::uintptr_t>(pieces.back().memory.get());
        EXPECT_EQ(address % 16, 0u);
        // What is let go of in between is used anew.
        if (i % 3 == 2) pieces.erase(pieces.begin() + i / 6);
    }
    for (const auto& piece : pieces) EXPECT_TRUE(piece.is_intact()) << piece.value;
}

TEST(SlabsTest, ASlabServesAgainWhenTheLastOfItsPiecesIsGone) {
    constexpr std::size_t kHalf = 1 << 20;
    Slabs slabs;
    auto first = slabs.Allocate(kHalf);
    auto second = slabs.Allocate(kHalf);
    const auto* const memory = first.get();
    auto other = slabs.Allocate(kHalf);
    first.reset();
    auto third = slabs.Allocate(kHalf);
    EXPECT_NE(third.get(), memory);
    EXPECT_NE(slabs.Allocate(kHalf).get(), memory);
    second.reset();
    slabs.Allocate(kHalf);
    EXPECT_EQ(slabs.Allocate(kHalf).get(), memory);
}

TEST(SlabsTest, WhatIsHeldStaysAfterARelease) {
    Slabs slabs;
    const auto held = Fill(slabs, 100'000, 7);
    slabs.Release();
    const auto after = Fill(slabs, 100'000, 8);
    EXPECT_TRUE(held.is_intact());
    EXPECT_TRUE(after.is_intact());
}

TEST(SlabsTest, PiecesOutliveWhatTheyAreFromAndAreLetGoOfByOtherThreads) {
    std::vector<Piece> pieces;
    {
        Slabs slabs;
        for (int i = 0; i < 50; ++i) pieces.push_back(Fill(slabs, 100'000, i));
        std::thread([half = std::vector<Piece>(pieces.begin(), pieces.begin() + 25)] {}).join();
        pieces.erase(pieces.begin(), pieces.begin() + 25);
        for (int i = 50; i < 100; ++i) pieces.push_back(Fill(slabs, 100'000, i));
    }
    for (const auto& piece : pieces) EXPECT_TRUE(piece.is_intact()) << piece.value;
    std::thread([taken = std::move(pieces)] {}).join();
}

}  // namespace
}  // namespace biwa
