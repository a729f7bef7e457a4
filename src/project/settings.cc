#include "project/settings.h"

#include "project/project.h"

namespace biwa {

std::vector<Setting> BiwaSettings() {
    return {
        {.name = "name",
         .description = "The project's name: letters, digits, _ and -.",
         .required = true},
        {.name = "environment",
         .description = "The name of the environment, shown on the web page.",
         .default_text = "dev"},
        {.name = "warehouse",
         .type = SettingType::kObject,
         .description = "Where the data is kept.",
         .fields = {{.name = "path",
                     .description = "The DuckDB file; a relative path begins at the project's "
                                    "folder.",
                     .default_text = ".biwa/warehouse.duckdb"},
                    {.name = "memory_limit",
                     .type = SettingType::kBytes,
                     .description = "Memory that the warehouse may use. Left out: a quarter of the "
                                    "machine's, 4 GiB at most. The process takes about a quarter "
                                    "more than this, and 100 MB."},
                    {.name = "disk_reserve",
                     .type = SettingType::kBytes,
                     .description =
                         "Room that is kept beside the DuckDB file for when the disk is full; then "
                         "streams wait, and what else has to be written has it. 0MB: none.",
                     .default_text = "64MB"},
                    {.name = "time_zone",
                     .type = SettingType::kText,
                     .description =
                         "Time zone in which timestamps with time zone are shown and cut "
                         "into days: \"Asia/Tokyo\".",
                     .default_text = "UTC"},
                    {.name = "threads",
                     .type = SettingType::kInteger,
                     .description = "Threads of the warehouse. Left out: one a core.",
                     .min = 1,
                     .max = 1024}}},
        {.name = "models",
         .type = SettingType::kObject,
         .description = "How the models of definitions/ are built.",
         .fields = {{.name = "default_dataset",
                     .description = "The dataset of a model that names none. defaultDataset of "
                                    "workflow_settings.yaml counts where this is left out.",
                     .default_text = "main"},
                    {.name = "assertion_dataset",
                     .description = "The dataset of assertions. defaultAssertionDataset of "
                                    "workflow_settings.yaml counts where this is left out.",
                     .default_text = "assertions"},
                    {.name = "refresh",
                     .type = SettingType::kDuration,
                     .description =
                         "While serving, a model is built again at most this often, and only "
                         "when what it reads has changed. At least 100ms.",
                     .default_text = "5s"},
                    {.name = "vars",
                     .type = SettingType::kMap,
                     .description =
                         "Values that models read as dataform.projectConfig.vars. They are "
                         "laid over the vars of workflow_settings.yaml."}}},
        {.name = "server",
         .type = SettingType::kObject,
         .description = "The web page and the HTTP API.",
         .fields = {{.name = "listen",
                     .description = "Address and port, HOST:PORT. Port 0 takes a free one.",
                     .default_text = "127.0.0.1:8700"}}},
    };
}

std::vector<Setting> WorkflowSettings() {
    return {
        {.name = "dataformCoreVersion", .description = "Read by Dataform only."},
        {.name = "defaultProject",
         .description = "Kept for compile --json: the warehouse has no projects."},
        {.name = "defaultDataset",
         .description = "The dataset of a model that names none, where biwa.yaml does not say."},
        {.name = "defaultLocation",
         .description = "Kept for compile --json: the warehouse has no locations."},
        {.name = "defaultAssertionDataset",
         .description = "The dataset of assertions, where biwa.yaml does not say. Left out: "
                        "defaultDataset."},
        {.name = "vars",
         .type = SettingType::kMap,
         .description = "Values that models read as dataform.projectConfig.vars."},
        {.name = "projectSuffix", .description = "Kept for compile --json."},
        {.name = "datasetSuffix",
         .description = "dev makes mart_dev of each dataset that the project's actions go to."},
        {.name = "namePrefix",
         .description = "dev makes dev_daily of each name that the project's actions have."},
        {.name = "builtinAssertionNamePrefix",
         .description = "Stands before the names of assertions that a model's config asks for."},
        {.name = "disableAssertions",
         .type = SettingType::kBoolean,
         .description = "Assertions are compiled, and not run.",
         .default_text = "false"},
        {.name = "defaultReservation", .description = "Kept for compile --json."},
        {.name = "includeTestsInCompiledGraph",
         .type = SettingType::kBoolean,
         .description = "Kept for compile --json.",
         .default_text = "false"},
        {.name = "preserveGovernanceControls",
         .type = SettingType::kBoolean,
         .description = "Kept for compile --json.",
         .default_text = "false"},
        {.name = "defaultIcebergConfig",
         .type = SettingType::kObject,
         .description = "Kept for compile --json.",
         .fields = {{.name = "bucketName", .description = "A bucket."},
                    {.name = "tableFolderRoot", .description = "A folder."},
                    {.name = "tableFolderSubpath", .description = "A folder below it."},
                    {.name = "connection", .description = "A connection of BigQuery."}}},
        {.name = "defaultNotebookRuntimeOptions",
         .type = SettingType::kObject,
         .description = "Notebooks are not run here.",
         .fields = {{.name = "outputBucket", .description = "A bucket."},
                    {.name = "runtimeTemplateName", .description = "A template."},
                    {.name = "repositorySnapshotDestination",
                     .type = SettingType::kObject,
                     .description = "A place for the repository's files.",
                     .fields = {{.name = "repositorySnapshotUri", .description = "A URI."}}}}},
        {.name = "extension",
         .type = SettingType::kObject,
         .description = "Packages that extend Dataform's compiler are not run here.",
         .fields = {{.name = "name", .description = "A package."},
                    {.name = "compilationMode", .description = "A mode."}}},
    };
}

std::vector<Setting> DataformJsonSettings() {
    // The same, by older names.
    static const std::map<std::string, std::string> kOlder = {
        {"defaultProject", "defaultDatabase"},
        {"defaultDataset", "defaultSchema"},
        {"defaultAssertionDataset", "assertionSchema"},
        {"projectSuffix", "databaseSuffix"},
        {"datasetSuffix", "schemaSuffix"},
        {"namePrefix", "tablePrefix"}};
    std::vector<Setting> settings = {
        {.name = "warehouse", .description = "Kept for compile --json: it is Biwa's own."}};
    for (auto& setting : WorkflowSettings()) {
        if (setting.name == "dataformCoreVersion" || setting.name == "extension") continue;
        const auto older = kOlder.find(setting.name);
        if (older != kOlder.end()) setting.name = older->second;
        settings.push_back(std::move(setting));
    }
    return settings;
}

std::vector<Setting> StreamSettings() {
    return {
        {.name = "connection",
         .description = "The connection to copy from: the name of a file in connections/.",
         .required = true},
        {.name = "dataset",
         .description =
             "The dataset of the warehouse that the tables go to, with the name of their "
             "schema in front (audit__users of audit.users) unless that is public or, of "
             "MariaDB and MySQL, the connection's database. Left out: the stream's name. "
             "Two streams cannot share one."},
        {.name = "tables",
         .type = SettingType::kTextList,
         .description = "The tables to copy, as schema.table; public.* is every table of public.",
         .required = true},
        {.name = "exclude",
         .type = SettingType::kTextList,
         .description = "Tables to leave out of those, written in the same way."},
        {.name = "mode",
         .type = SettingType::kText,
         .description = "mirror: the tables are as the source has them now. history: so they are, "
                        "and beside them each change is kept, in the datasets NAME_changes and "
                        "NAME_history: the rows of any moment.",
         .default_text = "mirror",
         .choices = {"mirror", "history"}},
        {.name = "history",
         .type = SettingType::kTextList,
         .description = "With mode: history, the tables whose history is kept, written as those of "
                        "tables. Left out: all."},
        {.name = "only",
         .type = SettingType::kMap,
         .description =
             "Tables of which a part is copied and followed, by their names as schema.table. The "
             "rest does not leave the source. It takes PostgreSQL 15.",
         .fields = {{.name = "columns",
                     .type = SettingType::kTextList,
                     .description = "The columns to copy, those of the primary key among them. "
                                    "Left out: all."},
                    {.name = "where",
                     .description =
                         "A condition in the source's SQL on the table's columns: rows of which it "
                         "is true are copied. Where updates and deletes are followed, it uses "
                         "columns of the replica identity only (the primary key, if nothing else "
                         "is set). Left out: all rows."}}},
        {.name = "masks",
         .type = SettingType::kMap,
         .description =
             "What is done to columns before anything of them is written. Their names are "
             "table.column, or schema.table.column outside of public; a * stands for any "
             "characters, and a column's own name counts before such names. drop: the column is "
             "left out. null: it is NULL. hash: HMAC-SHA-256 by mask_key, in hex; the only one for "
             "columns of a primary key. email: *** and the domain. truncate N: the first N "
             "characters. year, month: the first day of a date's year or month.",
         .pattern = "drop|null|hash|email|year|month|truncate ([1-9][0-9]{0,2}|1000)"},
        {.name = "mask",
         .description =
             "Columns that neither masks nor clear name. listed: they are clear. by_default: they "
             "are NULL until one of the two names them, and a table whose primary key is not named "
             "is left out.",
         .default_text = "listed",
         .choices = {"listed", "by_default"}},
        {.name = "clear",
         .type = SettingType::kTextList,
         .description = "Columns that are not masked, named as in masks: students.id, answers.*."},
        {.name = "mask_key",
         .type = SettingType::kSecret,
         .description = "The key of hashes, 16 bytes at least. Another key gives other hashes."},
        {.name = "wal_guard",
         .type = SettingType::kObject,
         .description = "What happens when the source keeps more and more of its log (WAL) for a "
                        "stream that does not get on. 0B is no limit.",
         .fields =
             {{.name = "warn",
               .type = SettingType::kBytes,
               .description = "From here on the log, the status and the page say so.",
               .default_text = "10GB"},
              {.name = "stop",
               .type = SettingType::kBytes,
               .description =
                   "From here on the stream is given up, to save the source's disk: it stops, "
                   "and its slot is dropped. Its tables stay as they are until the next start "
                   "copies them anew. Left out: never."},
              {.name = "drop_slot",
               .type = SettingType::kBoolean,
               .description = "Has to be true where stop is set: to stop and to leave the slot "
                              "would free nothing.",
               .default_text = "false"}}},
        {.name = "discover_every",
         .type = SettingType::kDuration,
         .description = "How often to look for tables that have come, gone or changed at the "
                        "source.",
         .default_text = "10s"},
        {.name = "when_lost",
         .type = SettingType::kText,
         .description =
             "What to do when the source does not have the changes any more that are "
             "still to come (a slot that is gone, a backup that was restored). stop: the "
             "stream fails and says so. recopy: all tables are copied anew, beside those "
             "that readers see, which they replace when they are whole.",
         .default_text = "stop",
         .choices = {"stop", "recopy"}},
        {.name = "texts",
         .type = SettingType::kText,
         .description =
             "How texts that seldom repeat are stored. compressed: in about half the space. plain: "
             "tables of many such texts are copied in three quarters of the time, and the texts "
             "are read faster out of memory. auto: plain where all that is copied takes less than "
             "a tenth of what is free on the warehouse's disk, else compressed. It counts for "
             "tables that are copied from then on.",
         .default_text = "auto",
         .choices = {"auto", "compressed", "plain"}},
        {.name = "reconcile",
         .type = SettingType::kObject,
         .description = "Comparing all tables with the source, value by value, while changes flow.",
         .fields = {{.name = "every",
                     .type = SettingType::kDuration,
                     .description = "How often, such as 1d. Left out: only when `biwa reconcile` "
                                    "asks for it."},
                    {.name = "repair",
                     .type = SettingType::kBoolean,
                     .description = "Read the rows that differ anew. Else they are only named.",
                     .default_text = "false"}}},
    };
}

std::vector<Setting> DashboardSettings() {
    return {
        {.name = "title", .description = "The heading. Left out: the dashboard's name."},
        {.name = "description", .description = "A sentence below the heading."},
        {.name = "refresh",
         .type = SettingType::kDuration,
         .description = "While somebody looks, a tile is asked anew at most this often, and only "
                        "when the data has changed. At least 100ms.",
         .default_text = "1s"},
        {.name = "tiles",
         .type = SettingType::kObjectList,
         .description = "What the page shows, from the top left on.",
         .required = true,
         .fields = {{.name = "title", .description = "The tile's heading.", .required = true},
                    {.name = "description", .description = "A sentence below the heading."},
                    {.name = "type",
                     .description =
                         "counter: one number, the first of the result or the column in y; a "
                         "column called previous is shown as the change since. line and bar: "
                         "charts of y over x. table: the result as it is.",
                     .default_text = "table",
                     .choices = {"counter", "line", "bar", "table"}},
                    {.name = "sql",
                     .description = "One SELECT, in the warehouse's SQL (DuckDB).",
                     .required = true},
                    {.name = "x", .description = "line, bar: the column of the horizontal axis."},
                    {.name = "y",
                     .type = SettingType::kTextList,
                     .description = "line, bar: the columns to draw. counter: the column to show."},
                    {.name = "series",
                     .description =
                         "line, bar: a column that splits the one y into a line (or bar) for "
                         "each of its values."},
                    {.name = "unit", .description = "Shown behind the numbers."},
                    {.name = "width",
                     .type = SettingType::kInteger,
                     .description = "In twelfths of the page.",
                     .default_text = "4",
                     .min = 1,
                     .max = 12},
                    {.name = "height",
                     .type = SettingType::kInteger,
                     .description = "In rows of the page's grid.",
                     .default_text = "2",
                     .min = 1,
                     .max = 24}}},
    };
}

std::vector<Setting> ConnectionSettings(const std::string& kind, const std::vector<Setting>& own) {
    std::vector<Setting> settings = {{.name = "kind",
                                      .description = "What is connected to.",
                                      .required = true,
                                      .choices = {kind}}};
    settings.insert(settings.end(), own.begin(), own.end());
    return settings;
}

std::map<std::string, std::vector<Setting>> FileKinds(const ConnectionKinds& kinds) {
    std::map<std::string, std::vector<Setting>> files = {
        {"biwa", BiwaSettings()}, {"stream", StreamSettings()}, {"dashboard", DashboardSettings()}};
    for (const auto& [kind, own] : kinds) {
        files["connection/" + kind] = ConnectionSettings(kind, own);
    }
    return files;
}

}  // namespace biwa
