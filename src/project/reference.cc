// The reference of project files in Markdown.
#include <fmt/format.h>

#include "base/text.h"
#include "project/project.h"
#include "project/settings.h"

namespace biwa {

namespace {

std::string_view TypeName(const Setting& setting) {
    switch (setting.type) {
        case SettingType::kText:
            return setting.choices.empty() ? "text" : "choice";
        case SettingType::kInteger:
            return "whole number";
        case SettingType::kBoolean:
            return "true or false";
        case SettingType::kDuration:
            return "duration";
        case SettingType::kBytes:
            return "size";
        case SettingType::kSecret:
            return "secret";
        case SettingType::kPath:
            return "file";
        case SettingType::kTextList:
            return "text or list of texts";
        case SettingType::kObject:
            return "settings";
        case SettingType::kObjectList:
            return "list of settings";
        case SettingType::kMap:
            return "names and values";
    }
    return "";
}

// "|" would end a table's cell.
std::string Cell(const std::string& text) {
    std::string cell;
    for (const char c : text) cell += c == '|' ? std::string("\\|") : std::string(1, c);
    return cell;
}

void AddRows(const std::vector<Setting>& settings, const std::string& path, std::string& page) {
    for (const auto& setting : settings) {
        const auto name = path + setting.name;
        auto description = setting.description;
        if (!setting.choices.empty()) {
            description += fmt::format(" One of: `{}`.", Join(setting.choices, "`, `"));
        }
        const bool has_range = setting.type == SettingType::kInteger;
        if (has_range) description += fmt::format(" From {} to {}.", setting.min, setting.max);
        const std::string fallback = setting.required ? "required"
                                     : setting.default_text.empty()
                                         ? "–"
                                         : "`" + setting.default_text + "`";
        page += fmt::format("| `{}` | {} | {} | {} |\n", name, TypeName(setting), Cell(fallback),
                            Cell(description));
        const bool is_list = setting.type == SettingType::kObjectList;
        const bool is_map = setting.type == SettingType::kMap;
        AddRows(setting.fields, name + (is_list ? "[]." : is_map ? ".NAME." : "."), page);
    }
}

std::string Table(const std::vector<Setting>& settings) {
    std::string table = "| setting | type | default | meaning |\n|---|---|---|---|\n";
    AddRows(settings, "", table);
    return table + "\n";
}

constexpr const char* kIntroduction = R"(# Project files

<!-- Generated from the descriptions that also check the files: UPDATE_GOLDEN=1 project_test -->

A project is a folder that holds a `biwa.yaml`. `biwa validate` checks all of its files and names the
place of everything that is wrong. Names of connections, streams and dashboards are the names of their
files: letters, digits, `_` and `-`. A file is UTF-8 and has 4 MiB at most; a symbolic link counts
only when it stays inside of the project.

- A **duration** is a whole number and `ms`, `s`, `m`, `h` or `d`: `500ms`, `30s`, `5m`, `2h`, `1d`.
- A **size** is a whole number and `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`,
  `TiB` (powers of 1024).
- A **file** that is not written from `/` on begins at the project's folder.
- A **secret** never stands in a file of the project. Write where it is: `${env:NAME}`, an environment
  variable, or `${file:secrets/app.password}`, a file; a relative path begins at the project's folder,
  and a line end at the end of the file is cut. Every text of a connection may hold such references;
  within a URL what they stand for is percent-encoded.

)";

}  // namespace

std::string ReferencePage() {
    std::string page = kIntroduction;
    page += "## biwa.yaml\n\n" + Table(BiwaSettings());
    page +=
        "## workflow_settings.yaml\n\nThe settings file of a Dataform repository; `biwa.yaml` "
        "counts "
        "where both name a dataset or a\nvariable. The older `dataform.json` is read in its place, "
        "and "
        "calls some of them otherwise:\n`defaultDatabase`, `defaultSchema`, `assertionSchema`, "
        "`databaseSuffix`, `schemaSuffix`, `tablePrefix`.\nBoth at once are an error.\n\n" +
        Table(WorkflowSettings());
    page +=
        "## connections/NAME.yaml\n\nWhere a source is. `kind` says what it is and which other "
        "settings there are; a page for each\nkind lists them. A file that has nothing but `url: "
        "postgres://…` is of the kind `postgres`.\n\n";
    page +=
        "## streams/NAME.yaml\n\nTables that are copied and then kept as the source has them.\n\n" +
        Table(StreamSettings());
    page += "## dashboards/NAME.yaml\n\nA page of tiles, each a query.\n\n" +
            Table(DashboardSettings());
    page +=
        "## definitions/ and includes/\n\n`definitions/**/*.sqlx` and `definitions/**/*.js` are "
        "models, assertions, unit tests and declarations in\nDataform's language, and so are the "
        "actions of `definitions/**/actions.yaml` with the `.sql` files\nthat it names. "
        "`includes/**/*.js` is JavaScript that they share. See [models](../models.md).\n";
    return page;
}

std::string ConnectionReferencePage(const std::string& kind, const std::vector<Setting>& settings) {
    return fmt::format(
               "# Connections of the kind {}\n\nThe settings of a `connections/NAME.yaml` "
               "with `kind: {}`. How durations, sizes and secrets are\nwritten stands in "
               "[project files](project-files.md).\n\n",
               kind, kind) +
           Table(ConnectionSettings(kind, settings));
}

}  // namespace biwa
