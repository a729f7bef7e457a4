#include "project/scaffold.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"
#include "project/overview.h"
#include "project/scaffold_text.h"

namespace biwa {

namespace fs = std::filesystem;

namespace {

// Folders that the scaffold made, so that it can take them back.
class MadeFolders {
  public:
    Status Make(const fs::path& folder) {
        std::error_code error;
        if (folder.empty() || fs::is_directory(folder, error)) return {};
        BIWA_TRY(Make(folder.parent_path()));
        if (!fs::create_directory(folder, error) && error) {
            return UserError(
                fmt::format("cannot make the folder {}: {}", folder.string(), error.message()));
        }
        if (folder.filename() == "secrets") {
            fs::permissions(folder, fs::perms::owner_all, error);
        }
        made_.push_back(folder);
        return {};
    }

    void TakeBack() {
        std::error_code ignored;  // one that somebody has put something into stays
        for (auto it = made_.rbegin(); it != made_.rend(); ++it) fs::remove(*it, ignored);
    }

  private:
    std::vector<fs::path> made_;
};

constexpr const char* kGitIgnore = ".biwa/\nsecrets/\n";

std::string BiwaYaml(const std::string& name) {
    return fmt::format(
        "# What this project is. Every setting that is left out has its default; `biwa validate` "
        "checks\n# all files and names the place of whatever is wrong.\nname: {}\n\n"
        "# warehouse:\n#   path: .biwa/warehouse.duckdb\n#   memory_limit: 4GiB\n\n"
        "# models:\n#   default_dataset: main\n#   refresh: 5s   # while serving: rebuilt at most "
        "this "
        "often\n\n# server:\n#   listen: 127.0.0.1:8700\n",
        YamlText(name));
}

constexpr const char* kDefinitionsReadme = R"(# definitions

SQL models, one a file, in Dataform's language. For instance `marts/answers_per_day.sqlx`:

    config { type: "table", schema: "mart" }

    SELECT date_trunc('day', answered_at) AS day, count(*) AS answers
    FROM ${ref("app", "answers")}
    GROUP BY 1

`biwa compile` shows what becomes of it, `biwa run` builds it, and `biwa serve` builds it again
whenever what it reads has changed.
)";

// Datasets that a stream must not take: the warehouse's own, and those of the models below.
std::string FreeDataset(const std::string& name) {
    static const std::set<std::string> kTaken = {"_biwa",  "assertions", "information_schema",
                                                 "main",   "pg_catalog", "staging",
                                                 "system", "temp",       "warehouse"};
    return kTaken.count(LowerCase(name)) ? name + "_db" : name;
}

std::string ConnectionYaml(const ScaffoldDatabase& database, const std::string& name) {
    auto text = fmt::format("kind: {}\n", database.kind);
    // Without a host it is another setting that says where the server is.
    if (!database.host.empty()) {
        text += fmt::format("host: {}\nport: {}\n", YamlText(database.host), database.port);
    }
    text += fmt::format("database: {}\n", YamlText(database.database));
    if (!database.user.empty()) text += fmt::format("user: {}\n", YamlText(database.user));
    if (!database.password.empty()) {
        text += fmt::format(
            "# In a file that git ignores. ${{env:NAME}} reads an environment "
            "variable instead.\npassword: ${{file:secrets/{}.password}}\n",
            name);
    }
    for (const auto& [setting, value] : database.more) {
        text += fmt::format("{}: {}\n", setting, YamlText(value));
    }
    return text;
}

std::string StreamYaml(const std::string& connection, const std::string& dataset,
                       const std::vector<PlacedTable>& tables) {
    auto text = fmt::format(
        "# Copies these tables, then follows their changes.\nconnection: {}\n"
        "dataset: {}\ntables:\n",
        YamlText(connection), YamlText(dataset));
    for (const auto& table : tables) {
        if (table.dataset != dataset) continue;
        text += fmt::format("  - {}\n", YamlText(table.table->schema + "." + table.table->name));
    }
    return text;
}

// In the SQL of a model "${" begins JavaScript; so it is written as JavaScript that says "${".
std::string SqlxText(const std::string& text) {
    std::string escaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.compare(i, 2, "${") == 0) {
            escaped += "${\"${\"}";
            ++i;
        } else {
            escaped += text[i];
        }
    }
    return escaped;
}

// What can be a file's name and a model's.
std::string FileName(const std::string& table) {
    std::string name = "stg_";
    for (const char c : table) {
        const bool bad = static_cast<unsigned char>(c) < 0x20 || c == '/' || c == '\\' ||
                         c == '.' || c == '"' || c == '\'' || c == '`' || c == 0x7F;
        name += bad ? '_' : c;
    }
    return name;
}

