#include "source/postgres/pgoutput.h"

#include <gtest/gtest.h>

#include "source/postgres/binary_values.h"
#include "source/postgres/wire_testing.h"

namespace biwa::postgres {
namespace {

constexpr std::uint32_t kAnswers = 1, kElsewhere = 2;

std::string Zero(const std::string& text) { return text + '\0'; }

std::string Begin() { return "B" + Int64(0x500) + Int64(0) + Int32(7); }
std::string Commit(std::uint64_t end) {
    return "C" + Int8(0) + Int64(0x500) + Int64(static_cast<std::int64_t>(end)) + Int64(1'000'000);
}

struct Described {
    std::string name;
    Oid type;
    bool in_key = false;
};

std::string Announce(std::uint32_t id, const std::string& table,
                     const std::vector<Described>& columns) {
    auto bytes = "R" + Int32(id) + Zero("public") + Zero(table) + "d" +
                 Int16(static_cast<std::int64_t>(columns.size()));
    for (const auto& column : columns) {
        bytes += Int8(column.in_key ? 1 : 0) + Zero(column.name) + Int32(column.type) + Int32(-1);
    }
    return bytes;
}

const std::vector<Described> kColumns = {{"id", 23, true}, {"t", 25}, {"big", 25}};

// A column of a tuple: a text, or "\1n" NULL, "\1u" unchanged, "\1b…" binary.
const std::string kNull = "\1n", kUnchanged = "\1u";
std::string Binary(const std::string& bytes) { return "\1b" + bytes; }

std::string Tuple(const std::vector<std::string>& columns) {
    auto bytes = Int16(static_cast<std::int64_t>(columns.size()));
    for (const auto& column : columns) {
        if (column == kNull || column == kUnchanged) {
            bytes += column[1];
        } else if (column.starts_with("\1b")) {
            bytes += "b" + Field(column.substr(2));
        } else {
            bytes += "t" + Field(column);
        }
    }
    return bytes;
}

std::string Insert(const std::vector<std::string>& row) {
    return "I" + Int32(kAnswers) + "N" + Tuple(row);
}
std::string Update(const std::vector<std::string>& row) {
    return "U" + Int32(kAnswers) + "N" + Tuple(row);
}
std::string UpdateFrom(char kind, const std::vector<std::string>& old_row,
                       const std::vector<std::string>& row) {
    return "U" + Int32(kAnswers) + kind + Tuple(old_row) + "N" + Tuple(row);
}
std::string Delete(char kind, const std::vector<std::string>& row) {
    return "D" + Int32(kAnswers) + kind + Tuple(row);
}
std::string Truncate(const std::vector<std::uint32_t>& tables) {
    auto bytes = "T" + Int32(static_cast<std::int64_t>(tables.size())) + Int8(0);
    for (const auto table : tables) bytes += Int32(table);
    return bytes;
}

// Knows every table but "elsewhere"; the columns marked so are the key.
class TestResolver final : public RelationResolver {
  public:
    Result<std::optional<ResolvedRelation>> Resolve(const Relation& relation) override {
        if (relation.name == "elsewhere") return std::optional<ResolvedRelation>();
        ResolvedRelation resolved;
        auto schema = std::make_shared<TableSchema>();
        for (const auto& column : relation.columns) {
            auto decoder = DecoderFor(column.type, column.modifier, {});
            if (column.in_key) schema->key.push_back(schema->columns.size());
            schema->columns.push_back({column.name, decoder.type, true, ""});
            resolved.decoders.push_back(std::move(decoder));
        }
        resolved.columns = std::move(schema);
        resolved.names_only = relation.name == "waiting";
        return std::optional<ResolvedRelation>(std::move(resolved));
    }
};

class PgOutputTest : public testing::Test {
  protected:
    void Feed(const std::vector<std::string>& messages) {
        for (const auto& message : messages) {
            const auto decoded = decoder_.Decode(message);
            ASSERT_TRUE(decoded) << decoded.error().message;
        }
    }
    ErrorKind Refused(const std::string& message) {
        const auto decoded = decoder_.Decode(message);
        EXPECT_FALSE(decoded);
        return decoded ? ErrorKind::kUser : decoded.error().kind;
    }

