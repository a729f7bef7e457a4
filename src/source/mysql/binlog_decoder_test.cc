// Events as MariaDB 10.11 and MySQL 9.7 wrote them, in fuzz/binlog_seeds.
#include "source/mysql/binlog_decoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "source/mysql/binlog_testing.h"

namespace biwa::mysql {
namespace {

using std::string_literals::operator""s;

std::string Captured(const std::string& name) {
    const auto text = ReadFile("fuzz/binlog_seeds/" + name);
    EXPECT_TRUE(text) << name;
    return text.value_or("");
}

std::string CellText(const Cells& cells, std::size_t row) {
    if (cells.IsNull(row)) return "NULL";
    switch (cells.type.id) {
        case TypeId::kBool:
            return std::to_string(cells.Get<std::uint8_t>(row));
        case TypeId::kInt16:
            return std::to_string(cells.Get<std::int16_t>(row));
        case TypeId::kInt32:
        case TypeId::kDate:
            return std::to_string(cells.Get<std::int32_t>(row));
        case TypeId::kInt64:
        case TypeId::kTimestamp:
        case TypeId::kTimestampTz:
            return std::to_string(cells.Get<std::int64_t>(row));
        case TypeId::kInterval:
            return std::to_string(cells.Get<IntervalCell>(row).micros);
        case TypeId::kInt128:
            return fmt::format("{}:{}", cells.Get<Int128>(row).high, cells.Get<Int128>(row).low);
        case TypeId::kDecimal:
            return std::to_string(cells.Get<std::int64_t>(row));
        case TypeId::kFloat:
            return fmt::format("{}", cells.Get<float>(row));
        case TypeId::kDouble:
            return fmt::format("{}", cells.Get<double>(row));
        default:
            return std::string(cells.GetString(row));
    }
}

std::string Row(const TableChanges& part, std::size_t row) {
    std::string text;
    for (std::size_t i = 0; i < part.rows.column_count(); ++i) {
        text += (i == 0 ? "" : "|") + CellText(part.rows.cells(i), row);
    }
    return text;
}

class BinlogDecoderTest : public testing::Test {
  protected:
    // The decoder of `name` after all of its events.
    Status Decode(const std::string& name, bool checksums = true) {
        captured_ = Captured(name);
        decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4"), true, checksums);
        std::string_view rest = captured_;
        for (std::string_view event; !(event = TakeEvent(rest)).empty();) {
            if (auto decoded = DecodeWhole(*decoder_, event); !decoded) return decoded;
        }
        return {};
    }

