#include "replication/masking.h"

#include <gtest/gtest.h>

#include <limits>

#include "replication/mask_policy.h"

namespace biwa {
namespace {

Mask MaskOf(const char* text) { return ParseMask(text).value(); }

std::string Hex(KeyedHash& hash, std::string_view text) {
    std::string hex(KeyedHash::kHexBytes, ' ');
    hash.Hex(text, hex.data());
    return hex;
}

// A column with one value and a NULL behind it, masked.
template <typename T>
RowStore Masked(const char* mask, const Type& type, T value) {
    RowStore rows({{"c", type, true, ""}});
    rows.AddRow();
    rows.AddRow();
    rows.cells(0).Set(0, value);
    rows.cells(0).SetNull(1);
    KeyedHash hash("key");
    MaskColumn(MaskOf(mask), 0, rows, hash);
    EXPECT_TRUE(rows.cells(0).IsNull(1));
    return rows;
}

std::string MaskedText(const char* mask, std::string_view text) {
    const auto rows = Masked(mask, {TypeId::kText}, StringCell::Of(text.data(), text.size()));
    return std::string(rows.cells(0).GetString(0));
}

TEST(KeyedHashTest, IsHmacSha256) {
    // RFC 4231, test case 2.
    KeyedHash hash("Jefe");
    const auto* expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    EXPECT_EQ(Hex(hash, "what do ya want for nothing?"), expected);
    EXPECT_NE(Hex(hash, ""), expected);
    KeyedHash copy(hash);
    EXPECT_EQ(Hex(copy, "what do ya want for nothing?"), expected);
    EXPECT_EQ(Hex(hash, "what do ya want for nothing?"), expected);
}

TEST(MaskColumnTest, EqualNumbersOfAllTypesHashEqual) {
    KeyedHash hash("key");
    const auto seven = Hex(hash, "7");
    const auto of = [](const RowStore& rows) { return std::string(rows.cells(0).GetString(0)); };
    EXPECT_EQ(of(Masked("hash", {TypeId::kInt16}, std::int16_t{7})), seven);
    EXPECT_EQ(of(Masked("hash", {TypeId::kInt32}, std::int32_t{7})), seven);
    EXPECT_EQ(of(Masked("hash", {TypeId::kInt64}, std::int64_t{7})), seven);
    EXPECT_EQ(of(Masked("hash", Type::Decimal(30, 0), Int128{7, 0})), seven);
    EXPECT_EQ(of(Masked("hash", {TypeId::kDouble}, 7.0)), seven);
    EXPECT_EQ(MaskedText("hash", "7"), seven);
    EXPECT_NE(of(Masked("hash", {TypeId::kInt32}, std::int32_t{8})), seven);
}

TEST(MaskColumnTest, TruncatesCharactersNotBytes) {
    EXPECT_EQ(MaskedText("truncate 2", "山田太郎"), "山田");
    EXPECT_EQ(MaskedText("truncate 2", "a"), "a");
    EXPECT_EQ(MaskedText("truncate 2", ""), "");
    EXPECT_EQ(MaskedText("truncate 20", "more than twelve bytes of text"), "more than twelve byt");
    // Not UTF-8, but cut where it ends.
    EXPECT_EQ(MaskedText("truncate 1", "\x80\x80"), "\x80\x80");
}

TEST(MaskColumnTest, OfAnAddressOnlyTheDomainStays) {
    EXPECT_EQ(MaskedText("email", "taro.yamada@example.com"), "***@example.com");
    EXPECT_EQ(MaskedText("email", "\"a@b\"@example.org"), "***@example.org");
    for (const auto* none : {"", "Taro Yamada", "090-1234-5678"}) {
        EXPECT_EQ(MaskedText("email", none), "***") << none;
    }
}

TEST(MaskColumnTest, DatesBecomeTheFirstDayOfTheirYearOrMonth) {
    struct Case {
        std::int32_t day, year, month;
    };
    // Days since 1970-01-01, as PostgreSQL counts them.
    for (const auto& [day, year, month] :
         {Case{0, 0, 0}, Case{-1, -365, -31}, Case{11'016, 10'957, 10'988},  // 2000-02-29
          Case{11'017, 10'957, 11'017}, Case{20'778, 20'454, 20'758},        // 2026-11-21
          Case{-719'163, -719'528, -719'193},                                // 1 BC, 12-31
          Case{2'145'042'905, 2'145'042'541, 2'145'042'875}}) {              // 5874897-12-31
        EXPECT_EQ(Masked("year", {TypeId::kDate}, day).cells(0).Get<std::int32_t>(0), year) << day;
        EXPECT_EQ(Masked("month", {TypeId::kDate}, day).cells(0).Get<std::int32_t>(0), month)
            << day;
    }
    constexpr auto kInfinity = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t kDay = 86'400'000'000;
    const auto time = [](std::int64_t micros) {
        return Masked("month", {TypeId::kTimestampTz}, micros).cells(0).Get<std::int64_t>(0);
    };
    EXPECT_EQ(time(kInfinity), kInfinity);
    EXPECT_EQ(time(-kInfinity), -kInfinity);
    EXPECT_EQ(time(-1), -31 * kDay);
    EXPECT_EQ(time(31 * kDay - 1), 0);
    EXPECT_EQ(time(31 * kDay), 31 * kDay);
}

TEST(MaskedFillTest, WhatRowsFromBeforeHaveIsMaskedToo) {
    KeyedHash hash("key");
    const auto fill = [&](const char* mask, TypeId type, const char* text) {
        return MaskedFill(MaskOf(mask), {"c", {type}, true, "", text}, hash).value_or("nothing");
    };
    EXPECT_EQ(fill("null", TypeId::kText, "clear"), "nothing");
    EXPECT_EQ(fill("drop", TypeId::kText, "clear"), "nothing");
    EXPECT_EQ(fill("hash", TypeId::kInt32, "7"), Hex(hash, "7"));
    EXPECT_EQ(fill("truncate 1", TypeId::kText, "山田"), "山");
    EXPECT_EQ(fill("email", TypeId::kText, "a@b.c"), "***@b.c");
    EXPECT_EQ(fill("year", TypeId::kDate, "2026-11-21"), "2026-01-01");
    EXPECT_EQ(fill("month", TypeId::kTimestampTz, "2026-11-21 05:06:07+00"),
              "2026-11-01 00:00:00+00");
    EXPECT_EQ(fill("month", TypeId::kTimestamp, "infinity"), "infinity");
}

TEST(MaskedTypeTest, AMaskIsForTypesThatItUnderstands) {
    EXPECT_EQ(MaskedType(MaskOf("hash"), Type::List({TypeId::kInt32}))->id, TypeId::kText);
    EXPECT_EQ(MaskedType(MaskOf("null"), {TypeId::kUuid})->id, TypeId::kUuid);
    EXPECT_FALSE(MaskedType(MaskOf("email"), {TypeId::kJson}));
    EXPECT_FALSE(MaskedType(MaskOf("truncate 1"), {TypeId::kInt32}));
    EXPECT_FALSE(MaskedType(MaskOf("year"), {TypeId::kText}));
    EXPECT_FALSE(MaskedType(MaskOf("month"), {TypeId::kTime}));
}

SourceTable TableOf(const char* schema, const char* name, const char* column) {
    SourceTable table;
    table.schema = schema;
    table.name = name;
    table.columns.columns.push_back({column, {TypeId::kText}, true, ""});
    return table;
}

TEST(FindMaskTest, AColumnsOwnNameCountsBeforeAStar) {
    MaskPolicy policy;
    policy.masks = {{"*.email", MaskOf("email")}, {"billing.*", MaskOf("null")}};
    policy.clear = {"support.email", "billing.invoices.id"};
    const auto mask = [&](const char* schema, const char* table, const char* column) {
        const auto found = FindMask(policy, TableOf(schema, table, column), column);
        return !found ? "error" : *found ? ToString(**found) : "clear";
    };
    EXPECT_EQ(mask("public", "students", "email"), "email");
    EXPECT_EQ(mask("public", "students", "e-mail"), "clear");
    EXPECT_EQ(mask("public", "support", "email"), "clear");
    EXPECT_EQ(mask("other", "support", "email"), "email");
    EXPECT_EQ(mask("billing", "invoices", "id"), "clear");
    EXPECT_EQ(mask("billing", "invoices", "iban"), "null");
    EXPECT_EQ(mask("billing", "invoices", "email"), "error");
    policy.by_default = true;
    EXPECT_EQ(mask("public", "students", "e-mail"), "null");
    EXPECT_EQ(mask("public", "support", "email"), "clear");
}

TEST(FindMaskTest, NamesWithDotsAreFoundByWhatIsThere) {
    MaskPolicy policy;
    policy.masks = {{"a.b.c", MaskOf("null")}};
    EXPECT_TRUE(FindMask(policy, TableOf("a", "b", "c"), "c")->has_value());
    EXPECT_TRUE(FindMask(policy, TableOf("public", "a", "b.c"), "b.c")->has_value());
    EXPECT_FALSE(FindMask(policy, TableOf("public", "b", "c"), "c")->has_value());
}

TEST(MaskTextTest, ShowsNothingOfTheKey) {
    MaskPolicy policy;
    policy.key = "the secret of this test";
    policy.key_reference = "${env:KEY}";
    const auto text = MaskText(policy, MaskOf("hash"));
    EXPECT_TRUE(text.starts_with("hash by ${env:KEY} (")) << text;
    EXPECT_EQ(text.size(), std::string("hash by ${env:KEY} (0c3e2f1a)").size());
    EXPECT_EQ(text.find(policy.key), std::string::npos);
    auto other = policy;
    other.key += "!";
    EXPECT_NE(MaskText(other, MaskOf("hash")), text);
    EXPECT_EQ(MaskText(policy, MaskOf("email")), "email");
}

}  // namespace
}  // namespace biwa
