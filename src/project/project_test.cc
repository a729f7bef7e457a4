#include "project/project.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/file.h"
#include "base/testing.h"
#include "base/text.h"

namespace biwa {
namespace {

namespace fs = std::filesystem;

ConnectionKinds Kinds() {
    return {{"postgres",
             {{.name = "url", .description = "Everything in one."},
              {.name = "host", .description = "The server.", .required = true},
              {.name = "port",
               .type = SettingType::kInteger,
               .description = "Its port.",
               .default_text = "5432",
               .min = 1,
               .max = 65535},
              {.name = "database", .description = "The database.", .required = true},
              {.name = "user", .description = "The user."},
              {.name = "password", .type = SettingType::kSecret, .description = "Its password."}}}};
}

class ProjectTest : public testing::Test {
  protected:
    ProjectTest() { Write("biwa.yaml", "name: juku\n"); }

    void Write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path, std::ios::binary) << text;
    }
    std::shared_ptr<const Project> Load() {
        auto project = LoadProject(root_, Kinds());
        EXPECT_TRUE(project) << project.error().ToString();
        return project ? *project : std::make_shared<const Project>();
    }
    // What is said of a project that must not load.
    std::string Problems() {
        const auto project = LoadProject(root_, Kinds());
        return project ? "(no problem)" : project.error().message;
    }
    // Of one stream's or other file alone.
    std::string Problems(const std::string& path, const std::string& text) {
        Write(path, text);
        return Problems();
    }

    TempFolder folder_;
    const fs::path& root_ = folder_.path();
};

constexpr const char* kConnection =
    "kind: postgres\nhost: db.example\ndatabase: manabi\nuser: biwa\npassword: ${env:PW}\n";

TEST_F(ProjectTest, ReadsEveryKindOfFile) {
    Write("biwa.yaml",
          "name: juku\nenvironment: staging\nwarehouse:\n  path: data/w.duckdb\n"
          "  memory_limit: 2GiB\n  threads: 3\nmodels:\n  default_dataset: mart\n  refresh: 2m\n"
          "  vars: {since: 2026-01-01, 学年: 3}\nserver:\n  listen: 127.0.0.1:9000\n");
    Write("connections/app_db.yaml", kConnection);
    Write("streams/app.yaml",
          "connection: app_db\ntables:\n  - public.answers\n  - \"public.生徒\"\n"
          "exclude: public.sessions\n");
    Write(
        "dashboards/school.yaml",
        "title: 学校\ntiles:\n  - title: Answers\n    type: line\n    sql: |\n      SELECT day, n\n"
        "      FROM x\n    x: day\n    y: n\n    width: 12\n  - {title: All, sql: SELECT 1}\n");
    Write("definitions/b/two.sqlx", "SELECT 2");
    Write("definitions/a.js", "publish('a')");
    Write("definitions/notes.md", "not read");
    Write("includes/c.js", "module.exports = {}");

    const auto project = Load();
    EXPECT_EQ(project->root, root_);
    EXPECT_EQ(project->name, "juku");
    EXPECT_EQ(project->environment, "staging");
    EXPECT_EQ(project->warehouse.path, root_ / "data/w.duckdb");
    EXPECT_EQ(project->warehouse.memory_limit_bytes, 2ull << 30);
    EXPECT_EQ(project->warehouse.threads, 3);
    EXPECT_EQ(project->models.default_dataset, "mart");
    EXPECT_EQ(project->models.refresh, std::chrono::minutes(2));
    EXPECT_EQ(*project->models.vars.Find("学年"), "3");
    EXPECT_EQ(project->server.listen, "127.0.0.1:9000");

    const auto& connection = project->connections.at("app_db");
    EXPECT_EQ(connection.kind, "postgres");
    EXPECT_EQ(connection.settings.at("port"), "5432");
    EXPECT_EQ(connection.settings.at("password"), "${env:PW}");
    EXPECT_EQ(connection.settings.count("kind"), 0u);

    const auto& stream = project->streams.at("app");
    EXPECT_EQ(stream.dataset, "app");
    EXPECT_EQ(stream.tables, (std::vector<std::string>{"public.answers", "public.生徒"}));
    EXPECT_EQ(stream.exclude, std::vector<std::string>{"public.sessions"});
    EXPECT_EQ(stream.table_locations.at("public.生徒").ToString(), "streams/app.yaml:4:5");

    const auto& dashboard = project->dashboards.at("school");
    EXPECT_EQ(dashboard.refresh, std::chrono::seconds(1));
    ASSERT_EQ(dashboard.tiles.size(), 2u);
    EXPECT_EQ(dashboard.tiles[0].sql, "SELECT day, n\nFROM x\n");
    EXPECT_EQ(dashboard.tiles[0].width, 12);
    EXPECT_EQ(dashboard.tiles[1].kind, TileConfig::Kind::kTable);
    EXPECT_EQ(dashboard.tiles[1].width, 4);
    EXPECT_EQ(dashboard.tiles[1].location.line, 11);

    ASSERT_EQ(project->definitions.size(), 2u);
    EXPECT_EQ(project->definitions[0].path, "definitions/a.js");
    EXPECT_EQ(project->definitions[1].path, "definitions/b/two.sqlx");
    EXPECT_EQ(project->includes.size(), 1u);
}