    std::string captured_;
    AnyTable resolver_;
    std::optional<BinlogDecoder> decoder_;
};

const std::string kGeometry("\0\0\0\0\1\1\0\0\0\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\0@", 25);
const std::string kFirstRow =
    "1|-1|255|-8388608|0:18446744073709551615|2026|-7|1.5|-0.1|-1234567891|"
    "12345678901234567890123456789012345.123456789012345678901234567891|20782|-3723456000|"
    "1795568523000004|1795568523250000|ab|日本|é€|" +
    std::string("a\0\0\0", 4) + "|blob|日|x,z|513|" + kGeometry;

TEST_F(BinlogDecoderTest, ReadsEveryTypeWhereTheLogNamesColumns) {
    ASSERT_TRUE(Decode("full"));
    const auto batch = decoder_->TakeBatch();
    ASSERT_EQ(batch.tables.size(), 1u);
    const auto& part = batch.tables[0];
    EXPECT_EQ(part.schema + "." + part.name, "app.t");
    EXPECT_EQ(part.columns->columns[4].name, "bu");
    ASSERT_EQ(part.rows.rows(), 6u);
    EXPECT_EQ(Row(part, 0), kFirstRow);
    for (std::size_t i = 1; i < part.rows.column_count(); ++i) {
        EXPECT_TRUE(part.rows.cells(i).IsNull(1)) << i;
    }
    EXPECT_EQ(Row(part, 2), "3|0|0|0|0:0|0|0|0|0|0|0." + std::string(30, '0') +
                                "|NULL|3020399000000|NULL|NULL||||" + std::string(4, '\0') +
                                "||||0|NULL");
    EXPECT_EQ(part.kinds,
              (std::vector{ChangeKind::kInsert, ChangeKind::kInsert, ChangeKind::kInsert,
                           ChangeKind::kUpdate, ChangeKind::kUpdate, ChangeKind::kDelete}));
    EXPECT_EQ(CellText(part.rows.cells(16), 3), "changed");
    EXPECT_EQ(CellText(part.rows.cells(9), 3), "1");
    ASSERT_EQ(part.key_changes.size(), 1u);
    EXPECT_EQ(part.key_changes[0].row, 4u);
    EXPECT_EQ(CellText(part.old_keys.cells(0), 0), "3");
    EXPECT_EQ(Row(part, 5).substr(0, 7), "2|NULL|");
    EXPECT_TRUE(part.unchanged.empty());
    // Three dates that do not exist, in an insert and in the update of the same row.
    EXPECT_EQ(decoder_->unrepresentable(), 6u);
}

// A QUERY with these variables, in the schema "app".
std::string QueryEvent(std::string_view variables, std::string_view sql) {
    const auto number = [](std::size_t value, std::size_t size) {
        std::string bytes;
        for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
        return bytes;
    };
    auto body = number(0, 8) + number(3, 1) + number(0, 2) + number(variables.size(), 2);
    body.append(variables).append("app\0"s).append(sql);
    const auto size = 19 + body.size();
    return number(1, 4) + number(2, 1) + number(1, 4) + number(size, 4) + number(4 + size, 4) +
           number(0, 2) + body;
}

TEST_F(BinlogDecoderTest, ReadsStatementsInTheClientsCharacterSet) {
    const auto emptied = [&](std::string_view variables, std::string_view sql) {
        decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4"), true, false);
        EXPECT_TRUE(decoder_->Decode(QueryEvent(variables, sql)));
        std::string names;
        for (const auto& part : decoder_->TakeBatch().tables) {
            if (part.truncated_first) names += part.name + " ";
        }
        return names;
    };
    const auto before = "\0\0\0\0\0\1\0\0\0\0\0\0\0\0\6\3std\3\1\0\1\0"s;
    const auto latin1 = before + "\4\x08\0\x08\0\x08\0\7\0\0"s;
    EXPECT_EQ(emptied(latin1, "TRUNCATE TABLE \xe9"), "é ");
    EXPECT_EQ(emptied(latin1, "TRUNCATE TABLE t /* \xe9 */"), "t ");
    // Should the server have written it.
    EXPECT_EQ(emptied(latin1, "TRUNCATE TABLE `é`"), "?? é ");
    EXPECT_EQ(emptied(before + "\4\x2d\0\x2d\0\x2d\0"s, "TRUNCATE TABLE é"), "é ");
    // Cut off, and with a code that is not known in front.
    EXPECT_EQ(emptied("\4\x08"s, "TRUNCATE TABLE é"), "é ");
    EXPECT_EQ(emptied("\x7f\4\x08\0\x08\0\x08\0"s, "TRUNCATE TABLE é"), "é ");
}

TEST_F(BinlogDecoderTest, WhatIsRolledBackIsTakenBack) {
    captured_ = Captured("no_checksum");
    std::vector<std::string_view> events;
    std::string_view rest = captured_;
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) events.push_back(event);
    const auto sql = [&](const char* text) { ASSERT_TRUE(decoder_->Decode(QueryEvent("", text))); };
    // The first transaction inserts three rows, each further one changes some.
    const auto begin = [&] {
        decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4"), true, false);
        for (std::size_t i = 0; i < events.size(); ++i) {
            if (events[i][4] == static_cast<char>(EventType::kXid)) return i + 1;
            EXPECT_TRUE(decoder_->Decode(events[i]));
        }
        return events.size();
    };
    const auto inserted = begin();
    ASSERT_EQ(decoder_->changes(), 3u);
    sql("ROLLBACK");
    EXPECT_EQ(decoder_->changes(), 0u);
    auto batch = decoder_->TakeBatch();
    EXPECT_TRUE(batch.tables.empty());
    EXPECT_TRUE(batch.commit);

    // Not what was committed before.
    begin();
    ASSERT_TRUE(decoder_->Decode(events[inserted - 1]));
    std::size_t next = inserted;
    while (decoder_->changes() == 3) ASSERT_TRUE(decoder_->Decode(events[next++]));
    sql("ROLLBACK");
    batch = decoder_->TakeBatch();
    ASSERT_EQ(batch.tables.size(), 1u);
    EXPECT_EQ(batch.tables[0].kinds, std::vector(3, ChangeKind::kInsert));
    EXPECT_EQ(Row(batch.tables[0], 0), kFirstRow);
    EXPECT_EQ(batch.changes, 3u);
    EXPECT_TRUE(batch.tables[0].key_changes.empty());