    TestResolver resolver_;
    PgOutputDecoder decoder_{resolver_};
};

TEST(ParseLsnTest, ReadsPostgresNotation) {
    EXPECT_EQ(*ParseLsn("16/B374D848"), 0x16B374D848u);
    EXPECT_EQ(*ParseLsn("0/0"), 0u);
    EXPECT_EQ(*ParseLsn("ffffffff/ffffffff"), ~std::uint64_t{0});
    EXPECT_EQ(LsnText(0x16B374D848u), "16/B374D848");
    for (auto bad : {"", "16", "16/", "/1", "16/B374D848x", "100000000/0", "-1/0", "1/2/3", " 1/2"})
        EXPECT_FALSE(ParseLsn(bad)) << bad;
}

TEST_F(PgOutputTest, OfATableThatIsHeardOnlyItTellsTheColumnsAndNoChanges) {
    Feed({Begin(), Announce(kAnswers, "waiting", kColumns), Insert({"1", "a", "b"}),
          Truncate({kAnswers}), Announce(kAnswers, "waiting", {{"id", 23}, {"u", 25}}),
          // The key is lacking, and nobody wants to know.
          Delete('K', {kNull, kNull}), Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    EXPECT_EQ(batch.changes, 0u);
    EXPECT_EQ(batch.commits, 1u);
    ASSERT_EQ(batch.tables.size(), 2u);
    for (const auto& part : batch.tables) {
        EXPECT_TRUE(part.names_only);
        EXPECT_TRUE(part.kinds.empty());
        EXPECT_FALSE(part.truncated_first);
    }
    EXPECT_EQ(batch.tables[0].columns->columns[1].name, "t");
    EXPECT_EQ(batch.tables[1].columns->columns[1].name, "u");
}

TEST_F(PgOutputTest, ReadsATransactionOfEveryKindOfChange) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns), Insert({"1", "日本", kNull}),
          Insert({Binary(Int32(2)), Binary("two"), Binary("a long value, kept elsewhere")}),
          Update({"2", "zwei", kUnchanged}),
          UpdateFrom('K', {"1", kNull, kNull}, {"9", "x", kNull}), Delete('K', {"2", kNull, kNull}),
          Commit(0x600)});
    EXPECT_TRUE(decoder_.at_commit());
    const auto batch = decoder_.TakeBatch();
    EXPECT_EQ(batch.changes, 5u);
    EXPECT_EQ(batch.commits, 1u);
    ASSERT_TRUE(batch.commit);
    EXPECT_EQ(batch.commit->order, 0x600u);
    EXPECT_EQ(batch.commit->text, "0/600");
    EXPECT_EQ(batch.commit_time, 946'684'801'000'000);
    ASSERT_EQ(batch.tables.size(), 1u);
    const auto& part = batch.tables[0];
    EXPECT_EQ(part.schema + "." + part.name, "public.answers");
    EXPECT_EQ(part.kinds, (std::vector<ChangeKind>{ChangeKind::kInsert, ChangeKind::kInsert,
                                                   ChangeKind::kUpdate, ChangeKind::kUpdate,
                                                   ChangeKind::kDelete}));
    EXPECT_EQ(part.rows.cells(0).Get<std::int32_t>(1), 2);
    EXPECT_EQ(part.rows.cells(1).GetString(0), "日本");
    EXPECT_TRUE(part.rows.cells(2).IsNull(0));
    EXPECT_EQ(part.rows.cells(2).GetString(1), "a long value, kept elsewhere");
    ASSERT_EQ(part.unchanged.size(), 1u);
    EXPECT_EQ(part.unchanged[0].row, 2u);
    EXPECT_EQ(part.unchanged[0].column, 2u);
    ASSERT_EQ(part.key_changes.size(), 1u);
    EXPECT_EQ(part.key_changes[0].row, 3u);
    EXPECT_EQ(part.old_keys.cells(0).Get<std::int32_t>(part.key_changes[0].old_key), 1);
    EXPECT_EQ(part.rows.cells(0).Get<std::int32_t>(4), 2);
    EXPECT_TRUE(part.rows.cells(1).IsNull(4));
}

TEST_F(PgOutputTest, AnInsertMayLeaveOutWhatTheRowHadBeforeItWasPublished) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns), Insert({"1", "a", kUnchanged}),
          Insert({"2", "b", "c"}), Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    const auto& part = batch.tables.at(0);
    EXPECT_EQ(part.kinds, std::vector(2, ChangeKind::kInsert));
    ASSERT_EQ(part.unchanged.size(), 1u);
    EXPECT_EQ(part.unchanged[0].row, 0u);
    EXPECT_EQ(part.unchanged[0].column, 2u);
    EXPECT_TRUE(decoder_.Decode(Begin()));
    EXPECT_FALSE(decoder_.Decode("I" + Int32(kAnswers) + "N" + Tuple({kUnchanged, "a", "b"})))
        << "a key that is left out is known to nobody";
}

