#include "replication/text_storage.h"

#include <gtest/gtest.h>

namespace biwa {
namespace {

SourceTable Sized(std::int64_t bytes, const char* refusal = "") {
    SourceTable table;
    table.bytes = bytes;
    table.refusal = refusal;
    return table;
}

TEST(ChooseTextsTest, ArePlainWhileAllTablesTakeLessThanATenthOfWhatIsFree) {
    EXPECT_EQ(ChooseTexts({}, {Sized(60), Sized(39)}, 1'000), TextStorage::kPlain);
    EXPECT_EQ(ChooseTexts({}, {Sized(60), Sized(40)}, 1'000), TextStorage::kCompressed);
}

TEST(ChooseTextsTest, CountsWhatIsCopied) {
    EXPECT_EQ(ChooseTexts({}, {Sized(60), Sized(1'000, "is unlogged")}, 1'000),
              TextStorage::kPlain);
}

TEST(ChooseTextsTest, AreCompressedWhereNobodyKnowsWhatIsFree) {
    EXPECT_EQ(ChooseTexts({}, {Sized(0)}, 0), TextStorage::kCompressed);
}

TEST(ChooseTextsTest, AreAsTheStreamSays) {
    EXPECT_EQ(ChooseTexts(TextStorage::kPlain, {Sized(1'000)}, 1'000), TextStorage::kPlain);
    EXPECT_EQ(ChooseTexts(TextStorage::kCompressed, {Sized(1)}, 1'000), TextStorage::kCompressed);
}

}  // namespace
}  // namespace biwa