    // To a savepoint, whether that is known or not.
    begin();
    sql("SAVEPOINT `S`");
    sql("ROLLBACK TO `s`");
    EXPECT_EQ(decoder_->changes(), 3u);
    EXPECT_TRUE(decoder_->in_transaction());
    sql("ROLLBACK TO `t`");
    batch = decoder_->TakeBatch();
    ASSERT_EQ(batch.tables.size(), 2u);
    EXPECT_NE(batch.tables[1].recopy, "");

    // Of what was given out the table is copied anew.
    begin();
    EXPECT_EQ(decoder_->TakeBatch().changes, 3u);
    sql("ROLLBACK");
    batch = decoder_->TakeBatch();
    ASSERT_EQ(batch.tables.size(), 1u);
    EXPECT_NE(batch.tables[0].recopy, "");
    EXPECT_TRUE(batch.commit);
}

TEST_F(BinlogDecoderTest, ReadsCompressedTransactions) {
    const auto kept = Captured("mysql_compressed");
    std::string_view rest = kept;
    decoder_.emplace(resolver_, *BinlogPlace::Parse("mysql-bin.000002:4"), true, false);
    int payloads = 0;
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) {
        ASSERT_TRUE(decoder_->Decode(event));
        if (!decoder_->has_more()) continue;
        ++payloads;
        // Piece by piece, so that a batch may be taken in between.
        bool was_inside = false;
        while (decoder_->has_more()) {
            ASSERT_TRUE(decoder_->DecodeMore());
            was_inside |= decoder_->in_transaction();
        }
        EXPECT_TRUE(was_inside);
        EXPECT_TRUE(decoder_->at_commit());
        if (payloads > 1) continue;
        const auto batch = decoder_->TakeBatch();
        ASSERT_TRUE(batch.commit);
        // Behind the event that holds the transaction.
        EXPECT_EQ(BinlogPlace::Parse(batch.commit->text)->offset, 577u);
        ASSERT_EQ(batch.tables.size(), 2u);
        const auto& part = batch.tables[0];
        EXPECT_EQ(part.kinds,
                  (std::vector{ChangeKind::kInsert, ChangeKind::kInsert, ChangeKind::kInsert,
                               ChangeKind::kUpdate, ChangeKind::kUpdate, ChangeKind::kDelete}));
        EXPECT_EQ(Row(part, 0), "1|生徒 一|x");
        EXPECT_EQ(Row(part, 3), "2|deux|NULL");
        EXPECT_EQ(Row(batch.tables[1], 0), "1|1");
    }
    EXPECT_EQ(payloads, 2);
    const auto batch = decoder_->TakeBatch();
    EXPECT_EQ(batch.commits, 2u);
    ASSERT_EQ(batch.tables.size(), 2u);
    ASSERT_EQ(batch.tables[0].rows.rows(), 901u);
    EXPECT_EQ(Row(batch.tables[0], 899), "910|row 900|NULL");
    // Its event is larger than what is held of a payload at a time.
    EXPECT_EQ(batch.tables[0].rows.cells(2).GetString(900).size(), 1'200'000u);
    EXPECT_EQ(Row(batch.tables[1], 0), "1|7");
    EXPECT_EQ(Row(batch.tables[1], 1), "2|2");
}

TEST_F(BinlogDecoderTest, ACompressedTransactionThatIsBrokenIsCorrupt) {
    const auto kept = Captured("mysql_compressed");
    std::string_view rest = kept;
    TakeEvent(rest);
    TakeEvent(rest);
    const std::string whole(TakeEvent(rest));
    const auto decode = [&](std::string event) {
        for (int i = 0; i < 4; ++i) event[9 + i] = static_cast<char>(event.size() >> (8 * i));
        BinlogDecoder decoder(resolver_, *BinlogPlace::Parse("mysql-bin.000002:4"), true, false);
        return DecodeWhole(decoder, event);
    };
    ASSERT_TRUE(decode(whole));
    const std::size_t body = 19;
    // 02 01 00: how it is compressed; 03 03 fc d6 02: its bytes before that.
    ASSERT_EQ(whole.substr(body, 8), "\x02\x01\x00\x03\x03\xfc\xd6\x02"s);
    auto otherwise = whole;
    otherwise[body + 2] = 5;
    EXPECT_EQ(decode(otherwise).error().kind, ErrorKind::kConflict);
    for (const char bytes : {'\xd5', '\xd7'}) {
        auto of_another_length = whole;
        of_another_length[body + 6] = bytes;
        EXPECT_EQ(decode(of_another_length).error().kind, ErrorKind::kCorrupt);
    }
    for (std::size_t cut = body; cut < whole.size(); ++cut) {
        const auto decoded = decode(whole.substr(0, cut));
        ASSERT_FALSE(decoded) << cut;
        EXPECT_EQ(decoded.error().kind, ErrorKind::kCorrupt) << cut;
    }
    // A payload that says it is shorter, too.
    auto shorter = whole.substr(0, whole.size() - 1);
    const auto length_at = shorter.find("\x01\x03\xfc"s, body + 8);
    ASSERT_NE(length_at, std::string::npos);
    --shorter[length_at + 3];
    const auto decoded = decode(shorter);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(decoded.error().message.find("ends too early"), std::string::npos)
        << decoded.error().message;
}

