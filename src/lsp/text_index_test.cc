#include "lsp/text_index.h"

#include <gtest/gtest.h>

#include "lsp/diagnostics.h"
#include "lsp/uri.h"

namespace biwa::lsp {
namespace {

TEST(TextIndexTest, CharactersAreUtf16CodeUnits) {
    const std::string text = "a生徒😀b\r\nc\rd";
    const TextIndex index(text);
    // a, 生, 徒 are one each, 😀 is two.
    EXPECT_EQ(index.Offset({0, 1}), 1u);
    EXPECT_EQ(index.Offset({0, 3}), 7u);
    EXPECT_EQ(index.Offset({0, 5}), 11u);
    EXPECT_EQ(index.At(11), (Position{0, 5}));
    EXPECT_EQ(index.At(text.find('c')), (Position{1, 0}));
    EXPECT_EQ(index.At(text.find('d')), (Position{2, 0}));
    // In the middle of 😀: in front of it.
    EXPECT_EQ(index.Offset({0, 4}), 7u);
}

TEST(TextIndexTest, WhatLiesBeyondIsTheEnd) {
    const std::string text = "ab\r\nc";
    const TextIndex index(text);
    EXPECT_EQ(index.Offset({0, 99}), 2u);
    EXPECT_EQ(index.Offset({9, 0}), text.size());
    EXPECT_EQ(index.At(99), (Position{1, 1}));
    EXPECT_EQ(TextIndex("").Offset({0, 5}), 0u);
    EXPECT_EQ(index.OffsetOfPlace(2, 9), text.size());
    EXPECT_EQ(index.OffsetOfPlace(7, 1), text.size());
    EXPECT_EQ(TextIndex("生徒x").OffsetOfPlace(1, 3), 6u);
}

TEST(UriTest, PathsGoThereAndBack) {
    const std::filesystem::path path = "/data/a b/生徒+%.sqlx";
    EXPECT_EQ(UriOfPath(path), "file:///data/a%20b/%E7%94%9F%E5%BE%92%2B%25.sqlx");
    EXPECT_EQ(PathOfUri(UriOfPath(path)), path);
    EXPECT_EQ(PathOfUri("file://localhost/a/../b"), "/b");
    EXPECT_EQ(PathOfUri("file:///a%2"), "/a%2");
    for (const auto other : {"untitled:Untitled-1", "file://host/a", "git:/a", "", "file:///a%00b"})
        EXPECT_FALSE(PathOfUri(other)) << other;
}

TEST(SpanAtTest, IsTheWordTheStringOrTheCall) {
    const std::string text = "a ref(\"生\") = \"x\" 徒\n";
    const TextIndex index(text);
    const auto at = [&](int column) {
        const auto span = SpanAt(text, index, 1, column);
        return text.substr(span.begin, span.end - span.begin);
    };
    EXPECT_EQ(at(3), "ref(\"生\")");
    EXPECT_EQ(at(7), "\"生\"");
    EXPECT_EQ(at(12), "=");
    EXPECT_EQ(at(18), "徒");
    EXPECT_EQ(at(99), "");
    EXPECT_EQ(SpanAt(text, index, 0, 0), (Span{0, text.size() - 1}));
}

}  // namespace
}  // namespace biwa::lsp