std::string StagingModel(const PlacedTable& table) {
    const auto& schema = table.table->columns;
    std::string columns, selected;
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
        const auto& column = schema.columns[i];
        const bool is_key = !schema.key_repeats &&
                            std::find(schema.key.begin(), schema.key.end(), i) != schema.key.end();
        auto meaning = ToSql(column.type);
        if (is_key) meaning += ", key";
        if (!column.note.empty()) meaning += "; " + column.note;
        const auto* end = i + 1 < schema.columns.size() ? "," : "";
        columns += fmt::format("    {}: {}{}\n", JsText(column.name), JsText(meaning), end);
        selected += fmt::format("  {}{}\n", SqlxText(QuoteIdentifier(column.name)), end);
    }
    return fmt::format(
        "config {{\n  type: \"view\",\n  schema: \"staging\",\n  description: {},\n  columns: {{\n"
        "{}  }}\n}}\n\nSELECT\n{}FROM ${{ref({}, {})}}\n",
        JsText(fmt::format("{}.{} as the application has it.", table.table->schema,
                           table.table->name)),
        columns, selected, JsText(table.dataset), JsText(table.table->target));
}

// Each table into the dataset of the stream, or, where its name is taken there (the warehouse does
// not tell "Users" from "users"), into one of its schema.
std::vector<PlacedTable> Place(const std::vector<ScaffoldTable>& tables, const std::string& base) {
    std::set<std::pair<std::string, std::string>> taken;
    std::vector<PlacedTable> placed;
    for (const auto& table : tables) {
        const auto name = LowerCase(table.target);
        auto dataset = base;
        for (int i = 1; !taken.emplace(LowerCase(dataset), name).second; ++i) {
            dataset = base + "_" + PlainName(table.schema, "schema");
            if (i > 1) dataset += fmt::format("_{}", i);
        }
        placed.push_back({&table, dataset});
    }
    return placed;
}

}  // namespace

Status WriteProject(const fs::path& root, const std::vector<NewFile>& files) {
    std::error_code ignored;
    std::vector<std::string> there;
    for (const auto& file : files) {
        BIWA_CHECK(!fs::path(file.path).is_absolute() && file.path.find("..") == std::string::npos);
        const bool exists =
            fs::symlink_status(root / file.path, ignored).type() != fs::file_type::not_found;
        if (exists && !file.may_exist) there.push_back(file.path);
    }
    if (!there.empty()) {
        return UserError(fmt::format("{} is there already in {}, and nothing is overwritten",
                                     Join(there, ", "), root.string()),
                         "Choose an empty folder.");
    }
    MadeFolders folders;
    std::vector<fs::path> written;
    const auto write = [&](const NewFile& file) -> Status {
        const auto path = fs::absolute(root) / file.path;
        if (file.may_exist && fs::exists(path, ignored)) return {};
        BIWA_TRY(folders.Make(path.parent_path()));
        BIWA_TRY(WriteFileAtomically(path, file.text, file.mode));
        written.push_back(path);
        return {};
    };
    for (const auto& file : files) {
        if (auto status = write(file); !status) {
            for (const auto& path : written) fs::remove(path, ignored);
            folders.TakeBack();
            return status;
        }
    }
    return {};
}

std::vector<NewFile> InitFiles(const std::string& name) {
    return {{"biwa.yaml", BiwaYaml(PlainName(name, "project"))},
            {".gitignore", kGitIgnore, 0644, true},
            {"definitions/README.md", kDefinitionsReadme, 0644, true}};
}

std::vector<NewFile> FilesForDatabase(const ScaffoldDatabase& database) {
    const auto name = FreeDataset(PlainName(database.database, "app"));
    const auto tables = Place(database.tables, name);
    std::vector<NewFile> files = {
        {"biwa.yaml", BiwaYaml(name)},
        {".gitignore", kGitIgnore, 0644, true},
        {"connections/" + name + ".yaml", ConnectionYaml(database, name)}};
    if (!database.password.empty()) {
        files.push_back({"secrets/" + name + ".password", database.password + "\n", 0600});
        // A .gitignore that was there before may not know of this folder.
        files.push_back({"secrets/.gitignore", "*\n", 0644, true});
    }
    std::set<std::string> datasets, models;
    for (const auto& table : tables) {
        if (datasets.insert(table.dataset).second) {
            files.push_back(
                {"streams/" + table.dataset + ".yaml", StreamYaml(name, table.dataset, tables)});
        }
        auto model = FileName(table.table->target);
        while (!models.insert(LowerCase(model)).second) model += "_" + table.dataset;
        files.push_back({"definitions/staging/" + model + ".sqlx", StagingModel(table)});
    }
    if (!tables.empty()) {
        files.push_back({"dashboards/overview.yaml", OverviewDashboard(database.database, tables)});
    }
    return files;
}

}  // namespace biwa