TEST_F(BinlogDecoderTest, ReadsWhatAMySqlWrote) {
    ASSERT_TRUE(Decode("mysql"));
    const auto batch = decoder_->TakeBatch();
    ASSERT_EQ(batch.tables.size(), 3u);
    EXPECT_TRUE(batch.tables[0].truncated_first) << "a table that is made has nothing in it";
    EXPECT_EQ(batch.tables[2].dropped, std::vector<std::string>{"e"});
    const auto& part = batch.tables[1];
    ASSERT_EQ(part.rows.rows(), 4u);
    EXPECT_EQ(Row(part, 0),
              "1|0:18446744073709551615|2026|-125000|-3723000004|1795610096789000|日本|日|"
              "{\"a\": [true, null, 300, -5, 10000000000.0], \"d\": \"2026-02-28\", \"n\": 1.50, "
              "\"s\": \"語\"}|257|" +
                  kGeometry);
    EXPECT_EQ(part.kinds, (std::vector{ChangeKind::kInsert, ChangeKind::kInsert,
                                       ChangeKind::kUpdate, ChangeKind::kDelete}));
    EXPECT_EQ(CellText(part.rows.cells(8), 2), "[1]");
    EXPECT_EQ(CellText(part.old_keys.cells(0), 0), "1");
    const auto place = BinlogPlace::Parse(batch.commit->text);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->gtids.ToString(),
              "61773689-e98f-11f1-adb9-02fc00000001:5-8,"
              "61773689-e98f-11f1-adb9-02fc00000001:a_tag:1");
}

TEST_F(BinlogDecoderTest, ThePositionIsTheEndOfTheLastCommit) {
    ASSERT_TRUE(Decode("full"));
    const auto batch = decoder_->TakeBatch();
    ASSERT_TRUE(batch.commit);
    EXPECT_EQ(batch.commits, 4u);
    EXPECT_EQ(batch.commit_time, 1'795'600'000'000'000);
    const auto place = BinlogPlace::Parse(batch.commit->text);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->file, "mariadb-bin.000007");
    EXPECT_GT(place->made_s, 0u);
    EXPECT_TRUE(place->gtids.ToString().starts_with("0-1-")) << batch.commit->text;
    EXPECT_EQ(batch.commit->order, OrderOf(7, place->offset));
    // Each change says in which transaction it is: where that begins, and when it was committed.
    std::uint64_t before = 0;
    for (const auto& run : batch.tables[0].origins) {
        EXPECT_GT(run.origin.commit, before);
        EXPECT_LT(run.origin.commit, batch.commit->order);
        // The server that made this was begun after the time that its sessions had set.
        EXPECT_GE(run.origin.commit_time, batch.commit_time);
        EXPECT_EQ(run.origin.sequence, 1u);
        before = run.origin.commit;
    }
    EXPECT_GT(before, OrderOf(7, 4));
    EXPECT_EQ(decoder_->TakeBatch().commit, std::nullopt);
}

TEST_F(BinlogDecoderTest, WhereTheServerHasFoundThePlaceItIsKnownWithTheFirstCommit) {
    ASSERT_TRUE(Decode("full"));
    const auto expected = decoder_->TakeBatch();
    decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4 server=2 base=65536"),
                     false, true);
    std::string_view rest = captured_;
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) {
        ASSERT_TRUE(decoder_->Decode(event));
        EXPECT_EQ(decoder_->knows_place(), decoder_->at_commit());
        if (decoder_->knows_place()) break;
    }
    while (!(rest.empty())) ASSERT_TRUE(decoder_->Decode(TakeEvent(rest)));
    const auto batch = decoder_->TakeBatch();
    ASSERT_TRUE(batch.commit);
    EXPECT_EQ(batch.changes, expected.changes);
    EXPECT_EQ(batch.commit->order - expected.commit->order, OrderOf(65536, 0));
}