TEST_F(ProjectTest, AnEmptyProjectHasTheDefaults) {
    const auto project = Load();
    EXPECT_EQ(project->environment, "dev");
    EXPECT_EQ(project->warehouse.path, root_ / ".biwa/warehouse.duckdb");
    EXPECT_EQ(project->warehouse.memory_limit_bytes, 0u);
    EXPECT_EQ(project->models.default_dataset, "main");
    EXPECT_EQ(project->models.refresh, std::chrono::seconds(5));
    EXPECT_EQ(project->server.listen, "127.0.0.1:8700");
    EXPECT_TRUE(project->streams.empty());
}

TEST_F(ProjectTest, WorkflowSettingsCountWhereBiwaYamlDoesNotSay) {
    Write("workflow_settings.yaml",
          "defaultProject: p\ndefaultLocation: asia-northeast1\ndefaultDataset: df\n"
          "defaultAssertionDataset: df_assertions\ndataformCoreVersion: 3.0.0\n"
          "vars:\n  b: two\n  a: one\n");
    Write("biwa.yaml",
          "name: juku\nmodels:\n  assertion_dataset: checks\n  vars:\n    a: three\n    c: four\n");
    const auto project = Load();
    EXPECT_EQ(project->models.default_dataset, "df");
    EXPECT_EQ(project->models.assertion_dataset, "checks");
    EXPECT_EQ(project->models.vars, (Variables{{{"b", "two"}, {"a", "three"}, {"c", "four"}}}));
}

TEST_F(ProjectTest, UnsavedTextsStandInPlaceOfFilesAndBesideThem) {
    Write("definitions/a.sqlx", "SELECT 1");
    const auto project = LoadProject(root_, Kinds(),
                                     {{"definitions/a.sqlx", "SELECT 2"},
                                      {"definitions/deep/b.sqlx", "SELECT 3"},
                                      {"elsewhere/c.sqlx", "SELECT 4"}});
    ASSERT_TRUE(project) << project.error().ToString();
    ASSERT_EQ((*project)->definitions.size(), 2u);
    EXPECT_EQ((*project)->definitions[0].text, "SELECT 2");
    EXPECT_EQ((*project)->definitions[1].path, "definitions/deep/b.sqlx");
    const auto broken = LoadProject(root_, Kinds(), {{"biwa.yaml", "nam: juku\n"}});
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().message.find("biwa.yaml:1:1:"), std::string::npos)
        << broken.error().message;
}

TEST_F(ProjectTest, AssertionsGoToDataformsDefaultDatasetWhereNothingElseIsSaid) {
    Write("workflow_settings.yaml", "defaultDataset: df\ndatasetSuffix: dev\n");
    const auto project = Load();
    EXPECT_EQ(project->models.assertion_dataset, "df");
    EXPECT_EQ(project->models.dataset_suffix, "dev");
}

TEST_F(ProjectTest, TheOlderDataformJsonIsReadInPlaceOfWorkflowSettings) {
    Write("dataform.json",
          R"({"warehouse": "bigquery", "defaultSchema": "df", "assertionSchema": "checks",
              "defaultDatabase": "p", "tablePrefix": "me", "disableAssertions": true,
              "vars": {"a": "one"}})");
    const auto models = Load()->models;
    EXPECT_EQ(models.default_dataset, "df");
    EXPECT_EQ(models.assertion_dataset, "checks");
    EXPECT_EQ(models.default_project, "p");
    EXPECT_EQ(models.name_prefix, "me");
    EXPECT_TRUE(models.disable_assertions);
    EXPECT_EQ(models.vars, (Variables{{{"a", "one"}}}));
}

