#include "source/mysql/mysql_source.h"

#include <gtest/gtest.h>

#include "source/mysql/key_ranges.h"

namespace biwa {
namespace {

TEST(ParseMySqlUrlTest, ReadsAllParts) {
    const auto values = ParseMySqlUrl(
        "mysql://app%40x:p%3Aw@db.example:3307/manabi?ssl_mode=require&connect_timeout=3");
    ASSERT_TRUE(values);
    EXPECT_EQ(*values, (SettingValues{{"user", "app@x"},
                                      {"password", "p:w"},
                                      {"host", "db.example"},
                                      {"port", "3307"},
                                      {"database", "manabi"},
                                      {"ssl_mode", "require"},
                                      {"connect_timeout", "3"}}));
    EXPECT_EQ(ParseMySqlUrl("mariadb://u@[::1]:3306/d")->at("host"), "::1");
    EXPECT_EQ(ParseMySqlUrl("mariadb://u@db1,db2:3307/d")->at("host"), "db1,db2:3307");
    EXPECT_EQ(ParseMySqlUrl("mariadb://u@localhost/d?socket=/run/m.sock")->at("socket"),
              "/run/m.sock");
}

TEST(ParseMySqlUrlTest, RefusesOthersAndRepeatsNoPassword) {
    for (const char* bad :
         {"", "mysql:", "postgres://u:secret@h/d", "mysql://u:secret@h/d?sslmode=1",
          "mysql://u:secret@h/d?ssl_mode", "mysql://u:secret/x@h/d", "mysql://u:a?secret@h/d"}) {
        const auto values = ParseMySqlUrl(bad);
        ASSERT_FALSE(values) << bad;
        EXPECT_EQ(values.error().ToString().find("secret"), std::string::npos);
    }
}

TEST(MySqlSourceTest, TheDatabaseIsTheUsualSchema) {
    SourceRegistry sources;
    RegisterMySqlSource(sources);
    for (const char* name : {"mysql", "mariadb"}) {
        const auto* kind = sources.Find(name);
        ASSERT_NE(kind, nullptr);
        EXPECT_EQ(kind->usual_schema({{"database", "app"}}), "app");
        EXPECT_EQ(kind->usual_schema({{"url", "mysql://u@h/app"}}), "app");
        EXPECT_FALSE(kind->open({{"database", "app"}, {"port", "x"}}));
        for (const char* hosts : {"db1", "db1,db2", "db1:3307, db2", "::1", "[::1]:3307,db2"}) {
            EXPECT_TRUE(kind->open({{"database", "app"}, {"host", hosts}})) << hosts;
        }
        for (const char* hosts : {"db1,", ",db2", "db1:x", "db1:0", "[::1]:99999"}) {
            EXPECT_FALSE(kind->open({{"database", "app"}, {"host", hosts}})) << hosts;
        }
        EXPECT_TRUE(kind->open({{"database", "app"}, {"ssl_mode", "verify-full"}}));
    }
}

TEST(RangeConditionTest, ReadsItsOwnRangesOnly) {
    const auto condition = [](const char* range) {
        return mysql::RangeCondition(range, "id").value_or("(refused)");
    };
    EXPECT_EQ(condition("*"), "TRUE");
    EXPECT_EQ(condition("i::-5"), "`id` < -5");
    EXPECT_EQ(condition("i:10:20"), "`id` >= 10 AND `id` < 20");
    EXPECT_EQ(condition("t:6162:"), "`id` >= _utf8mb4 X'6162'");
    EXPECT_EQ(condition("b:00:ff"), "`id` >= X'00' AND `id` < X'ff'");
    for (const char* bad : {"", "i", "i:1", "x:1:2", "i:1 OR 1:2", "t:zz:", "i:1:2:3"}) {
        EXPECT_EQ(condition(bad), "(refused)") << bad;
    }
}

}  // namespace
}  // namespace biwa
