#include "source/mysql/position.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace biwa::mysql {
namespace {

TEST(BinlogPlaceTest, ReadsWhatItWrites) {
    for (const char* text :
         {"mariadb-bin.000012:4711", "mariadb-bin.000012:4711 made=1764100000",
          "mariadb-bin.000012:4711 made=1764100000 gtid=0-1-55,1-1-3",
          "mariadb-bin.000012:4711 made=1 server=2 base=65536 by=gtid gtid=0-1-5",
          "a b.log.000001:4 gtid=3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9",
          "a.000001:4 gtid=3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,"
          "3e11fa47-71ca-11e1-9e33-c80aa9429562:a_tag:1-3:7"}) {
        const auto place = BinlogPlace::Parse(text);
        ASSERT_TRUE(place) << text;
        EXPECT_EQ(place->ToPosition().text, text);
    }
    for (const char* bad :
         {"", "mariadb-bin.000012", "mariadb-bin:4", "mariadb-bin.000012:", "mariadb-bin.000012:x",
          "mariadb-bin.000012:4 made=", "mariadb-bin.000012:4 gtid=0-1", "a.000001:4 gtid=u:",
          "a.000001:4 gtid=u:tag", "a.000001:4 gtid=u:tag:1:more", "a.000001:4 gtid=u:1-",
          "mariadb-bin.000012:4 server=", "mariadb-bin.000012:4 base=99999999",
          "mariadb-bin.000012:4 by=file", "x.99999999999999999:4"}) {
        EXPECT_FALSE(BinlogPlace::Parse(bad)) << bad;
    }
}

TEST(BinlogPlaceTest, ItsOrderGrowsWithTheFileAndThenWithTheOffset) {
    const auto order = [](const char* text) {
        return BinlogPlace::Parse(text)->ToPosition().order;
    };
    EXPECT_LT(order("a.000001:5000000000"), order("a.000002:4"));
    EXPECT_LT(order("a.000002:4"), order("a.000002:5"));
    EXPECT_LT(order("a.999999:5"), order("a.1000000:4"));
}

TEST(BinlogPlaceTest, AFileOfAnotherServerIsBehindAllThatWereHere) {
    for (const char* text : {"a.000001:4", "a.000900:5000000000", "a.065535:4", "a.065536:4",
                             "a.000003:4 base=65536"}) {
        const auto place = *BinlogPlace::Parse(text);
        auto next = *BinlogPlace::Parse("b.000001:4");
        next.base = place.NextBase();
        EXPECT_GT(next.ToPosition().order, place.ToPosition().order) << text;
        EXPECT_EQ(next.base % kBaseStep, 0U);
    }
}

TEST(GtidSetTest, TellsWhatAServerHasNotWritten) {
    const auto missing = [](const char* ours, const char* state) {
        return GtidSet::Parse(ours)->MissingIn(*GtidSet::Parse(state));
    };
    EXPECT_EQ(missing("0-1-55", "0-1-55"), "");
    // The promoted server goes on with numbers of its own.
    EXPECT_EQ(missing("0-1-55", "0-1-57,0-2-60"), "");
    // It had not received all: its own numbers, though higher, are of another history.
    EXPECT_EQ(missing("0-1-55", "0-1-54,0-2-60"), "0-1-55");
    EXPECT_EQ(missing("0-1-55,1-1-3", "0-1-55"), "1-1-3");
    EXPECT_EQ(missing("0-1-55", ""), "0-1-55");
    EXPECT_EQ(missing("", "0-1-55"), "");
}

TEST(BinlogPlaceTest, KeepsTheTransactionsThatArePrepared) {
    auto place = *BinlogPlace::Parse("mariadb-bin.000007:4 gtid=0-1-5");
    place.prepared["X'6131',X'',1"] = {{"app", "t"}, {"a.b", "表 % ;:,="}};
    place.prepared["X'',X'32',1"] = {{"app", "t"}};
    const auto text = place.ToPosition().text;
    EXPECT_EQ(text,
              "mariadb-bin.000007:4 gtid=0-1-5 xa=X'',X'32',1:app.t;"
              "X'6131',X'',1:a%2eb.表%20%25%20%3b%3a%2c%3d,app.t");
    const auto parsed = BinlogPlace::Parse(text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->prepared, place.prepared);
    EXPECT_EQ(parsed->gtids.ToString(), "0-1-5");
    EXPECT_EQ(parsed->file, place.file);
    for (const char* bad : {"", "x", "x:", "x:t", "x:a.%", "x:a.%2", "x:a.%zz", "x:a.t,"}) {
        EXPECT_FALSE(BinlogPlace::Parse(fmt::format("mariadb-bin.000007:4 xa={}", bad))) << bad;
    }
}

TEST(BinlogPlaceTest, KeepsWhatWasReadBefore) {
    auto place = *BinlogPlace::Parse("mariadb-bin.000007:4 gtid=0-1-5");
    auto& notes = place.notes;
    notes.gone = {{"app", "t"}, {"app", "表!"}, {"app", "\xd0\xd5"}};
    notes.added[{"app", "u"}] = {{"c", false}, {"d e!", true}};
    notes.added[{"b", "u"}] = {{"!", false}};
    notes.asked_s = 1764100000;
    notes.asked_for = {{{"app", "t"}, false}, {{"app", "u"}, true}};
    const auto text = place.ToPosition().text;
    EXPECT_EQ(text,
              "mariadb-bin.000007:4 gtid=0-1-5 gone=app.t,app.%d0%d5,app.表%21 "
              "new=app.u:c,d%20e%21!;b.u:%21 "
              "asked=1764100000:app.t,app.u!");
    const auto parsed = BinlogPlace::Parse(text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->notes.gone, notes.gone);
    EXPECT_EQ(parsed->notes.added, notes.added);
    EXPECT_EQ(parsed->notes.asked_s, notes.asked_s);
    EXPECT_EQ(parsed->notes.asked_for, notes.asked_for);
    EXPECT_EQ(parsed->ToPosition().text, text);
    for (const char* bad : {"gone=", "gone=t", "gone=a.t,", "new=", "new=a.t", "new=t:c", "asked=1",
                            "asked=:a.t", "asked=x:a.t", "asked=1:", "asked=1:t"}) {
        EXPECT_FALSE(BinlogPlace::Parse(fmt::format("mariadb-bin.000007:4 {}", bad))) << bad;
    }
}

TEST(GtidSetTest, KeepsTheLastOfEachDomain) {
    GtidSet set;
    set.Add(Gtid{0, 1, 5, 0});
    set.Add(Gtid{1, 1, 7, 0});
    set.Add(Gtid{0, 2, 6, 0});
    EXPECT_EQ(set.ToString(), "0-2-6,1-1-7");
}

// What MySQL 9.7.4 wrote into PREVIOUS_GTIDS for such sets.
TEST(GtidSetTest, IsWrittenAsMySqlWritesIt) {
    const auto hex = [](const char* text) {
        const auto bytes = *GtidSet::Parse(text)->ToBytes();
        std::string digits;
        for (const char c : bytes) {
            digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
        }
        return digits;
    };
    EXPECT_EQ(hex(""), "0000000000000000");
    EXPECT_EQ(hex("61773689-e98f-11f1-adb9-02fc00000001:1-2:my_tag:1"),
              "0102000000000001"
              "61773689e98f11f1adb902fc00000001"
              "00"
              "0100000000000000"
              "01000000000000000300000000000000"
              "61773689e98f11f1adb902fc00000001"
              "0c6d795f746167"
              "0100000000000000"
              "01000000000000000200000000000000");
    EXPECT_EQ(hex("61773689-e98f-11f1-adb9-02fc00000001:1-2:9"),
              "0100000000000000"
              "61773689e98f11f1adb902fc00000001"
              "0200000000000000"
              "01000000000000000300000000000000"
              "09000000000000000a00000000000000");
    for (const char* bad : {"u:1", "61773689-e98f-11f1-adb9-02fc0000000g:1"}) {
        EXPECT_FALSE(GtidSet::Parse(bad)->ToBytes()) << bad;
    }
}

TEST(GtidSetTest, JoinsRangesOfAServer) {
    auto set = *GtidSet::Parse("u:1-5:9");
    const auto add = [&](std::uint64_t number) {
        set.Add(MySqlGtid{"u", number});
        return set.ToString();
    };
    EXPECT_EQ(add(6), "u:1-6:9");
    EXPECT_EQ(add(3), "u:1-6:9");
    EXPECT_EQ(add(8), "u:1-6:8-9");
    EXPECT_EQ(add(7), "u:1-9");
    EXPECT_EQ(add(20), "u:1-9:20");
    EXPECT_EQ(add(15), "u:1-9:15:20");
    set.Add(MySqlGtid{"v", 1});
    EXPECT_EQ(set.ToString(), "u:1-9:15:20,v:1");
}

}  // namespace
}  // namespace biwa::mysql