TEST_F(ProjectTest, OnlyOneFileOfDataformsSettingsMayBeThere) {
    Write("dataform.json", "{}");
    Write("workflow_settings.yaml", "defaultDataset: df\n");
    EXPECT_EQ(Problems(),
              "dataform.json: must not stand beside workflow_settings.yaml, which has taken its "
              "place: move over what is still needed and delete it");
}

TEST_F(ProjectTest, MisspeltSettingsOfDataformAreTold) {
    Write("workflow_settings.yaml", "defaultDataSet: df\n");
    EXPECT_EQ(Problems(),
              "workflow_settings.yaml:1:1: there is no setting \"defaultDataSet\". Did you mean "
              "\"defaultDataset\"?");
}

TEST_F(ProjectTest, AllProblemsOfAllFilesAreToldAtOnceInOrder) {
    Write("biwa.yaml", "nane: juku\nwarehouse:\n  memory_limit: 4 gigs\n  thread: 2\n");
    Write("streams/app.yaml", "connection: app_bd\ntables: []\n");
    Write("connections/app_db.yaml", kConnection);
    EXPECT_EQ(
        Problems(),
        "biwa.yaml:1:1: there is no setting \"nane\". Did you mean \"name\"?\n"
        "biwa.yaml:1:1: name is missing: The project's name: letters, digits, _ and -.\n"
        "biwa.yaml:3:17: warehouse.memory_limit is \"4 gigs\"; expected a size such as 512MB "
        "or 4GiB\n"
        "biwa.yaml:4:3: there is no setting \"thread\" in warehouse. Did you mean "
        "\"threads\"?\n"
        "streams/app.yaml:1:13: there is no connection \"app_bd\". Did you mean \"app_db\"?\n"
        "streams/app.yaml:2:1: tables is empty: The tables to copy, as schema.table; public.* "
        "is every table of public.");
}

TEST_F(ProjectTest, ColumnsCountCharactersNotBytes) {
    EXPECT_EQ(Problems("biwa.yaml", "name: juku\nmodels: {vars: {学年: [3]}}\n"),
              "biwa.yaml:2:21: models.vars.学年 is a list; expected a text");
}

TEST_F(ProjectTest, DuplicateNamesAreRefusedAndMergedOnesAreNot) {
    EXPECT_EQ(Problems("biwa.yaml", "name: juku\nserver: {}\nname: other\n"),
              "biwa.yaml:3:1: name stands here twice; the first is in line 1");
    Write("biwa.yaml", "name: juku\n");
    Write(
        "dashboards/a.yaml",
        "tiles:\n  - &first {title: One, sql: SELECT 1, width: 6}\n  - <<: *first\n    title: Two\n"
        "  - *first\n");
    const auto tiles = Load()->dashboards.at("a").tiles;
    ASSERT_EQ(tiles.size(), 3u);
    EXPECT_EQ(tiles[1].title, "Two");
    EXPECT_EQ(tiles[1].width, 6);
    EXPECT_EQ(tiles[2].title, "One");
}

TEST_F(ProjectTest, BrokenYamlIsOneLineWithItsPlace) {
    EXPECT_EQ(Problems("biwa.yaml", "name: juku\nwarehouse:\n\tthreads: 2\n"),
              "biwa.yaml:3:1: a tab indents this line; YAML is indented with spaces only");
    for (const char* unclosed : {"name: \"juku\n", "name: 'juku", "name: 'juku\nserver: {}\n"}) {
        EXPECT_NE(Problems("biwa.yaml", unclosed).find("a quoted text is not closed"),
                  std::string::npos)
            << unclosed;
    }
    EXPECT_EQ(Problems("biwa.yaml", "name: juku\nmodels: {refresh: 5s\n").find('\n'),
              std::string::npos);
    EXPECT_EQ(Problems("biwa.yaml", "---\nname: juku\n...\n"), "(no problem)");
    for (const char* bad :
         {"- a\n", "juku\n", "name: juku\n---\nname: b\n", ",", "]", "name: juku\n}\n",
          "a: *nothing\n", "name: !secret x\n", "? [a]\n: b\n", "name: {{x}}\n", "name: a\x01z\n",
          "&a name: juku\nserver: *b\n", "name:\n", "name: ''\n", "name: a/b\n"}) {
        EXPECT_NE(Problems("biwa.yaml", bad), "(no problem)") << bad;
    }
}