TEST_F(BinlogDecoderTest, ALargeEventIsHeldOnToAndNotCopied) {
    ASSERT_TRUE(Decode("full"));
    const auto expected = decoder_->TakeBatch();
    decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4"), true, true);
    std::string_view rest = captured_;
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) {
        // Of its own memory, which is gone when nobody holds on to it.
        const auto owner = std::make_shared<std::string>(event);
        ASSERT_TRUE(decoder_->Decode(SharedBytes{owner, *owner}));
    }
    const auto batch = decoder_->TakeBatch();
    ASSERT_EQ(batch.tables.size(), expected.tables.size());
    for (std::size_t row = 0; row < expected.tables[0].kinds.size(); ++row) {
        EXPECT_EQ(Row(batch.tables[0], row), Row(expected.tables[0], row));
    }
}

TEST_F(BinlogDecoderTest, ReadsCompressedRowsAndRowsWithoutChecksums) {
    ASSERT_TRUE(Decode("compressed"));
    const auto compressed = decoder_->TakeBatch();
    ASSERT_EQ(compressed.changes, 6u);
    EXPECT_EQ(CellText(compressed.tables[0].rows.cells(19), 0).size(), 400u);
    EXPECT_EQ(CellText(compressed.tables[0].rows.cells(16), 0), "日本");

    ASSERT_TRUE(Decode("no_checksum", false));
    EXPECT_EQ(Row(decoder_->TakeBatch().tables.at(0), 0), kFirstRow);
}

TEST_F(BinlogDecoderTest, WhatAMinimalRowImageLeavesOutIsUnchanged) {
    ASSERT_TRUE(Decode("minimal"));
    const auto batch = decoder_->TakeBatch();
    const auto& part = batch.tables.at(0);
    ASSERT_EQ(part.rows.rows(), 6u);
    std::vector<std::uint32_t> unchanged;
    for (const auto& [row, column] : part.unchanged) {
        if (row == 3) unchanged.push_back(column);
    }
    // The update set n and v; the key comes with the row before.
    EXPECT_EQ(unchanged.size(), part.columns->columns.size() - 3);
    EXPECT_EQ(CellText(part.rows.cells(0), 3), "1");
    EXPECT_EQ(CellText(part.rows.cells(16), 3), "changed");
    EXPECT_EQ(part.key_changes.size(), 1u);
}

TEST_F(BinlogDecoderTest, StatementsEmptyTablesAndEndTransactions) {
    ASSERT_TRUE(Decode("statements"));
    const auto batch = decoder_->TakeBatch();
    ASSERT_TRUE(batch.commit);
    ASSERT_GE(batch.tables.size(), 3u);
    EXPECT_FALSE(batch.tables[0].truncated_first);
    EXPECT_EQ(batch.tables[0].rows.rows(), 1u);
    EXPECT_TRUE(batch.tables[1].truncated_first);
    EXPECT_EQ(CellText(batch.tables[2].rows.cells(0), 0), "2");
    // Columns that were added are a part of their own.
    EXPECT_EQ(batch.tables[3].columns->columns.size(), 2u);
}

TEST_F(BinlogDecoderTest, AChangeThatTheCopyHasIsPassedOver) {
    ASSERT_TRUE(Decode("full"));
    const auto all = decoder_->TakeBatch();
    // Up to the end of the insert, which is the first transaction.
    std::string_view rest = captured_;
    std::uint64_t end = 0;
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) {
        end = LoadLittleEndian(event.data() + 13, 4);
        if (event[4] == static_cast<char>(EventType::kXid)) break;
    }
    resolver_ = AnyTable();
    resolver_.seen = OrderOf(7, end);
    ASSERT_TRUE(Decode("full"));
    const auto later = decoder_->TakeBatch();
    EXPECT_EQ(later.changes, all.changes - 3);
    EXPECT_EQ(later.tables.at(0).kinds.front(), ChangeKind::kUpdate);
    EXPECT_EQ(later.commit, all.commit);
}

