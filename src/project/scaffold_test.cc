#include "project/scaffold.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/file.h"
#include "base/testing.h"
#include "project/overview.h"
#include "project/project.h"
#include "project/scaffold_text.h"

namespace biwa {
namespace {

namespace fs = std::filesystem;

class ScaffoldTest : public testing::Test {
  protected:
    static ConnectionKinds Kinds() {
        return {{"postgres",
                 {{.name = "host", .required = true},
                  {.name = "port", .type = SettingType::kInteger},
                  {.name = "database", .required = true},
                  {.name = "user"},
                  {.name = "password", .type = SettingType::kSecret},
                  {.name = "sslmode"}}}};
    }
    TempFolder folder_;
    const fs::path& root_ = folder_.path();
};

Column Of(const std::string& name, TypeId type, bool nullable = false,
          const std::string& note = "") {
    return {name, {type, 0, 0, nullptr}, nullable, note};
}

ScaffoldDatabase School() {
    ScaffoldDatabase database;
    database.host = "127.0.0.1";
    database.database = "manabi";
    database.user = "biwa";
    database.password = "p@ss: #word\"";
    database.more = {{"sslmode", "disable"}};
    database.tables = {
        {"public",
         "users",
         "users",
         {{Of("id", TypeId::kInt64), Of("full_name", TypeId::kText), Of("email", TypeId::kText),
           Of("created_at", TypeId::kTimestampTz)},
          {0}},
         100},
        {"public",
         "answers",
         "answers",
         {{Of("id", TypeId::kInt64), Of("is_correct", TypeId::kBool),
           Of("deleted_at", TypeId::kTimestamp), Of("answered_at", TypeId::kTimestampTz),
           Of("氏名カナ", TypeId::kText), Of("${evil}", TypeId::kText)},
          {0}},
         1000000},
        {"public",
         "生徒",
         "生徒",
         {{Of("学年", TypeId::kInt32), Of("入学日", TypeId::kDate, true)}, {}},
         50},
        {"public",
         "order",
         "order",
         {{Of("Select", TypeId::kInt64), Of("status", TypeId::kText)}, {0}},
         10},
        {"public", "Users", "Users", {{Of("id", TypeId::kInt64)}, {0}}, 5},
        {"audit", "users", "audit__users", {{Of("a\"b", TypeId::kInt64)}, {0}}, 1},
        {"public", "odd/../name: *x", "odd/../name: *x", {{Of("id", TypeId::kInt64)}, {}}, 0},
    };
    return database;
}

TEST_F(ScaffoldTest, AProjectForADatabaseLoadsAndListsItsTables) {
    ASSERT_TRUE(WriteProject(root_, FilesForDatabase(School())));
    const auto loaded = LoadProject(root_, Kinds());
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    const auto& project = **loaded;
    EXPECT_EQ(project.name, "manabi");
    EXPECT_EQ(project.connections.at("manabi").settings.at("host"), "127.0.0.1");
    EXPECT_EQ(project.connections.at("manabi").settings.at("sslmode"), "disable");
    EXPECT_EQ(ResolveSecrets(project, project.connections.at("manabi"))->at("password"),
              "p@ss: #word\"");
    EXPECT_EQ(project.streams.at("manabi").tables,
              (std::vector<std::string>{"public.users", "public.answers", "public.生徒",
                                        "public.order", "audit.users", "public.odd/../name: *x"}));
    EXPECT_TRUE(fs::exists(root_ / "definitions/staging/stg_audit__users.sqlx"));
    // Names that the warehouse cannot tell apart go to datasets of their own.
    EXPECT_EQ(project.streams.at("manabi_public").tables, std::vector<std::string>{"public.Users"});
    EXPECT_EQ(project.streams.size(), 2u);
    EXPECT_EQ(project.definitions.size(), 7u);
}

TEST_F(ScaffoldTest, ThePasswordIsInItsFileOnly) {
    const auto files = FilesForDatabase(School());
    ASSERT_TRUE(WriteProject(root_, files));
    for (const auto& file : files) {
        const bool is_secret = file.path == "secrets/manabi.password";
        EXPECT_EQ(file.text.find("p@ss") != std::string::npos, is_secret) << file.path;
    }
    struct stat state {};
    ASSERT_EQ(::stat((root_ / "secrets/manabi.password").c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777, 0600u);
    ASSERT_EQ(::stat((root_ / "secrets").c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777, 0700u);
    EXPECT_NE(ReadFile(root_ / ".gitignore")->find("secrets/"), std::string::npos);

    auto without = School();
    without.password.clear();
    for (const auto& file : FilesForDatabase(without)) {
        EXPECT_EQ(file.path.find("secrets/"), std::string::npos);
        EXPECT_EQ(file.text.find("password:"), std::string::npos) << file.path;
    }
}

TEST_F(ScaffoldTest, StagingModelsNameTheirColumns) {
    std::string answers;
    for (const auto& file : FilesForDatabase(School())) {
        if (file.path == "definitions/staging/stg_answers.sqlx") answers = file.text;
    }
    EXPECT_EQ(answers, R"(config {
  type: "view",
  schema: "staging",
  description: "public.answers as the application has it.",
  columns: {
    "id": "BIGINT, key",
    "is_correct": "BOOLEAN",
    "deleted_at": "TIMESTAMP",
    "answered_at": "TIMESTAMP WITH TIME ZONE",
    "氏名カナ": "VARCHAR",
    "${evil}": "VARCHAR"
  }
}

SELECT
  "id",
  "is_correct",
  "deleted_at",
  "answered_at",
  "氏名カナ",
  "${"${"}evil}"
FROM ${ref("manabi", "answers")}
)");
}

TEST_F(ScaffoldTest, TheDashboardShowsWhatTheColumnsSuggest) {
    ASSERT_TRUE(WriteProject(root_, FilesForDatabase(School())));
    const auto loaded = LoadProject(root_, Kinds());
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    const auto& tiles = (*loaded)->dashboards.at("overview").tiles;
    std::vector<std::string> titles;
    for (const auto& tile : tiles) titles.push_back(tile.title);
    EXPECT_EQ(titles, (std::vector<std::string>{
                          "answers", "users", "生徒", "order", "Users", "audit__users",
                          "odd/../name: *x", "answers a day", "answers a hour", "users a day",
                          "answers by is_correct", "order by status", "Latest answers"}));
    EXPECT_NE(tiles[7].sql.find("\"answered_at\""), std::string::npos);
    EXPECT_EQ(tiles.back().sql,
              "SELECT \"id\", \"is_correct\", \"deleted_at\", \"answered_at\", \"${evil}\"\n"
              "FROM \"manabi\".\"answers\"\nORDER BY \"answered_at\" DESC LIMIT 20\n");
    EXPECT_EQ(tiles[3].sql, "SELECT count(*) AS rows FROM \"manabi\".\"order\"\n");
}

TEST_F(ScaffoldTest, NamesOfTheWarehouseItselfAreAvoided) {
    auto database = School();
    for (const auto& [given, wanted] :
         std::map<std::string, std::string>{{"warehouse", "warehouse_db"},
                                            {"staging", "staging_db"},
                                            {"学習", "app"},
                                            {"my db", "my_db"},
                                            {"-x", "x"}}) {
        database.database = given;
        fs::remove_all(root_);
        ASSERT_TRUE(WriteProject(root_, FilesForDatabase(database)));
        const auto loaded = LoadProject(root_, Kinds());
        ASSERT_TRUE(loaded) << loaded.error().ToString();
        EXPECT_EQ((*loaded)->streams.count(wanted), 1u) << given;
        EXPECT_EQ((*loaded)->connections.begin()->second.settings.at("database"), given);
    }
}

TEST_F(ScaffoldTest, AnEmptyProjectLoads) {
    ASSERT_TRUE(WriteProject(root_ / "deep" / "new", InitFiles("学校 juku!")));
    const auto loaded = LoadProject(root_ / "deep" / "new", {});
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    EXPECT_EQ((*loaded)->name, "juku");
    ScaffoldDatabase empty;
    empty.host = "h";
    empty.database = "d";
    ASSERT_TRUE(WriteProject(root_ / "empty", FilesForDatabase(empty)));
    EXPECT_TRUE(LoadProject(root_ / "empty", Kinds()));
}

TEST_F(ScaffoldTest, NothingIsOverwritten) {
    std::ofstream(root_ / "biwa.yaml") << "mine";
    const auto status = WriteProject(root_, InitFiles("a"));
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find("biwa.yaml is there already"), std::string::npos);
    EXPECT_EQ(*ReadFile(root_ / "biwa.yaml"), "mine");
    EXPECT_FALSE(fs::exists(root_ / ".gitignore"));

    fs::remove(root_ / "biwa.yaml");
    std::ofstream(root_ / ".gitignore") << "node_modules/\n";
    ASSERT_TRUE(WriteProject(root_, InitFiles("a")));
    EXPECT_EQ(*ReadFile(root_ / ".gitignore"), "node_modules/\n");
}

TEST_F(ScaffoldTest, WhatCannotBeWrittenWholeIsTakenBack) {
    // A file stands where a folder is needed.
    std::ofstream(root_ / "streams") << "in the way";
    ASSERT_FALSE(WriteProject(root_, FilesForDatabase(School())));
    std::vector<std::string> left;
    for (const auto& entry : fs::directory_iterator(root_)) left.push_back(entry.path().filename());
    EXPECT_EQ(left, std::vector<std::string>{"streams"});
}

TEST(LooksPersonalTest, KnowsTheUsualNamesInTwoLanguages) {
    for (const char* personal : {"name", "last_name", "Email", "phone_number", "birthday", "住所1",
                                 "氏名", "name_kana", "password_digest", "auth_token", "ip"}) {
        EXPECT_TRUE(LooksPersonal(personal)) << personal;
    }
    for (const char* plain : {"id", "score", "is_correct", "created_at", "学年", "skip_count"}) {
        EXPECT_FALSE(LooksPersonal(plain)) << plain;
    }
}

TEST(YamlTextTest, QuotesWhatYamlWouldTakeForSomethingElse) {
    for (const char* plain : {"app", "public.answers", "a-b"}) EXPECT_EQ(YamlText(plain), plain);
    for (const char* quoted :
         {"", "true", "No", "1", "-", "*a", "public.*", "a: b", "a #b", "~", "生徒"}) {
        EXPECT_EQ(YamlText(quoted).front(), '"') << quoted;
    }
}

}  // namespace
}  // namespace biwa