TEST_F(ProjectTest, AliasesThatMultiplyEndAtALimit) {
    std::string text = "tiles:\n  - &t {title: a, sql: b, y: &y [";
    for (int i = 0; i < 900; ++i) text += "a,";
    text += "a]}\n";
    for (int i = 0; i < 900; ++i) text += "  - *t\n";
    EXPECT_NE(Problems("dashboards/a.yaml", text).find("more than 100000 values"),
              std::string::npos);
    EXPECT_NE(Problems("dashboards/a.yaml", "tiles: &a [{title: x, sql: y, <<: *a}]\n"),
              "(no problem)");
}

TEST_F(ProjectTest, ValuesAreReadStrictly) {
    const auto biwa = [&](const std::string& rest) {
        return Problems("biwa.yaml", "name: juku\n" + rest);
    };
    for (const char* bad :
         {"5", "5 s", "1.5h", "-1s", "s", "5min", "99999999999999999d", "50ms", ""}) {
        EXPECT_NE(biwa(std::string("models: {refresh: ") + bad + "}\n"), "(no problem)") << bad;
    }
    for (const char* good : {"100ms", "30s", "5m", "2h", "1d"}) {
        EXPECT_EQ(biwa(std::string("models: {refresh: ") + good + "}\n"), "(no problem)") << good;
    }
    for (const char* bad : {"64", "64M", "64mb", "0x4GB", "4 GiB", "1MB", "99999999999TB"}) {
        EXPECT_NE(biwa(std::string("warehouse: {memory_limit: ") + bad + "}\n"), "(no problem)")
            << bad;
    }
    for (const char* good : {"64MB", "4GiB", "512MB", "1TB", "70000kB"}) {
        EXPECT_EQ(biwa(std::string("warehouse: {memory_limit: ") + good + "}\n"), "(no problem)");
    }
    for (const char* bad : {"0", "-1", "two", "1.0", "0x10", "2000"}) {
        EXPECT_NE(biwa(std::string("warehouse: {threads: ") + bad + "}\n"), "(no problem)") << bad;
    }
    for (const char* bad : {"8700", ":8700", "localhost:", "localhost:99999", "a:-1"}) {
        EXPECT_NE(biwa(std::string("server: {listen: \"") + bad + "\"}\n"), "(no problem)") << bad;
    }
    for (const char* bad : {"_biwa", "a.b", "\"\"", "information_schema", "warehouse"}) {
        EXPECT_NE(biwa(std::string("models: {default_dataset: ") + bad + "}\n"), "(no problem)")
            << bad;
    }
}

TEST_F(ProjectTest, APasswordInAFileIsRefusedAndNeverShown) {
    const std::string head = "kind: postgres\nhost: h\ndatabase: d\n";
    for (const auto& bad : {head + "password: hunter2\n", head + "password: [hunter2]\n",
                            head + "password: 'a${env:X}hunter2'\n",
                            std::string("kind: postgres\nurl: postgres://u:hunter2@h/d\n"),
                            std::string("url: postgres://u:hunt/er2hunter2@h/d\n"),
                            std::string("url: postgres://u@h/d?password=hunter2\n"),
                            std::string("url: \"host=h password = hunter2\"\nkind: postgres\n")}) {
        const auto said = Problems("connections/db.yaml", bad);
        EXPECT_NE(said.find("${env:NAME}"), std::string::npos) << bad << said;
        EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
    }
    for (const auto& bad : {head + "password: ${env:}\n", head + "user: ${vault:x}\n",
                            head + "user: ${env:X\n", head + "user: ${file:}\n"}) {
        EXPECT_NE(Problems("connections/db.yaml", bad), "(no problem)") << bad;
    }
}

TEST_F(ProjectTest, AUrlIsAConnectionOfItsOwn) {
    Write("connections/a.yaml", "url: postgres://u:${env:PW}@h:5433/d\n");
    Write("connections/b.yaml", "kind: postgres\nurl: ${env:DATABASE_URL}\n");
    const auto project = Load();
    EXPECT_EQ(project->connections.at("a").kind, "postgres");
    EXPECT_EQ(project->connections.at("a").settings,
              (std::map<std::string, std::string>{{"url", "postgres://u:${env:PW}@h:5433/d"}}));
    EXPECT_EQ(project->connections.at("b").kind, "postgres");
    EXPECT_EQ(Problems("connections/c.yaml", "url: mysql://u@h/d\n"),
              "connections/c.yaml:1:6: there is no kind of connection \"mysql\". Expected one of: "
              "postgres.");
}