TEST_F(PgOutputTest, AFullOldRowFillsInWhatTheNewOneLeavesOut) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns),
          UpdateFrom('O', {"1", "a", "large"}, {"1", "b", kUnchanged}),
          UpdateFrom('O', {"1", "b", "large"}, {"2", "b", kUnchanged}),
          Delete('O', {"2", "b", "c"}), Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    const auto& part = batch.tables.at(0);
    EXPECT_TRUE(part.unchanged.empty());
    EXPECT_EQ(part.rows.cells(2).GetString(0), "large");
    ASSERT_EQ(part.key_changes.size(), 1u);
    EXPECT_EQ(part.key_changes[0].row, 1u);
    EXPECT_TRUE(part.rows.cells(1).IsNull(2)) << "of a delete only the key counts";
}

TEST_F(PgOutputTest, ALargeValueOfTheKeyIsTakenFromTheOldRow) {
    // PostgreSQL logs the old key when it has values kept elsewhere, and leaves them out of the new
    // row.
    Feed({Begin(), Announce(kAnswers, "answers", {{"id", 23, true}, {"path", 25, true}, {"t", 25}}),
          UpdateFrom('K', {"1", "a large key", kNull}, {"1", kUnchanged, "new"}), Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    const auto& part = batch.tables.at(0);
    EXPECT_TRUE(part.unchanged.empty());
    EXPECT_TRUE(part.key_changes.empty());
    EXPECT_EQ(part.rows.cells(1).GetString(0), "a large key");
}

TEST_F(PgOutputTest, ARowWithoutItsKeyIsRefused) {
    for (const auto& message : {Insert({kNull, "a", "b"}), Insert({kUnchanged, "a", "b"}),
                                Update({kUnchanged, "a", "b"})}) {
        PgOutputDecoder decoder(resolver_);
        ASSERT_TRUE(decoder.Decode(Begin()));
        ASSERT_TRUE(decoder.Decode(Announce(kAnswers, "answers", kColumns)));
        EXPECT_FALSE(decoder.Decode(message));
    }
}

// As from a partition with another replica identity: the other tables go on.
TEST_F(PgOutputTest, ATableWhoseChangeDoesNotSayOfWhichRowIsCopiedAnew) {
    for (const auto& message : {UpdateFrom('K', {kNull, kNull, kNull}, {"1", "a", "b"}),
                                Delete('K', {kNull, kNull, kNull})}) {
        PgOutputDecoder decoder(resolver_);
        ASSERT_TRUE(decoder.Decode(Begin()));
        ASSERT_TRUE(decoder.Decode(Announce(kAnswers, "answers", kColumns)));
        ASSERT_TRUE(decoder.Decode(Insert({"1", "a", "b"})));
        ASSERT_TRUE(decoder.Decode(message));
        ASSERT_TRUE(decoder.Decode(Insert({"2", "a", "b"})));
        ASSERT_TRUE(decoder.Decode(Commit(0x600)));
        const auto batch = decoder.TakeBatch();
        ASSERT_EQ(batch.tables.size(), 2u);
        EXPECT_EQ(batch.tables[0].kinds.size(), 1u);
        EXPECT_NE(batch.tables[1].recopy, "");
        EXPECT_TRUE(batch.tables[1].kinds.empty());
    }
}

TEST_F(PgOutputTest, ATruncateBeginsANewPart) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns),
          Announce(kElsewhere, "elsewhere", kColumns), Insert({"1", "a", "b"}),
          Truncate({kElsewhere, kAnswers}), Insert({"2", "a", "b"}), Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    ASSERT_EQ(batch.tables.size(), 2u);
    EXPECT_FALSE(batch.tables[0].truncated_first);
    EXPECT_TRUE(batch.tables[1].truncated_first);
    EXPECT_EQ(batch.tables[1].kinds.size(), 1u);
    EXPECT_EQ(batch.changes, 3u);
}

