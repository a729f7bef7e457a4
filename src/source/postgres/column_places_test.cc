#include "source/postgres/column_places.h"

#include <gtest/gtest.h>

namespace biwa::postgres {
namespace {

struct Known {
    const char* name;
    std::int32_t number;
    TypeId type = TypeId::kInt32;
};

// The numbers of these columns of then, all whole numbers; 0: dropped since; -1: nothing is
// certain.
std::vector<int> Numbers(const std::vector<std::string>& names, const std::vector<Known>& today) {
    TableSchema known;
    for (const auto& one : today) {
        known.columns.push_back({one.name, {one.type}, true, ""});
        known.columns.back().number = one.number;
    }
    std::vector<int> numbers;
    const auto same_type = [&](std::size_t, std::size_t column) {
        return known.columns[column].type.id == TypeId::kInt32;
    };
    for (const auto& place : PlaceColumns(names, known, same_type)) {
        EXPECT_FALSE(place.column && place.is_gone);
        numbers.push_back(place.column    ? known.columns[*place.column].number
                          : place.is_gone ? 0
                                          : -1);
    }
    return numbers;
}

using Expected = std::vector<int>;

TEST(ColumnPlacesTest, WhereNoneWasDroppedThePlaceTells) {
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"a", 2}}), (Expected{1, 2}));
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"b", 2}}), (Expected{1, 2}));
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"b", 2}, {"a", 3}}), (Expected{1, 2}));
    EXPECT_EQ(Numbers({"id", "a", "b"}, {{"id", 1}, {"b", 2}, {"a", 3}}), (Expected{1, 2, 3}));
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"a", 2, TypeId::kText}}), (Expected{1, 2}));
}

TEST(ColumnPlacesTest, AColumnThatWasDroppedSinceIsNoneOfTodays) {
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}}), (Expected{1, 0}));
    EXPECT_EQ(Numbers({"id", "a", "b"}, {{"id", 1}, {"b", 3}}), (Expected{1, 0, 3}));
    EXPECT_EQ(Numbers({"a", "id"}, {{"id", 2}}), (Expected{0, 2}));
}

TEST(ColumnPlacesTest, BehindOneThatWasDroppedTheNameTellsWhereItCan) {
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"a", 3}}), (Expected{1, 3}));
    EXPECT_EQ(Numbers({"id", "a", "b"}, {{"id", 1}, {"a", 3}, {"c", 4}}), (Expected{1, 3, 4}));
    EXPECT_EQ(Numbers({"id", "a", "b"}, {{"id", 1}, {"c", 3}, {"b", 4}}), (Expected{1, 3, 4}));
    // c was there before b, whose number is greater: then b is not that b.
    EXPECT_EQ(Numbers({"id", "b"}, {{"id", 1}, {"c", 3}, {"b", 4}}), (Expected{1, -1}));
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"a", 3, TypeId::kText}}), (Expected{1, -1}));
    EXPECT_EQ(Numbers({"id", "a"}, {{"id", 1}, {"b", 3}}), (Expected{1, -1}));
    EXPECT_EQ(Numbers({"id", "a", "x", "b"}, {{"id", 1}, {"y", 3}, {"b", 6}}),
              (Expected{1, -1, -1, 6}));
    // No number is left for a.
    EXPECT_EQ(Numbers({"id", "x", "a", "b"}, {{"id", 1}, {"b", 3}}), (Expected{1, -1, -1, -1}));
}

TEST(ColumnPlacesTest, WhereAColumnMayBeByTheCounts) {
    // All of today's before it were there: it was not before those.
    EXPECT_FALSE(MayBe(0, 1, 5));
    EXPECT_TRUE(MayBe(1, 1, 5));
    EXPECT_TRUE(MayBe(4, 1, 5));
    // Four numbers come before 5, so it had the fifth place at most.
    EXPECT_FALSE(MayBe(5, 1, 5));
    EXPECT_TRUE(MayBe(0, 0, 1));
    EXPECT_FALSE(MayBe(1, 0, 1));
}

}  // namespace
}  // namespace biwa::postgres