TEST_F(ProjectTest, TheKindOfAConnectionIsNeededAndChecked) {
    EXPECT_EQ(Problems("connections/c.yaml", "host: h\n"),
              "connections/c.yaml:1:1: kind is missing: what is connected to. Expected one of: "
              "postgres.");
    EXPECT_EQ(Problems("connections/c.yaml", "kind: postgers\nhost: h\n"),
              "connections/c.yaml:1:7: there is no kind of connection \"postgers\". Did you mean "
              "\"postgres\"?");
    EXPECT_EQ(Problems("connections/c.yaml", "kind: postgres\nhost: h\ndatabase: d\nport: 70000\n"),
              "connections/c.yaml:4:7: port is \"70000\"; expected a whole number from 1 to 65535");
}

TEST_F(ProjectTest, TwoStreamsCannotShareADataset) {
    Write("connections/db.yaml", kConnection);
    Write("streams/app.yaml", "connection: db\ntables: public.*\n");
    EXPECT_EQ(Problems("streams/copy.yaml", "connection: db\ndataset: App\ntables: public.a\n"),
              "streams/copy.yaml:2:10: the dataset \"App\" is that of stream app "
              "(streams/app.yaml:1:1) already; each stream needs its own");
}

TEST_F(ProjectTest, AStreamIsNotCalledAsWhatIsMadeBesideOne) {
    Write("connections/db.yaml", kConnection);
    for (const auto* name : {"app_join", "app-Join", "app_inserts"}) {
        SCOPED_TRACE(name);
        const auto path = std::string("streams/") + name + ".yaml";
        EXPECT_NE(Problems(path, "connection: db\ntables: public.*\n").find("cannot be called"),
                  std::string::npos);
        EXPECT_TRUE(fs::remove(root_ / path));
    }
    EXPECT_EQ(Problems("streams/joined.yaml", "connection: db\ntables: public.*\n"),
              "(no problem)");
}

TEST_F(ProjectTest, TablesAreSchemaAndName) {
    Write("connections/db.yaml", kConnection);
    EXPECT_EQ(Problems("streams/app.yaml",
                       "connection: db\ntables: [answers, public.a, public.a, .a, a.]\n"),
              "streams/app.yaml:2:10: tables: \"answers\" is no table; expected schema.table, such "
              "as \"public.answers\", or schema.* for all of a schema\n"
              "streams/app.yaml:2:29: tables: \"public.a\" stands here twice; the first is in line "
              "2\n"
              "streams/app.yaml:2:39: tables: \".a\" is no table; expected schema.table, such as "
              "\"public.answers\", or schema.* for all of a schema\n"
              "streams/app.yaml:2:43: tables: \"a.\" is no table; expected schema.table, such as "
              "\"public.answers\", or schema.* for all of a schema");
}

TEST_F(ProjectTest, TilesNeedWhatTheirTypeShows) {
    const auto tile = [&](const std::string& rest) {
        return Problems("dashboards/d.yaml",
                        "tiles:\n  - {title: T, sql: SELECT 1, " + rest + "}\n");
    };
    EXPECT_EQ(tile("type: line, x: day"),
              "dashboards/d.yaml:2:5: a line tile needs y: the column, or columns, to draw");
    EXPECT_EQ(tile("type: pie"),
              "dashboards/d.yaml:2:37: tiles[1].type is \"pie\"; expected one of: counter, line, "
              "bar, table");
    EXPECT_EQ(tile("width: 13"),
              "dashboards/d.yaml:2:38: tiles[1].width is \"13\"; expected a whole number from 1 to "
              "12");
    EXPECT_EQ(tile("width: 0").substr(0, 23), "dashboards/d.yaml:2:38:");
    EXPECT_NE(tile("type: bar, x: a, y: [b, c], series: d"), "(no problem)");
    EXPECT_NE(tile("type: counter, x: a"), "(no problem)");
    EXPECT_NE(tile("type: table, series: a"), "(no problem)");
    EXPECT_NE(tile("type: counter, y: [a, b]"), "(no problem)");
    EXPECT_EQ(tile("type: bar, x: a, y: b, series: d"), "(no problem)");
    EXPECT_EQ(tile("type: counter, y: a"), "(no problem)");
    EXPECT_NE(Problems("dashboards/d.yaml", "title: empty\n"), "(no problem)");
}

