#include "source/postgres/column_places.h"

#include <gtest/gtest.h>

namespace biwa::postgres {
namespace {

struct Known {
    const char* name;
    std::int32_t number;
    TypeId type = TypeId::kInt32;
};

TableSchema KnownOf(const std::vector<Known>& today) {
    TableSchema known;
    for (const auto& one : today) {
        known.columns.push_back({one.name, {one.type}, true, ""});
        known.columns.back().number = one.number;
    }
    return known;
}

// The numbers of these columns of then, all whole numbers; 0: dropped since; -1: nothing is
// certain.
std::vector<int> Numbers(const std::vector<std::string>& names, const std::vector<Known>& today) {
    const auto known = KnownOf(today);
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

// The numbers that each of these columns of then may have, all whole numbers.
std::vector<Expected> MayBeNumbers(const std::vector<std::string>& names,
                                   const std::vector<Known>& today) {
    const auto known = KnownOf(today);
    std::vector<Expected> numbers;
    const auto same_type = [&](std::size_t, std::size_t column) {
        return known.columns[column].type.id == TypeId::kInt32;
    };
    for (const auto& places : MayBePlaces(names, known, same_type)) {
        auto& of_one = numbers.emplace_back();
        for (const auto place : places) of_one.push_back(known.columns[place].number);
    }
    return numbers;
}

using AllExpected = std::vector<Expected>;

TEST(ColumnPlacesTest, AColumnMayBeWhatHasItsName) {
    EXPECT_EQ(MayBeNumbers({"id", "s"}, {{"id", 1}, {"s", 2}}), (AllExpected{{1}, {2}}));
    EXPECT_EQ(MayBeNumbers({"id", "c", "s", "n"}, {{"id", 1}, {"c", 3}, {"s", 4}}),
              (AllExpected{{1}, {3}, {4}, {}}));
    // Its type may have been changed.
    EXPECT_EQ(MayBeNumbers({"id", "s", "n"}, {{"id", 1}, {"s", 2, TypeId::kText}}),
              (AllExpected{{1}, {2}, {}}));
}

TEST(ColumnPlacesTest, OneWhoseNameHasGoneMayBeCalledOtherwise) {
    EXPECT_EQ(MayBeNumbers({"id", "c", "s"}, {{"id", 1}, {"c", 3}, {"n", 4}, {"m", 5}}),
              (AllExpected{{1}, {3}, {3, 4}}));
    EXPECT_EQ(MayBeNumbers({"id", "c", "s"}, {{"id", 1}, {"c", 2}, {"n", 4}, {"m", 5}}),
              (AllExpected{{1}, {2}, {4}}));
    EXPECT_EQ(MayBeNumbers({"id", "s", "c"}, {{"id", 1}, {"n", 2}, {"c", 3}}),
              (AllExpected{{1}, {2}, {3}}));
    EXPECT_EQ(MayBeNumbers({"id", "s", "c"}, {{"id", 1}, {"c", 3}, {"n", 4}}),
              (AllExpected{{1}, {3}, {3}}));
}

TEST(ColumnPlacesTest, OneWhoseNameHasGoneMayHaveThatOfANeighbour) {
    // c was dropped, and s got its name.
    EXPECT_EQ(MayBeNumbers({"id", "c", "s"}, {{"id", 1}, {"c", 3}}), (AllExpected{{1}, {3}, {3}}));
    EXPECT_EQ(MayBeNumbers({"id", "c", "s", "b"}, {{"id", 1}, {"c", 3}, {"b", 5}}),
              (AllExpected{{1}, {3}, {3, 5}, {5}}));
    EXPECT_EQ(MayBeNumbers({"id", "s", "c"}, {{"id", 1}, {"c", 3}}), (AllExpected{{1}, {3}, {3}}));
    EXPECT_EQ(MayBeNumbers({"id", "s", "c", "b"}, {{"id", 1}, {"c", 3}, {"b", 5}}),
              (AllExpected{{1}, {3}, {3}, {5}}));
    // There was no other number for c.
    EXPECT_EQ(MayBeNumbers({"id", "c", "s"}, {{"id", 1}, {"c", 2}}), (AllExpected{{1}, {2}, {}}));
    EXPECT_EQ(MayBeNumbers({"id", "s", "c", "b"}, {{"id", 1}, {"c", 3}, {"b", 4}}),
              (AllExpected{{1}, {}, {3}, {4}}));
}

TEST(ColumnPlacesTest, WhereNamesWereExchangedTheCountsTell) {
    EXPECT_EQ(MayBeNumbers({"id", "a", "s", "x"}, {{"id", 1}, {"s", 2}, {"a", 3}}),
              (AllExpected{{1}, {2}, {3}, {}}));
    // No number is left for s beside c, so that one of them got the name of the other.
    EXPECT_EQ(MayBeNumbers({"id", "s", "c"}, {{"id", 1}, {"c", 2}}), (AllExpected{{1}, {2}, {}}));
    EXPECT_EQ(MayBeNumbers({"id", "c", "s", "b"}, {{"id", 1}, {"c", 3}, {"b", 4}}),
              (AllExpected{{1}, {3}, {3, 4}, {4}}));
}

}  // namespace
}  // namespace biwa::postgres
