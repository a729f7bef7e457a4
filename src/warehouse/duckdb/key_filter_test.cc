#include "warehouse/duckdb/key_filter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "model/row_store.h"
#include "model/testing.h"

namespace biwa::duck {
namespace {

std::vector<Column> ColumnsOf(const std::vector<Type>& types) {
    std::vector<Column> columns;
    for (const auto& type : types) columns.push_back({"c", type, true, ""});
    return columns;
}

// Rows of some types, made from numbers: equal ones of equal numbers.
class Rows {
  public:
    explicit Rows(const std::vector<Type>& types) : owned_(ColumnsOf(types)) {
        for (auto& cells : owned_.block().columns) key_.push_back(&cells);
    }
    void Set(std::size_t row, std::uint64_t number) {
        for (auto& cells : owned_.block().columns) {
            if (IsString(cells.type)) {
                cells.Set(row, arena_.Copy(number % 2 == 0 ? fmt::format("k{}", number)
                                                           : fmt::format("生徒の番号 {}", number)));
                continue;
            }
            const Int128 wide{number, static_cast<std::int64_t>(~number)};
            std::memcpy(cells.data + row * CellBytes(cells.type), &wide, CellBytes(cells.type));
        }
    }
    void SetNull(std::size_t row) {
        for (auto& cells : owned_.block().columns) cells.SetNull(row);
    }
    std::span<const Cells* const> key() const { return key_; }

  private:
    OwnedBlock owned_;
    Arena arena_;
    std::vector<const Cells*> key_;
};

void AddNumbers(KeyFilter& filter, Rows& rows, std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
        std::size_t row = 0;
        for (; row < kBlockRows && begin < end; ++row) rows.Set(row, 3 * begin++);
        filter.Add(rows.key(), row);
    }
}

// How many of the numbers, 2,048 at most, may be there.
std::size_t Found(const KeyFilter& filter, Rows& rows, std::uint64_t first, std::uint64_t step) {
    for (std::size_t row = 0; row < kBlockRows; ++row) rows.Set(row, first + step * row);
    std::array<bool, kBlockRows> may_have{};
    filter.MayHave(rows.key(), kBlockRows, may_have.data());
    return static_cast<std::size_t>(std::count(may_have.begin(), may_have.end(), true));
}

TEST(KeyFilterTest, FindsAllKeysAndFewOthers) {
    const std::vector<std::vector<Type>> keys = {
        {{TypeId::kInt32}},
        {{TypeId::kInt64}},
        {{TypeId::kInt128}},
        {{TypeId::kUuid}},
        {Type::Decimal(9, 2)},
        {Type::Decimal(38, 0)},
        {{TypeId::kText}},
        {{TypeId::kBytes}},
        {{TypeId::kTimestampTz}},
        {{TypeId::kInt64}, {TypeId::kText}},
        {{TypeId::kInt16}, {TypeId::kInt32}, {TypeId::kUuid}},
    };
    constexpr std::uint64_t kKeys = 20'480;
    for (const auto& types : keys) {
        SCOPED_TRACE(ToSql(types[0]));
        Rows rows(types);
        KeyFilter filter(kKeys);
        AddNumbers(filter, rows, 0, kKeys);
        std::size_t wrong = 0;
        for (std::uint64_t i = 0; i < kKeys; i += kBlockRows) {
            EXPECT_EQ(Found(filter, rows, 3 * i, 3), kBlockRows);
            wrong += Found(filter, rows, 3 * i + 1, 3);
        }
        EXPECT_LT(wrong, kKeys / 25);
    }
}

TEST(KeyFilterTest, NumbersOfTwoBytesAreAllThere) {
    Rows rows({{TypeId::kInt16}});
    KeyFilter filter(65'536);
    AddNumbers(filter, rows, 0, 65'536);
    EXPECT_EQ(Found(filter, rows, 0, 32), kBlockRows);
}

TEST(KeyFilterTest, MoreKeysThanWereSaidAreFound) {
    Rows rows({{TypeId::kInt64}});
    KeyFilter filter(0);
    AddNumbers(filter, rows, 0, 100'000);
    EXPECT_EQ(Found(filter, rows, 0, 3), kBlockRows);
}

TEST(KeyFilterTest, WhereNothingIsThereMayBeAnything) {
    Rows rows({{TypeId::kText}});
    KeyFilter filter(10);
    for (std::size_t row = 0; row < 10; ++row) rows.Set(row, row);
    rows.SetNull(3);
    // What a cell without a value holds is nothing to be followed.
    StringCell nowhere;
    nowhere.length = 1'000;
    nowhere.pointer = nullptr;
    const_cast<Cells*>(rows.key()[0])->Set(3, nowhere);
    filter.Add(rows.key(), 10);
    std::array<bool, kBlockRows> may_have{};
    filter.MayHave(rows.key(), 10, may_have.data());
    for (std::size_t row = 0; row < 10; ++row) EXPECT_TRUE(may_have[row]) << row;
}

TEST(KeyFilterTest, ThreadsFillItTogether) {
    KeyFilter filter(40'960);
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
        threads.emplace_back([&filter, i] {
            Rows rows({{TypeId::kInt64}});
            AddNumbers(filter, rows, i * 10'240, (i + 1) * 10'240);
        });
    }
    for (auto& thread : threads) thread.join();
    Rows rows({{TypeId::kInt64}});
    for (std::uint64_t i = 0; i < 40'960; i += kBlockRows) {
        EXPECT_EQ(Found(filter, rows, 3 * i, 3), kBlockRows);
    }
}

TEST(KeyFilterTest, TellsOnlyWhatIsEqualByItsBytes) {
    EXPECT_TRUE(KeyFilter::CanTell({TypeId::kInt64}));
    EXPECT_TRUE(KeyFilter::CanTell({TypeId::kText}));
    EXPECT_FALSE(KeyFilter::CanTell({TypeId::kDouble}));
    EXPECT_FALSE(KeyFilter::CanTell({TypeId::kFloat}));
    EXPECT_FALSE(KeyFilter::CanTell({TypeId::kInterval}));
    EXPECT_FALSE(KeyFilter::CanTell(Type::List({TypeId::kInt64})));
}

}  // namespace
}  // namespace biwa::duck