TEST_F(PgOutputTest, EachChangeSaysWhereItStandsAndTimeDoesNotGoBack) {
    const auto begin = [](std::uint64_t commit, std::int64_t time) {
        return "B" + Int64(static_cast<std::int64_t>(commit)) + Int64(time) + Int32(7);
    };
    const auto end = [](std::uint64_t commit, std::int64_t time) {
        return "C" + Int8(0) + Int64(static_cast<std::int64_t>(commit)) +
               Int64(static_cast<std::int64_t>(commit) + 8) + Int64(time);
    };
    Feed({Announce(kAnswers, "answers", kColumns), begin(0x500, 2'000'000), Insert({"1", "a", "b"}),
          Insert({"2", "a", "b"}), Truncate({kAnswers}), Insert({"3", "a", "b"}),
          end(0x500, 2'000'000),
          // Committed a second before, logged after.
          begin(0x600, 1'000'000), Update({"3", "c", "d"}), end(0x600, 1'000'000),
          begin(0x700, 3'000'000), Update({"3", "e", "f"}), end(0x700, 3'000'000)});
    const auto batch = decoder_.TakeBatch();
    ASSERT_EQ(batch.tables.size(), 2u);
    const auto is = [](const ChangeOrigin& origin, std::uint64_t commit, std::int64_t time,
                       std::uint64_t sequence) {
        EXPECT_EQ(origin.commit, commit);
        EXPECT_EQ(origin.commit_time, kEpochMicros + time);
        EXPECT_EQ(origin.sequence, sequence);
    };
    ASSERT_EQ(batch.tables[0].origins.size(), 1u);
    EXPECT_EQ(batch.tables[0].origins[0].row, 0u);
    is(batch.tables[0].origins[0].origin, 0x500, 2'000'000, 1);
    is(batch.tables[1].truncated_at, 0x500, 2'000'000, 3);
    ASSERT_EQ(batch.tables[1].origins.size(), 3u);
    is(batch.tables[1].origins[0].origin, 0x500, 2'000'000, 4);
    EXPECT_EQ(batch.tables[1].origins[1].row, 1u);
    is(batch.tables[1].origins[1].origin, 0x600, 2'000'000, 1);
    is(batch.tables[1].origins[2].origin, 0x700, 3'000'000, 1);
}

TEST_F(PgOutputTest, AChangedTableInTheMiddleBeginsANewPart) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns), Insert({"1", "a", "b"}),
          Announce(kAnswers, "answers", {{"id", 23, true}, {"t", 25}}), Insert({"2", "a"}),
          Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    ASSERT_EQ(batch.tables.size(), 2u);
    EXPECT_EQ(batch.tables[0].columns->columns.size(), 3u);
    EXPECT_EQ(batch.tables[1].columns->columns.size(), 2u);
    EXPECT_EQ(Refused(Insert({"3", "a", "b"})), ErrorKind::kCorrupt);
}

TEST_F(PgOutputTest, ChangesOfTablesElsewhereArePassedOver) {
    Feed({Begin(), Announce(kElsewhere, "elsewhere", kColumns),
          "I" + Int32(kElsewhere) + "N" + Tuple({kNull, "a", "b"}), Commit(0x600)});
    const auto batch = decoder_.TakeBatch();
    EXPECT_TRUE(batch.tables.empty());
    EXPECT_EQ(batch.commit->order, 0x600u);
}

TEST_F(PgOutputTest, ATransactionTakenInPartsCommitsWithTheLast) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns), Insert({"1", "a", "b"}), Commit(0x600),
          Begin(), Insert({"2", "a", "b"})});
    const auto first = decoder_.TakeBatch();
    EXPECT_FALSE(first.commit) << "the second transaction has not ended";
    EXPECT_EQ(first.changes, 2u);
    Feed({Insert({"3", "a", "b"}), Commit(0x700)});
    const auto second = decoder_.TakeBatch();
    EXPECT_EQ(second.commit->order, 0x700u);
    EXPECT_EQ(second.tables.at(0).rows.rows(), 1u);
    EXPECT_EQ(decoder_.TakeBatch().changes, 0u);
}

TEST_F(PgOutputTest, PassesOverOriginsAndTypes) {
    Feed({Begin(), "O" + Int64(1) + Zero("there"), "Y" + Int32(1) + Zero("public") + Zero("mood"),
          Commit(0x600)});
    EXPECT_EQ(decoder_.TakeBatch().commit->order, 0x600u);
}

TEST_F(PgOutputTest, AChangeIsNotLostForABitThatIsWrong) {
    const auto insert = Insert({"1", "a", "b"});
    for (int bit = 0; bit < 8; ++bit) {
        Feed({Begin(), Announce(kAnswers, "answers", kColumns)});
        auto spoilt = insert;
        spoilt[0] = static_cast<char>(spoilt[0] ^ (1 << bit));
        EXPECT_EQ(Refused(spoilt), ErrorKind::kCorrupt) << spoilt[0];
        Feed({Commit(0x600)});
    }
}