TEST_F(ProjectTest, FilesWithOtherNamesAreNotOverlooked) {
    Write("streams/app.yml", "");
    Write("streams/my app.yaml", "");
    Write("streams/.hidden.yaml", "");
    Write("streams/README.md", "");
    Write("streams/more/app.yaml", "");
    EXPECT_EQ(
        Problems(),
        "streams/app.yml: is not read; call it app.yaml\n"
        "streams/more: is a folder; files are read from streams/ only\n"
        "streams/my app.yaml: the name \"my app\" comes from the file's, and must be letters, "
        "digits, _ and - (63 at most, the first no -)");
}

TEST_F(ProjectTest, HugeFilesOtherEncodingsAndWaysOutAreRefused) {
    Write("definitions/huge.sqlx", std::string((4 << 20) + 1, ' '));
    Write("definitions/sjis.sqlx", "SELECT '\x8a\x77'");
    fs::create_symlink("/etc/passwd", root_ / "definitions/out.sqlx");
    fs::create_symlink("nowhere", root_ / "definitions/broken.sqlx");
    fs::create_directory_symlink("..", root_ / "definitions/up");
    fs::create_directory_symlink("/etc", root_ / "includes");
    EXPECT_EQ(
        Problems(),
        "definitions/broken.sqlx: cannot be read: No such file or directory\n"
        "definitions/huge.sqlx: has 4.2 MB; a project file has 4 MiB at most\n"
        "definitions/out.sqlx: is a symbolic link that leads outside of the project, and is "
        "not followed\n"
        "definitions/sjis.sqlx: is not UTF-8 text; save it with that encoding\n"
        "definitions/up: is a symbolic link to a folder; only links to files are followed\n"
        "includes: is a symbolic link that leads outside of the project, and is not followed");
}

TEST_F(ProjectTest, ALinkWithinTheProjectIsFollowed) {
    Write("shared/a.sqlx", "SELECT 1");
    fs::create_directories(root_ / "definitions");
    fs::create_symlink("../shared/a.sqlx", root_ / "definitions/a.sqlx");
    EXPECT_EQ(Load()->definitions.at(0).text, "SELECT 1");
}

TEST_F(ProjectTest, TheRootIsFoundFromBelow) {
    fs::create_directories(root_ / "definitions/deep");
    EXPECT_EQ(FindProjectRoot(root_ / "definitions/deep").value(), root_);
    fs::remove(root_ / "biwa.yaml");
    for (const auto& missing :
         {FindProjectRoot(root_ / "definitions").error(), LoadProject(root_, Kinds()).error()}) {
        EXPECT_EQ(missing.message.find("there is no biwa.yaml in " + root_.string()), 0u);
        EXPECT_NE(missing.hint.find("biwa init"), std::string::npos);
    }
}

TEST_F(ProjectTest, SecretsComeFromTheEnvironmentAndFromFiles) {
    Write("secrets/pw", "p@ss/word\r\n");
    Write("connections/a.yaml",
          "kind: postgres\nhost: ${env:BIWA_TEST_HOST}.example\ndatabase: d\npassword: "
          "${file:secrets/pw}\n");
    Write("connections/b.yaml", "url: postgres://u:${file:secrets/pw}@h/d\n");
    Write("connections/c.yaml", "url: postgres://u:${env:BIWA_TEST_NOT_SET}@h/d\n");
    Write("connections/d.yaml", "url: postgres://u:${file:secrets/none}@h/d\n");
    ::setenv("BIWA_TEST_HOST", "db1", 1);
    ::unsetenv("BIWA_TEST_NOT_SET");
    const auto project = Load();
    const auto resolve = [&](const std::string& name) {
        return ResolveSecrets(*project, project->connections.at(name));
    };
    EXPECT_EQ(resolve("a")->at("host"), "db1.example");
    EXPECT_EQ(resolve("a")->at("password"), "p@ss/word");
    EXPECT_EQ(resolve("b")->at("url"), "postgres://u:p%40ss%2Fword@h/d");
    EXPECT_EQ(resolve("c").error().message,
              "connections/c.yaml: url: ${env:BIWA_TEST_NOT_SET}: the environment variable "
              "BIWA_TEST_NOT_SET is not set");
    EXPECT_NE(resolve("d").error().message.find("${file:secrets/none}: there is no file"),
              std::string::npos);
}

