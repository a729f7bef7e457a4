#include "replication/stream_tables.h"

#include <gtest/gtest.h>

#include "replication/target_table.h"

namespace biwa {
namespace {

SourceTable Found(const std::string& name, const std::string& id) {
    SourceTable table;
    table.schema = "public";
    table.name = name;
    table.id = id;
    table.columns.columns.push_back({"id", {TypeId::kInt32}, false, ""});
    table.columns.key = {0};
    return table;
}

StreamState::Table Known(const std::string& name, const std::string& id,
                         TablePhase phase = TablePhase::kLive) {
    StreamState::Table table{.schema = "public", .name = name, .id = id};
    table.phase = phase;
    return table;
}

std::vector<std::string> Compare(const std::vector<StreamState::Table>& known,
                                 const std::vector<SourceTable>& found) {
    std::vector<std::string> texts;
    for (const auto& step : CompareTables(known, found)) {
        const char* names[] = {"add ", "recopy ", "rename ", "publish ", "gone "};
        texts.push_back(names[static_cast<int>(step.kind)] + step.table);
    }
    return texts;
}
using Texts = std::vector<std::string>;

TEST(StreamStateTest, WhatGoesIsFollowedToItsEndOnlyIfItWasFollowed) {
    for (const auto phase :
         {TablePhase::kLive, TablePhase::kWaiting, TablePhase::kPaused, TablePhase::kCopying}) {
        auto table = Known("t", "1", phase);
        table.from = 7;
        table.Enter(TablePhase::kGone);
        EXPECT_EQ(table.phase, TablePhase::kGone);
        EXPECT_EQ(table.from == 7, phase == TablePhase::kLive);
    }
    auto table = Known("t", "1");
    table.Enter(TablePhase::kWaiting);
    EXPECT_EQ(table.from, 0u);
}

TEST(CompareTablesTest, NothingIsDoneWhereNothingHasChanged) {
    EXPECT_EQ(Compare({Known("a", "1")}, {Found("a", "1")}), Texts{});
    // What waits, or was paused by somebody, is not touched.
    EXPECT_EQ(Compare({Known("a", "1", TablePhase::kWaiting), Known("b", "2", TablePhase::kPaused)},
                      {Found("a", "9"), Found("b", "9")}),
              Texts{});
    // From before ids were kept.
    EXPECT_EQ(Compare({Known("a", "")}, {Found("a", "1")}), Texts{});
}

TEST(CompareTablesTest, ATableIsTheOneOfItsNameBeforeItIsTheOneOfItsId) {
    EXPECT_EQ(Compare({Known("a", "1")}, {Found("b", "1")}), Texts{"rename public.a"});
    EXPECT_EQ(Compare({Known("a", "1")}, {Found("b", "1"), Found("a", "2")}),
              (Texts{"recopy public.a", "add public.b"}));
    // Two that have changed their names with each other.
    EXPECT_EQ(Compare({Known("a", "1"), Known("b", "2")}, {Found("a", "2"), Found("b", "1")}),
              (Texts{"recopy public.a", "recopy public.b"}));
}

TEST(CompareTablesTest, TablesComeGoAndComeBack) {
    EXPECT_EQ(Compare({}, {Found("a", "1")}), Texts{"add public.a"});
    EXPECT_EQ(Compare({Known("a", "1")}, {}), Texts{"gone public.a"});
    EXPECT_EQ(Compare({Known("a", "1", TablePhase::kGone)}, {}), Texts{});
    EXPECT_EQ(Compare({Known("a", "1", TablePhase::kGone)}, {Found("a", "1")}),
              Texts{"recopy public.a"});
    auto refused = Found("a", "1");
    refused.refusal = "is unlogged";
    EXPECT_EQ(Compare({Known("a", "1")}, {refused}), Texts{"gone public.a"});
    EXPECT_EQ(Compare({}, {refused}), Texts{});
}

TEST(CompareTablesTest, RowsThatAreToldApartOtherwiseAreCopiedAnew) {
    auto alike = Found("a", "1");
    alike.columns.key_repeats = true;
    EXPECT_EQ(Compare({Known("a", "1")}, {alike}), Texts{"recopy public.a"});
    auto keyless = Found("a", "1");
    keyless.columns.key.clear();
    EXPECT_EQ(Compare({Known("a", "1")}, {keyless}), Texts{"recopy public.a"});
    // What waits, or was paused, is published otherwise: updates would fail at the source.
    for (const auto phase : {TablePhase::kWaiting, TablePhase::kPaused}) {
        EXPECT_EQ(Compare({Known("a", "1", phase)}, {keyless}), Texts{"publish public.a"});
    }
}

TEST(CompareTablesTest, WhatIsNotPublishedIsCopiedAnewAndPublishedBefore) {
    auto found = Found("a", "1");
    found.is_published = false;
    EXPECT_EQ(Compare({Known("a", "1")}, {found}), Texts{"recopy public.a"});
    for (const auto phase : {TablePhase::kWaiting, TablePhase::kPaused}) {
        EXPECT_EQ(Compare({Known("a", "1", phase)}, {found}), Texts{"publish public.a"});
    }
}

TEST(CompareTablesTest, AnotherPartIsCopiedAnewAndOneOfAnotherNameIsNotTakenForTheWhole) {
    auto known = Known("a", "1");
    auto found = Found("a", "1");
    known.part = "columns id";
    found.part.columns = {"id"};
    EXPECT_EQ(Compare({known}, {found}), Texts{});
    found.part.where = "id > 0";
    EXPECT_EQ(Compare({known}, {found}), Texts{"recopy public.a"});
    known.phase = TablePhase::kWaiting;
    EXPECT_EQ(Compare({known}, {found}), Texts{"publish public.a"});

    known.phase = TablePhase::kLive;
    found.name = "b";
    found.part = {};
    EXPECT_EQ(Compare({known}, {found}), Texts{"gone public.a"});
    found.part.columns = {"id"};
    EXPECT_EQ(Compare({known}, {found}), Texts{"rename public.a"});
    found.part.where = "id > 0";
    EXPECT_EQ(Compare({known}, {found}), (Texts{"gone public.a", "add public.b"}));
}

TEST(WidensTest, IsTrueWhereEachValueReadsTheSame) {
    const Type int16{TypeId::kInt16}, int32{TypeId::kInt32}, int64{TypeId::kInt64};
    const Type text{TypeId::kText}, floating{TypeId::kFloat}, real{TypeId::kDouble};
    for (const auto& [from, to] :
         std::vector<std::pair<Type, Type>>{{int16, int32},
                                            {int32, int64},
                                            {int64, {TypeId::kInt128}},
                                            {floating, real},
                                            {int32, real},
                                            {int32, Type::Decimal(10, 0)},
                                            {Type::Decimal(6, 2), Type::Decimal(8, 4)},
                                            {Type::Decimal(6, 2), text},
                                            {int64, text},
                                            {Type::List(int32), Type::List(int64)}}) {
        EXPECT_TRUE(Widens(from, to)) << ToSql(from) << " " << ToSql(to);
        EXPECT_FALSE(Widens(to, from)) << ToSql(to) << " " << ToSql(from);
    }
    for (const auto& [from, to] :
         std::vector<std::pair<Type, Type>>{{int64, real},
                                            {int32, Type::Decimal(9, 0)},
                                            {Type::Decimal(6, 2), Type::Decimal(7, 4)},
                                            {real, text},
                                            {{TypeId::kDate}, {TypeId::kTimestamp}},
                                            {text, {TypeId::kJson}},
                                            {{TypeId::kTimestamp}, {TypeId::kTimestampTz}}}) {
        EXPECT_FALSE(Widens(from, to)) << ToSql(from) << " " << ToSql(to);
    }
}

TableShape Shape(std::map<std::string, std::string> parts,
                 std::map<std::int32_t, std::string> columns) {
    return {std::move(parts), {}, std::move(columns)};
}

TEST(ReasonOfShapeTest, ValuesMayBeOthersWhereTheTableWasStoredAnewWithOtherColumns) {
    const auto books = BooksOf(Shape({{"10", "100"}}, {{1, "7"}, {2, "7"}}));
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, "7"}})), "");
    // VACUUM FULL; SET NOT NULL; a column dropped; a generated one made.
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "101"}}, {{1, "7"}, {2, "7"}})), "");
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, "8"}})), "");
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "101"}}, {{1, "7"}, {2, ""}})), "");
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "101"}}, {{1, "7"}, {2, "7"}, {3, "generated"}})),
              "");
    EXPECT_NE(ReasonOfShape(books, Shape({{"10", "101"}}, {{1, "7"}, {2, "8"}})), "");
    EXPECT_NE(ReasonOfShape(books, Shape({{"10", "101"}}, {{1, "7"}, {2, "7"}, {3, "8"}})), "");
}