TEST_F(PgOutputTest, ACommitElsewhereThanAnnouncedIsRefused) {
    const auto commit = [](std::int64_t at, std::int64_t end) {
        return "C" + Int8(0) + Int64(at) + Int64(end) + Int64(1'000'000);
    };
    for (const auto& bad : {commit(0x501, 0x600), commit(0x500, 0x500), commit(0x500, 0x400),
                            commit(0x500, 0x1'0000'0000), commit(0x500, -1)}) {
        Feed({Begin()});
        EXPECT_EQ(Refused(bad), ErrorKind::kCorrupt);
        Feed({Commit(0x600)});
    }
}

TEST_F(PgOutputTest, ChangesOutsideOfATransactionAreRefused) {
    Feed({Announce(kAnswers, "answers", kColumns)});
    EXPECT_EQ(Refused(Insert({"1", "a", "b"})), ErrorKind::kCorrupt);
    EXPECT_EQ(Refused(Commit(1)), ErrorKind::kCorrupt);
    Feed({Begin()});
    EXPECT_EQ(Refused(Begin()), ErrorKind::kCorrupt);
}

TEST_F(PgOutputTest, ATimeOfCommitThatCannotBeIsRefused) {
    Feed({Begin()});
    EXPECT_EQ(Refused("C" + Int8(0) + Int64(0x500) + Int64(0x600) + Int64(0x7fffffffffffffff)),
              ErrorKind::kCorrupt);
}

TEST_F(PgOutputTest, ChangesOfATableThatWasNotAnnouncedAreRefused) {
    Feed({Begin()});
    EXPECT_EQ(Refused(Insert({"1", "a", "b"})), ErrorKind::kCorrupt);
    EXPECT_EQ(Refused(Truncate({kAnswers})), ErrorKind::kCorrupt);
}

TEST_F(PgOutputTest, AColumnThatHasToBeAskedForAsTextComesAgainOnANewConnection) {
    Feed({Begin(), Announce(kAnswers, "answers", {{"id", 23, true}, {"table", 2205}})});
    EXPECT_EQ(Refused(Insert({"1", Binary(Int32(7))})), ErrorKind::kUnavailable);
}

TEST_F(PgOutputTest, CountsValuesThatCannotBeRepresented) {
    Feed({Begin(), Announce(kAnswers, "answers", {{"id", 23, true}, {"at", 1114}}),
          Insert({"1", "294276-12-31 00:00:00"}), Commit(0x600)});
    EXPECT_EQ(decoder_.unrepresentable(), 1u);
    EXPECT_TRUE(decoder_.TakeBatch().tables[0].rows.cells(1).IsNull(0));
}

TEST_F(PgOutputTest, AMessageThatIsCutOffOrTooLongIsRefused) {
    const std::vector<std::string> messages = {
        Begin(),
        Announce(kAnswers, "answers", kColumns),
        Insert({"1", "a", Binary("b")}),
        Update({"1", kNull, kUnchanged}),
        UpdateFrom('K', {"1", kNull, kNull}, {"2", "a", "b"}),
        UpdateFrom('O', {"1", "a", "b"}, {"1", "a", "b"}),
        Delete('K', {"1", kNull, kNull}),
        Truncate({kAnswers}),
        Commit(0x600)};
    for (std::size_t i = 0; i < messages.size(); ++i) {
        for (std::size_t size = 0; size <= messages[i].size(); ++size) {
            PgOutputDecoder decoder(resolver_);
            for (std::size_t before = 0; before < i; ++before) {
                ASSERT_TRUE(decoder.Decode(messages[before]));
            }
            const bool whole = size == messages[i].size();
            const auto cut =
                decoder.Decode(whole ? messages[i] + 'x' : messages[i].substr(0, size));
            ASSERT_FALSE(cut) << i << " " << size;
            EXPECT_EQ(cut.error().kind, ErrorKind::kCorrupt);
        }
    }
}

TEST_F(PgOutputTest, WhatIsNotOfTheProtocolIsRefused) {
    Feed({Begin(), Announce(kAnswers, "answers", kColumns)});
    for (const auto& bad :
         {std::string("S"), std::string("\0", 1),
          "I" + Int32(kAnswers) + "K" + Tuple({"1", "a", "b"}), Insert({"1", "a"}),
          Insert({"x", "a", "b"}), Delete('N', {"1", "a", "b"}),
          "I" + Int32(kAnswers) + "N" + Int16(3) + "q"}) {
        EXPECT_EQ(Refused(bad), ErrorKind::kCorrupt);
    }
}

}  // namespace
}  // namespace biwa::postgres
