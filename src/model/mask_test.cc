#include "model/mask.h"

#include <gtest/gtest.h>

namespace biwa {

TEST(MaskTest, ReadsWhatItWrites) {
    for (const auto* text : {"drop", "null", "hash", "email", "year", "month", "truncate 3"}) {
        const auto mask = ParseMask(text);
        ASSERT_TRUE(mask) << text;
        EXPECT_EQ(ToString(*mask), text);
    }
}

TEST(MaskTest, RefusesWhatIsNone) {
    for (const auto* text : {"", "Drop", "truncate", "truncate ", "truncate 0", "truncate -1",
                             "truncate 1001", "truncate 3x", "truncate  3", "hash ", "clear"}) {
        EXPECT_FALSE(ParseMask(text)) << text;
    }
}

}  // namespace biwa
