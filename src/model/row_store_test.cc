#include "model/row_store.h"

#include <gtest/gtest.h>

#include <string>

namespace biwa {
namespace {

const std::vector<Column> kColumns = {{"i", {TypeId::kInt64}, true, ""},
                                      {"t", {TypeId::kText}, true, ""},
                                      {"l", Type::List({TypeId::kText}), true, ""}};

TEST(StringCellTest, KeepsShortBytesItselfAndPointsAtLongOnes) {
    for (std::size_t size = 0; size <= 20; ++size) {
        std::string text(size, 'x');
        const auto cell = StringCell::Of(text.data(), size);
        EXPECT_EQ(cell.view(), text);
        const bool is_inline = cell.view().data() != text.data();
        EXPECT_EQ(is_inline, size <= StringCell::kInlineMax) << size;
        if (!is_inline) {
            EXPECT_EQ(std::string_view(cell.prefix, 4), "xxxx");
        }
    }
    const auto zeros = StringCell::Of("a\0b", 3);
    EXPECT_EQ(zeros.view(), std::string_view("a\0b", 3));
}

TEST(RowStoreTest, RowsThatComeAfterOthersWereCutOffHaveNothingOfThose) {
    RowStore store(kColumns);
    for (int i = 0; i < 200; ++i) {
        const auto row = store.AddRow();
        store.cells(0).Set(row, std::int64_t{i});
        for (std::size_t column = 1; column < 3; ++column) store.cells(column).SetNull(row);
    }
    store.CutAt(70);
    ASSERT_EQ(store.rows(), 70u);
    EXPECT_TRUE(store.cells(1).IsNull(69));
    const auto row = store.AddRow();
    EXPECT_EQ(row, 70u);
    store.cells(1).Set(row, store.arena().Copy("another"));
    EXPECT_FALSE(store.cells(1).IsNull(row));
    EXPECT_FALSE(store.cells(2).IsNull(199));
    store.CutAt(100);
    EXPECT_EQ(store.rows(), 71u);
}

TEST(ArenaTest, BytesStayWhereTheyAre) {
    Arena arena;
    std::vector<std::pair<StringCell, std::string>> kept;
    for (std::size_t size : {13, 100, 20'000, 70'000, 0, 16'384, 16'385}) {
        for (int i = 0; i < 20; ++i) {
            const std::string text(size, static_cast<char>('a' + i));
            kept.emplace_back(arena.Copy(text), text);
        }
    }
    for (const auto& [cell, text] : kept) EXPECT_EQ(cell.view(), text);
    EXPECT_GE(arena.bytes(), 20u * (100 + 20'000 + 70'000));
}

TEST(ArenaTest, WhatWasMovedFromCanBeUsedAnew) {
    Arena first;
    const auto a = first.Copy("the first arena's bytes");
    Arena second = std::move(first);
    const auto b = first.Copy("bytes of the arena after it");
    const auto c = second.Copy("bytes of the moved arena");
    EXPECT_EQ(a.view(), "the first arena's bytes");
    EXPECT_EQ(b.view(), "bytes of the arena after it");
    EXPECT_EQ(c.view(), "bytes of the moved arena");
    EXPECT_GT(first.bytes(), 0u);
    first = Arena();
    EXPECT_EQ(first.bytes(), 0u);
}

TEST(ArenaTest, MemoryServesAgainAfterAClear) {
    Arena arena;
    const auto* const first = arena.Allocate(13);
    arena.Copy(std::string(60'000, 'a'));
    arena.Copy(std::string(16'000, 'b'));
    arena.Clear();
    EXPECT_EQ(arena.bytes(), 0u);
    EXPECT_EQ(arena.Allocate(13), first);
    std::vector<std::pair<StringCell, std::string>> kept;
    for (int i = 0; i < 200; ++i) {
        const std::string text(i % 7 == 0 ? 20'000 : 1'000, static_cast<char>('a' + i % 26));
        kept.emplace_back(arena.Copy(text), text);
    }
    for (const auto& [cell, text] : kept) EXPECT_EQ(cell.view(), text);
}

TEST(ArenaTest, ALargeTextHoldsOnToWhatItIsAPartOf) {
    Arena arena;
    auto message = std::make_shared<std::string>(1'000, 'm');
    const SharedBytes from{message, *message};
    const auto small = arena.Keep(from.bytes.substr(0, 100), from);
    EXPECT_NE(small.view().data(), message->data());
    EXPECT_EQ(message.use_count(), 2);
    const auto large = arena.Keep(from.bytes.substr(100, 900), from);
    EXPECT_EQ(large.view().data(), message->data() + 100);
    EXPECT_EQ(message.use_count(), 3);
    // Now it is there anyway.
    EXPECT_EQ(arena.Keep(from.bytes.substr(0, 100), from).view().data(), message->data());
    EXPECT_GE(arena.bytes(), 1'000u);
    // What is not of it, and what nobody owns, is copied.
    const std::string other(900, 'o');
    EXPECT_NE(arena.Keep(other, from).view().data(), other.data());
    EXPECT_NE(arena.Keep(other, {nullptr, other}).view().data(), other.data());
    arena = Arena();
    EXPECT_EQ(message.use_count(), 2);
}

void AddRow(RowStore& store, std::int64_t i) {
    const auto row = store.AddRow();
    store.cells(0).Set(row, i);
    if (i % 3 == 0) {
        store.cells(1).SetNull(row);
    } else {
        store.cells(1).Set(row, store.arena().Copy("a text with the number " + std::to_string(i)));
    }
    auto& list = store.cells(2);
    const auto at = list.child_size;
    const auto size = static_cast<std::size_t>(i % 4);
    auto& child = store.GrowChild(list, at + size);
    for (std::size_t j = 0; j < size; ++j) {
        if ((i + static_cast<std::int64_t>(j)) % 5 == 0) {
            child.SetNull(at + j);
        } else {
            child.Set(at + j, store.arena().Copy(std::to_string(i)));
        }
    }
    list.Set(row, ListCell{at, size});
}

void CheckRow(const RowStore& store, std::size_t row, std::int64_t i) {
    EXPECT_EQ(store.cells(0).Get<std::int64_t>(row), i);
    EXPECT_EQ(store.cells(1).IsNull(row), i % 3 == 0) << i;
    if (i % 3 != 0) {
        EXPECT_EQ(store.cells(1).GetString(row), "a text with the number " + std::to_string(i));
    }
    const auto list = store.cells(2).Get<ListCell>(row);
    ASSERT_EQ(list.length, static_cast<std::size_t>(i % 4));
    for (std::size_t j = 0; j < list.length; ++j) {
        const bool is_null = (i + static_cast<std::int64_t>(j)) % 5 == 0;
        ASSERT_EQ(store.cells(2).child->IsNull(list.offset + j), is_null) << i << " " << j;
        if (!is_null) {
            EXPECT_EQ(store.cells(2).child->GetString(list.offset + j), std::to_string(i));
        }
    }
}

TEST(RowStoreTest, KeepsItsRowsWhileItGrowsAndMoves) {
    RowStore store(kColumns);
    for (std::int64_t i = 0; i < 3000; ++i) AddRow(store, i);
    RowStore moved = std::move(store);
    for (std::int64_t i = 3000; i < 5000; ++i) AddRow(moved, i);
    RowStore assigned;
    assigned = std::move(moved);
    for (std::int64_t i = 5000; i < 6000; ++i) AddRow(assigned, i);
    ASSERT_EQ(assigned.rows(), 6000u);
    EXPECT_EQ(moved.rows(), 0u);
    for (std::int64_t i = 0; i < 6000; ++i) CheckRow(assigned, static_cast<std::size_t>(i), i);
    EXPECT_GT(assigned.bytes(), 6000u * (8 + 16 + 16));
}

TEST(RowStoreTest, ANewRowIsNotNullAfterOthersWere) {
    RowStore store(kColumns);
    for (int i = 0; i < 64; ++i) store.cells(0).SetNull(store.AddRow());
    for (int i = 64; i < 200; ++i) EXPECT_FALSE(store.cells(0).IsNull(store.AddRow())) << i;
    EXPECT_TRUE(store.cells(0).IsNull(63));
}

TEST(CopyCellTest, CopiesValuesNullsAndLists) {
    RowStore from(kColumns), to(kColumns);
    for (std::int64_t i = 0; i < 300; ++i) AddRow(from, i);
    for (std::size_t row = 0; row < 300; ++row) {
        const auto there = to.AddRow();
        for (std::size_t column = 0; column < 3; ++column) {
            CopyCell(from.cells(column), 299 - row, to.cells(column), there);
        }
    }
    for (std::size_t row = 0; row < 300; ++row) {
        CheckRow(to, row, static_cast<std::int64_t>(299 - row));
    }
}

TEST(CopyCellTest, CopiesAListWithinItsOwnColumn) {
    RowStore store(kColumns);
    AddRow(store, 7);
    for (int i = 0; i < 100; ++i) {
        const auto row = store.AddRow();
        for (std::size_t column = 0; column < 3; ++column) {
            CopyCell(store.cells(column), row - 1, store.cells(column), row);
        }
    }
    CheckRow(store, 100, 7);
}

}  // namespace
}  // namespace biwa