TEST(JsonSchemaTest, SaysWhatTheCheckerChecks) {
    const auto files = FileKinds(Kinds());
    ASSERT_EQ(files.size(), 4u);
    const auto biwa = nlohmann::json::parse(JsonSchema("biwa.yaml", files.at("biwa")));
    EXPECT_EQ(biwa["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(biwa["title"], "biwa.yaml");
    EXPECT_EQ(biwa["required"], nlohmann::json({"name"}));
    EXPECT_EQ(biwa["additionalProperties"], false);
    EXPECT_EQ(biwa["properties"]["warehouse"]["properties"]["threads"]["minimum"], 1);
    EXPECT_EQ(biwa["properties"]["models"]["properties"]["refresh"]["default"], "5s");

    const auto board = nlohmann::json::parse(JsonSchema("dashboard", files.at("dashboard")));
    const auto& tile = board["properties"]["tiles"]["items"];
    EXPECT_EQ(board["properties"]["tiles"]["minItems"], 1);
    EXPECT_EQ(tile["properties"]["type"]["enum"][1], "line");
    EXPECT_EQ(tile["properties"]["width"]["default"], 4);

    const auto connection =
        nlohmann::json::parse(JsonSchema("connection", files.at("connection/postgres")));
    EXPECT_EQ(connection["anyOf"][0]["required"], nlohmann::json({"url"}));
    EXPECT_EQ(connection["properties"]["kind"]["enum"], nlohmann::json({"postgres"}));
}

TEST(JsonSchemaTest, AMaskIsWhatAMaskIs) {
    const auto schema = nlohmann::json::parse(
        JsonSchema("stream", FileKinds({}).at("stream")))["properties"]["masks"];
    const std::regex pattern(schema["additionalProperties"]["pattern"].get<std::string>());
    for (const auto* text :
         {"drop", "null", "hash", "email", "year", "month", "truncate 1", "truncate 1000",
          "truncate 1001", "truncate 0", "truncate", "Drop", "", "hash 1"}) {
        EXPECT_EQ(std::regex_match(text, pattern), ParseMask(text).has_value()) << text;
    }
}

TEST_F(ProjectTest, MasksAreReadWithTheirNames) {
    Write("connections/db.yaml", "url: postgres://u@h/d\n");
    Write("streams/app.yaml",
          "connection: db\ntables: [public.students, billing.*]\nmask: by_default\n"
          "mask_key: ${env:KEY}\nmasks:\n  students.email: email\n  students.ssn: null\n"
          "  billing.invoices.iban: hash\n  \"*.memo\": drop\nclear: students.id\n");
    const auto project = Load();
    const auto& stream = project->streams.at("app");
    std::map<std::string, std::string> masks;
    for (const auto& mask : stream.masks) masks[mask.columns] = ToString(mask.mask);
    EXPECT_EQ(masks, (std::map<std::string, std::string>{{"students.email", "email"},
                                                         {"students.ssn", "null"},
                                                         {"billing.invoices.iban", "hash"},
                                                         {"*.memo", "drop"}}));
    EXPECT_EQ(stream.clear.at("students.id").ToString(), "streams/app.yaml:10:8");
    EXPECT_TRUE(stream.mask_by_default);
    EXPECT_EQ(stream.mask_key, "${env:KEY}");
}

TEST_F(ProjectTest, AMaskThatIsNoneIsAProblem) {
    Write("connections/db.yaml", "url: postgres://u@h/d\n");
    const auto problems = [&](const std::string& masks) {
        return Problems("streams/app.yaml",
                        "connection: db\ntables: public.students\n" + masks + "\n");
    };
    EXPECT_EQ(problems("masks: { students.email: emial }"),
              "streams/app.yaml:3:26: masks.students.email is \"emial\"; expected one of: drop, "
              "null, hash, email, year, month, truncate N. Did you mean \"email\"?");
    EXPECT_EQ(problems("masks:\n  students.email:"),
              "streams/app.yaml:4:3: masks.students.email is empty; expected a text");
    EXPECT_EQ(problems("mask_key: 0123456789abcdef"),
              "streams/app.yaml:3:11: mask_key must not stand in the file itself; write a "
              "reference: ${env:NAME} or ${file:secrets/NAME}");
    EXPECT_EQ(problems("masks: { students.email: drop }\nclear: [students.email]"),
              "streams/app.yaml:4:9: clear: \"students.email\" is masked by drop in line 3");
    EXPECT_EQ(problems("mask: by_defualt"),
              "streams/app.yaml:3:7: mask is \"by_defualt\"; expected one of: listed, by_default");
}

TEST_F(ProjectTest, AGuardThatStopsHasToDropTheSlot) {
    Write("connections/db.yaml", "url: postgres://u@h/d\n");
    const auto problems = [&](const std::string& guard) {
        return Problems("streams/app.yaml",
                        "connection: db\ntables: public.*\nwal_guard: " + guard + "\n");
    };
    EXPECT_EQ(
        problems("{ stop: 50GB }"),
        "streams/app.yaml:3:20: wal_guard.stop needs drop_slot: true. A stream that only stops "
        "frees nothing: the source keeps its log for the slot. Without the slot the tables "
        "have to be copied anew.");
    EXPECT_EQ(
        problems("{ warn: 60GB, stop: 50GB, drop_slot: true }"),
        "streams/app.yaml:3:32: wal_guard.stop is \"50GB\"; expected more than warn, which is "
        "60GB");
    EXPECT_EQ(problems("{ warn: much }"),
              "streams/app.yaml:3:20: wal_guard.warn is \"much\"; expected a size such as 512MB or "
              "4GiB");
    EXPECT_EQ(problems("{ warn: 1GB, stop: 2GiB, drop_slot: true }"), "(no problem)");
    EXPECT_EQ(Load()->streams.at("app").wal_stop_bytes, std::uint64_t{2} << 30);
    EXPECT_EQ(problems("{ warn: 0B }"), "(no problem)");
    EXPECT_EQ(Load()->streams.at("app").wal_warn_bytes, 0u);
}

TEST_F(ProjectTest, AHistoryIsKeptOfAllTablesOrOfThoseThatAreNamed) {
    Write("connections/db.yaml", "url: postgres://u@h/d\n");
    const auto problems = [&](const std::string& more) {
        return Problems("streams/app.yaml", "connection: db\ntables: public.*\n" + more);
    };
    EXPECT_EQ(problems(""), "(no problem)");
    EXPECT_TRUE(Load()->streams.at("app").history.empty());
    EXPECT_EQ(problems("mode: history\n"), "(no problem)");
    EXPECT_EQ(Load()->streams.at("app").history, std::vector<std::string>{"*"});
    EXPECT_EQ(problems("mode: history\nhistory: [public.a*, school.b]\n"), "(no problem)");
    EXPECT_EQ(Load()->streams.at("app").history,
              (std::vector<std::string>{"public.a*", "school.b"}));
    EXPECT_EQ(
        problems("history: [public.a]\n"),
        "streams/app.yaml:3:10: history: names tables whose history is kept; that needs mode: "
        "history");
    EXPECT_NE(problems("mode: past\n").find("history"), std::string::npos);
    // What a history is kept in is taken.
    Write("streams/b.yaml", "connection: db\ntables: public.*\ndataset: App_history\n");
    EXPECT_NE(problems("mode: history\n").find("is that of stream app"), std::string::npos);
    EXPECT_EQ(problems(""), "(no problem)");
}

TEST(ReferencePageTest, TheCommittedPageIsWhatTheDescriptionsSay) {
    const fs::path path = "docs/reference/project-files.md";
    if (std::getenv("UPDATE_GOLDEN")) {
        fs::create_directories(path.parent_path());
        ASSERT_TRUE(WriteFileAtomically(path, ReferencePage()));
    }
    const auto committed = ReadFile(path);
    ASSERT_TRUE(committed) << committed.error().ToString();
    EXPECT_EQ(*committed, ReferencePage()) << "write it anew: UPDATE_GOLDEN=1 project_test";
}

TEST(ReferencePageTest, AKindOfConnectionHasAPageWithItsSettings) {
    const auto page = ConnectionReferencePage("postgres", Kinds().at("postgres"));
    EXPECT_NE(page.find("| `port` | whole number | `5432` | Its port. From 1 to 65535. |"),
              std::string::npos)
        << page;
    EXPECT_NE(page.find("| `kind` | choice | required |"), std::string::npos);
}

}  // namespace
}  // namespace biwa