TEST(ReasonOfShapeTest, AColumnMayHaveHadTheNameOfOneThatWasDroppedUnseen) {
    const auto books = BooksOf(Shape({{"10", "100"}}, {{1, "7"}, {2, ""}}));
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, ""}, {3, "8"}})), "");
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, ""}, {3, "8"}, {4, ""}})),
              "");
    EXPECT_NE(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, ""}, {3, ""}, {4, "8"}})),
              "");
}

TEST(ReasonOfShapeTest, PartsComeAndGoAndOnlyOneThatHadRowsCounts) {
    const auto books = BooksOf(Shape({{"10", "100"}, {"11@700", "101"}}, {{1, "7"}}));
    auto now = Shape({{"11@700", "101"}, {"12@701", "102"}}, {{1, "7"}});
    EXPECT_EQ(ReasonOfShape(books, now), "");
    now.filled_parts = {{"11@700", "public.old"}};
    EXPECT_EQ(ReasonOfShape(books, now), "");
    now.filled_parts = {{"12@701", "public.new"}};
    EXPECT_EQ(ReasonOfShape(books, now), "public.new had rows when it was made a partition of it");
    // It has been copied since; and was taken out, filled, and attached again.
    const auto copied = BooksOf(now);
    EXPECT_EQ(ReasonOfShape(copied, now), "");
    now = Shape({{"11@700", "101"}, {"12@800", "102"}}, {{1, "7"}});
    now.filled_parts = {{"12@800", "public.new"}};
    EXPECT_EQ(ReasonOfShape(copied, now), "public.new had rows when it was made a partition of it");
}

TEST(ReasonOfShapeTest, ValuesOfAColumnThatWasGeneratedAreNotHere) {
    const auto books = BooksOf(Shape({{"10", "100"}}, {{1, "7"}, {2, "generated"}}));
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "101"}}, {{1, "7"}, {2, "generated"}})), "");
    EXPECT_NE(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, "8"}})), "");
    EXPECT_EQ(ReasonOfShape(books, Shape({{"10", "100"}}, {{1, "7"}, {2, ""}})), "");
}

TEST(ReasonOfShapeTest, WhereNothingIsKnownNothingIsSaid) {
    EXPECT_EQ(BooksOf({}), "");
    EXPECT_EQ(ReasonOfShape("", Shape({{"10", "100"}}, {{1, "7"}})), "");
    EXPECT_EQ(ReasonOfShape(BooksOf(Shape({{"10", "100"}}, {{1, "7"}})), {}), "");
    // Of a root without partitions.
    EXPECT_EQ(ReasonOfShape(BooksOf(Shape({}, {{1, "7"}})), Shape({{"1", "2"}}, {{1, "7"}})), "");
}

}  // namespace
}  // namespace biwa
