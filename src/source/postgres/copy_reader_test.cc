#include "source/postgres/copy_reader.h"

#include <gtest/gtest.h>

#include "model/row_store.h"
#include "model/testing.h"
#include "source/postgres/wire_testing.h"

namespace biwa::postgres {
namespace {

const std::string kHeader = std::string("PGCOPY\n\377\r\n\0", 11) + Int32(0) + Int32(0);

// A table of a bigint, a text and an array of texts.
class CopyReaderTest : public testing::Test {
  protected:
    Result<CopyDecoder::Piece> Decode(CopyDecoder& decoder, const std::string& piece,
                                      std::size_t row = 0) {
        return decoder.Decode(piece, block_.block(), row, context_);
    }
    const Cells& cells(std::size_t column) { return block_.block().columns[column]; }

    const TypeCatalog types_ = {{1009, {1009, "_text", 'b', 0, -1, 25}}};
    const std::vector<ColumnDecoder> decoders_ = {
        DecoderFor(20, -1, types_), DecoderFor(25, -1, types_), DecoderFor(1009, -1, types_)};
    const std::string row_ = Int16(3) + Field(Int64(-7)) + Field("長い文字列、十二バイトより") +
                             Field(Array1(25, {"a", std::nullopt}));
    Arena arena_;
    DecodeContext context_{&arena_};
    OwnedBlock block_{{{"id", decoders_[0].type, true, ""},
                       {"t", decoders_[1].type, true, ""},
                       {"l", decoders_[2].type, true, ""}}};
};

TEST_F(CopyReaderTest, ReadsHeaderRowsAndEnd) {
    CopyDecoder decoder(decoders_);
    EXPECT_EQ(*Decode(decoder, kHeader + row_), CopyDecoder::Piece::kRow);
    EXPECT_EQ(*Decode(decoder, Int16(3) + Field(std::nullopt) + Field("") + Field(std::nullopt), 1),
              CopyDecoder::Piece::kRow);
    EXPECT_EQ(*Decode(decoder, Int16(-1)), CopyDecoder::Piece::kEnd);
    EXPECT_EQ(cells(0).Get<std::int64_t>(0), -7);
    EXPECT_EQ(cells(1).GetString(0), "長い文字列、十二バイトより");
    EXPECT_EQ(cells(2).Get<ListCell>(0).length, 2u);
    EXPECT_TRUE(cells(2).child->IsNull(1));
    EXPECT_TRUE(cells(0).IsNull(1));
    EXPECT_EQ(cells(1).GetString(1), "");
    EXPECT_FALSE(cells(1).IsNull(1));
}

TEST_F(CopyReaderTest, AnEmptyTableIsAHeaderAndAnEnd) {
    CopyDecoder together(decoders_);
    EXPECT_EQ(*Decode(together, kHeader + Int16(-1)), CopyDecoder::Piece::kEnd);
    CopyDecoder apart(decoders_);
    EXPECT_EQ(*Decode(apart, kHeader), CopyDecoder::Piece::kHeader);
    EXPECT_EQ(*Decode(apart, Int16(-1)), CopyDecoder::Piece::kEnd);
}

TEST_F(CopyReaderTest, AHeaderMayHaveAnExtension) {
    CopyDecoder decoder(decoders_);
    const auto header = kHeader.substr(0, 15) + Int32(3) + "ext";
    EXPECT_EQ(*Decode(decoder, header + row_), CopyDecoder::Piece::kRow);
}

TEST_F(CopyReaderTest, WhatIsCutOffAnywhereIsAnError) {
    for (std::size_t size = 0; size < row_.size(); ++size) {
        CopyDecoder decoder(decoders_);
        ASSERT_TRUE(Decode(decoder, kHeader));
        const auto cut = Decode(decoder, row_.substr(0, size));
        ASSERT_FALSE(cut) << size;
        EXPECT_EQ(cut.error().kind, ErrorKind::kCorrupt);
    }
    for (std::size_t size = 0; size < kHeader.size(); ++size) {
        CopyDecoder decoder(decoders_);
        EXPECT_FALSE(Decode(decoder, kHeader.substr(0, size))) << size;
    }
}

TEST_F(CopyReaderTest, RefusesWhatIsNotThisCopy) {
    const std::vector<std::string> bad = {
        row_ + "x",
        Int16(2) + Field(Int64(1)) + Field("a"),
        Int16(-2),
        Int16(-1) + "x",
        Int16(3) + Field(Int32(1)) + Field("a") + Field(std::nullopt),
        Int16(3) + Int32(-2) + Field("a") + Field(std::nullopt),
        Int16(3) + Int32(0x7fffffff) + Field("a") + Field(std::nullopt),
    };
    for (std::size_t i = 0; i < bad.size(); ++i) {
        CopyDecoder decoder(decoders_);
        ASSERT_TRUE(Decode(decoder, kHeader));
        EXPECT_FALSE(Decode(decoder, bad[i])) << i;
    }
    for (const auto& header :
         {std::string("PGCOPX\n\377\r\n\0", 11) + Int32(0) + Int32(0),
          kHeader.substr(0, 15) + Int32(-1), kHeader.substr(0, 15) + Int32(9)}) {
        CopyDecoder decoder(decoders_);
        EXPECT_FALSE(Decode(decoder, header));
    }
}

}  // namespace
}  // namespace biwa::postgres
