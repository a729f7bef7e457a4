#include "replication/sealed_text.h"

#include <gtest/gtest.h>

namespace biwa {
namespace {

TEST(SealedTextTest, OnlyItsKeyOpensIt) {
    for (const std::string text : {"", "1-2", "taro@example.com:山田", "\n"}) {
        const auto sealed = Seal("the key of this test", text);
        EXPECT_EQ(Unseal("the key of this test", sealed).value(), text);
        EXPECT_FALSE(Unseal("another", sealed));
        EXPECT_TRUE(text.size() < 4 || sealed.find(text) == std::string::npos);
        EXPECT_NE(Seal("the key of this test", text), sealed);
    }
}

TEST(SealedTextTest, WhatWasChangedDoesNotOpen) {
    const auto sealed = Seal("key", "a text");
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        auto other = sealed;
        other[i] = other[i] == '0' ? '1' : '0';
        EXPECT_FALSE(Unseal("key", other)) << i;
    }
    for (const auto& other : {std::string(), std::string("0"), std::string("xy"), sealed + "0",
                              sealed + "00", sealed.substr(2), std::string(56, '-')}) {
        EXPECT_FALSE(Unseal("key", other)) << other;
    }
}

}  // namespace
}  // namespace biwa
