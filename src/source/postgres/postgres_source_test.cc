#include "source/postgres/postgres_source.h"

#include <gtest/gtest.h>

namespace biwa {
namespace {

TEST(ParsePostgresUrlTest, ReadsAllParts) {
    const auto values =
        ParsePostgresUrl("postgres://app%40x:p%3Aw%2F@db.example:5433/manabi?sslmode=require");
    ASSERT_TRUE(values);
    EXPECT_EQ(*values, (SettingValues{{"user", "app@x"},
                                      {"password", "p:w/"},
                                      {"host", "db.example"},
                                      {"port", "5433"},
                                      {"database", "manabi"},
                                      {"sslmode", "require"}}));
    EXPECT_EQ(ParsePostgresUrl("postgresql://u:a:b@h/d")->at("password"), "a:b");
    EXPECT_EQ(ParsePostgresUrl("postgres://u@h1:1,h2:2/d")->at("port"), "1,2");
    EXPECT_EQ(ParsePostgresUrl("postgres://u@[::1]:5433/d")->at("host"), "::1");
    EXPECT_EQ(ParsePostgresUrl("postgres:///d?host=/tmp&user=a@b")->at("user"), "a@b");
    EXPECT_EQ(ParsePostgresUrl("host=/tmp password=a@b")->at("password"), "a@b");
}

TEST(ParsePostgresUrlTest, RefusesWhatIsNotEncodedAndRepeatsNoPassword) {
    for (const char* bad : {"postgres://u:secret w@:/x@127.0.0.1:6543/shop",
                            "postgres://u:se@secret@h/d", "postgres://u:secret/x@h/d",
                            "postgres://u:a/secret?b@h/d", "postgres://u:50%secret@h/d"}) {
        const auto values = ParsePostgresUrl(bad);
        ASSERT_FALSE(values) << bad;
        EXPECT_NE(values.error().hint.find("percent-encoded"), std::string::npos) << bad;
        EXPECT_EQ(values.error().ToString().find("secret"), std::string::npos) << bad;
    }
}

}  // namespace
}  // namespace biwa