TEST_F(BinlogDecoderTest, AnotherFileOfTheSameNameIsAnotherHistory) {
    captured_ = Captured("full");
    decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4 made=12345"), true, true);
    std::string_view rest = captured_;
    const auto decoded = decoder_->Decode(TakeEvent(rest));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, ErrorKind::kConflict);
}

TEST_F(BinlogDecoderTest, ABitThatIsWrongIsFoundByTheChecksum) {
    const auto good = Captured("full");
    std::string_view rest = good;
    const std::string format(TakeEvent(rest));
    const std::string event(TakeEvent(rest));
    for (std::size_t at = 0; at < event.size(); ++at) {
        auto bad = event;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4"), true, true);
        ASSERT_TRUE(decoder_->Decode(format));
        EXPECT_FALSE(decoder_->Decode(bad)) << at;
    }
}

TEST_F(BinlogDecoderTest, BytesThatAreCutOffAreRefusedAndNeverReadBeyond) {
    const auto good = Captured("no_checksum");
    std::string_view rest = good;
    std::vector<std::string> events;
    for (std::string_view event; !(event = TakeEvent(rest)).empty();) events.emplace_back(event);
    for (std::size_t cut = 1; cut < events.size(); ++cut) {
        for (std::size_t size = 19; size < events[cut].size(); ++size) {
            decoder_.emplace(resolver_, *BinlogPlace::Parse("mariadb-bin.000007:4"), true, false);
            for (std::size_t i = 0; i < cut; ++i) ASSERT_TRUE(decoder_->Decode(events[i]));
            // The header says the size that is left, so that what is inside is looked at.
            auto bad = events[cut].substr(0, size);
            const auto size32 = static_cast<std::uint32_t>(size);
            std::memcpy(bad.data() + 9, &size32, 4);
            const std::string own(bad);
            if (const auto decoded = decoder_->Decode(own); !decoded) {
                EXPECT_EQ(decoded.error().kind, ErrorKind::kCorrupt) << decoded.error().message;
            }
        }
    }
}

TEST(ReadMySqlTaggedGtidTest, HasServerTagAndNumber) {
    // Of a MySQL 9.7.4: bytes of the UUID from 0x80 on take two.
    const std::string body =
        "\x02\x76\x00\x00\x02\x02\xc2\xee\x6c\x25\x02\xa5\x03\x3d\x02\x22\xc5\x03\xb5\x02\xe5\x02"
        "\x04"
        "\xf1\x03\x00\x00\x00\x02\x04\x04\x06\x0cmy_"
        "tag\x08\x08\x0a\x0c\x0c\x7f\x2e\x8e\xed\xdf\x2c\x61\x06"
        "\x10\x5d\x04\x12\x83\x12\x0b"s;
    const auto gtid = ReadMySqlTaggedGtid(body);
    ASSERT_TRUE(gtid);
    EXPECT_EQ(gtid->uuid, "61773689-e98f-11f1-adb9-02fc00000001:my_tag");
    EXPECT_EQ(gtid->number, 1U);
    for (std::size_t size = 0; size < body.find("my_tag") + 6; ++size) {
        EXPECT_FALSE(ReadMySqlTaggedGtid(std::string_view(body).substr(0, size))) << size;
    }
}

TEST(ReadTableMapTest, NamesColumnsAndTheirSigns) {
    const auto captured = Captured("full");
    std::string_view rest = captured;
    for (std::string_view bytes; !(bytes = TakeEvent(rest)).empty();) {
        if (bytes[4] != static_cast<char>(EventType::kTableMap)) continue;
        const auto event = ReadEvent(bytes, true);
        ASSERT_TRUE(event);
        const auto map = ReadTableMap(event->body);
        ASSERT_TRUE(map);
        ASSERT_TRUE(map->has_names);
        EXPECT_EQ(map->columns[2].is_unsigned, true);
        // YEAR is among the numbers with a sign.
        EXPECT_EQ(map->columns[6].name, "after_year");
        EXPECT_EQ(map->columns[6].is_unsigned, false);
        EXPECT_EQ(map->columns[9].meta, 10 << 8 | 3);
        EXPECT_EQ(map->columns[17].collation, 8);
        EXPECT_EQ(map->columns[20].values, (std::vector<std::string>{"a", "日"}));
        EXPECT_EQ(map->columns[22].meta, 10);
        return;
    }
    FAIL() << "no table map";
}

}  // namespace
}  // namespace biwa::mysql
