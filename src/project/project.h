// A user's project: the files of a folder in git, checked and made into one value.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/mask.h"
#include "model/setting.h"
#include "model/table.h"
#include "model/table_part.h"

namespace biwa {

// Where something stands, for errors: "streams/app.yaml:7:5". Lines and columns count from 1.
struct SourceLocation {
    std::string file;  // relative to the project's folder
    int line = 0;
    int column = 0;

    std::string ToString() const;
};

// biwa.yaml, `warehouse:`
struct WarehouseConfig {
    std::filesystem::path path;            // absolute; default <project>/.biwa/warehouse.duckdb
    std::uint64_t memory_limit_bytes = 0;  // 0: a quarter of the machine's memory, 4 GiB at most
    int threads = 0;                       // 0: one a core
    std::uint64_t disk_reserve_bytes = 64'000'000;
    std::string time_zone = "UTC";  // of timestamps with time zone, where SQL shows them
};

// The variables of models, in the order in which they were first said: JavaScript goes through
// them.
struct Variables {
    std::vector<std::pair<std::string, std::string>> all;

    const std::string* Find(std::string_view name) const;
    // Over what it was, in the same place.
    void Set(const std::string& name, std::string value);

    bool operator==(const Variables&) const = default;
};

// biwa.yaml, `models:`, and what Dataform's workflow_settings.yaml or dataform.json says besides.
// Where both say something, biwa.yaml counts.
struct ModelsConfig {
    std::string default_dataset = "main";
    std::string assertion_dataset = "assertions";
    std::chrono::milliseconds refresh{5000};  // rebuilt at most this often while serving
    Variables vars;
    // "dev" makes mart_dev of mart, and dev_daily of daily; of the project's own actions only.
    std::string dataset_suffix;
    std::string name_prefix;
    std::string assertion_name_prefix;  // of assertions that a model's config asks for
    bool disable_assertions = false;

    // Kept for `compile --json`; the warehouse has no projects, locations or reservations.
    std::string default_project;
    std::string project_suffix;
    std::string default_location;
    std::string default_reservation;
    bool include_tests = false;
    bool preserve_governance_controls = false;
    struct Iceberg {
        std::string bucket;
        std::string folder;
        std::string subfolder;
        std::string connection;
    };
    std::optional<Iceberg> iceberg;
    // Where a message about the settings points to; no file where there is none of Dataform's.
    SourceLocation dataform_settings;
};

// biwa.yaml, `server:`
struct ServerConfig {
    std::string listen = "127.0.0.1:8700";
};

// connections/NAME.yaml
struct ConnectionConfig {
    std::string name;
    std::string kind;  // "postgres"
    // As in the file: secrets are still references. ResolveSecrets makes what a source is given.
    std::map<std::string, std::string> settings;
    SourceLocation location;
};

// Columns of a stream, as they are named: "students.email", "billing.invoices.iban", "*.email".
struct MaskConfig {
    std::string columns;
    Mask mask;
    SourceLocation location;
};

// streams/NAME.yaml
struct StreamConfig {
    std::string name;
    std::string connection;
    std::string dataset;              // of the warehouse; default: the stream's name
    std::vector<std::string> tables;  // patterns "public.answers", "public.*"
    std::vector<std::string> exclude;
    TableParts only;
    std::map<std::string, SourceLocation> only_locations;  // of each table of `only`
    std::vector<std::string> history;  // patterns of tables whose history is kept
    std::vector<MaskConfig> masks;
    std::map<std::string, SourceLocation> clear;  // columns that are not masked, and where it says
    bool mask_by_default = false;
    std::string mask_key;  // a reference
    SourceLocation mask_key_location;
    std::uint64_t wal_warn_bytes = 10'000'000'000;  // 0: never
    std::uint64_t wal_stop_bytes = 0;               // 0: never
    std::chrono::milliseconds discover_every{10'000};
    bool recopy_when_lost = false;
    std::optional<TextStorage> texts = {};         // nothing: as there is room
    std::chrono::milliseconds reconcile_every{0};  // 0: only when asked
    bool reconcile_repairs = false;
    SourceLocation location;
    std::map<std::string, SourceLocation> table_locations;  // of each pattern

    // Its own, and those of its history.
    std::vector<std::string> datasets() const {
        if (history.empty()) return {dataset};
        return {dataset, dataset + "_changes", dataset + "_history"};
    }
};

struct TileConfig {
    enum class Kind { kCounter, kLine, kBar, kTable };
    std::string title;
    std::string description;
    Kind kind = Kind::kTable;
    std::string sql;
    std::string x;
    std::vector<std::string> y;
    std::string series;
    std::string unit;
    int width = 4;   // twelfths of the page
    int height = 2;  // rows of the page's grid
    SourceLocation location;
};

// dashboards/NAME.yaml
struct DashboardConfig {
    std::string name;
    std::string title;
    std::string description;
    std::chrono::milliseconds refresh{1000};  // a tile is asked anew at most this often
    std::vector<TileConfig> tiles;
    SourceLocation location;
};

// A file under definitions/, as it is; transform/compile makes models of them.
struct DefinitionFile {
    std::string path;  // relative to the project's folder, "/" between
    std::string text;
};

struct Project {
    std::filesystem::path root;
    std::string name;
    std::string environment = "dev";
    WarehouseConfig warehouse;
    ModelsConfig models;
    ServerConfig server;
    std::map<std::string, ConnectionConfig> connections;
    std::map<std::string, StreamConfig> streams;
    std::map<std::string, DashboardConfig> dashboards;
    // definitions/**: .sqlx, .js, actions.yaml and what those name (.sql, .ipynb); sorted by path
    std::vector<DefinitionFile> definitions;
    std::vector<DefinitionFile> includes;  // includes/**.js; sorted by path

    // What Biwa itself keeps for this project: <root>/.biwa
    std::filesystem::path state_dir() const { return root / ".biwa"; }
};

// The kinds of connection that there are: kind -> its settings. From the registry of sources.
using ConnectionKinds = std::map<std::string, std::vector<Setting>>;

// Texts that an editor has and the folder has not yet, by their paths relative to the folder; valid
// UTF-8.
using UnsavedTexts = std::map<std::string, std::string>;

// What is wrong, and where: without a line, with the file as a whole; without a file, with all.
struct FileProblem {
    SourceLocation location;
    std::string message;
};

struct LoadedProject {
    std::shared_ptr<const Project> project;  // nullptr where there are problems
    std::vector<FileProblem> problems;       // sorted by place
};
// Reads and checks every file.
LoadedProject LoadWithProblems(const std::filesystem::path& root, const ConnectionKinds& kinds,
                               UnsavedTexts unsaved = {});
// The same. The error holds all that is wrong, one "file:line:column: …" a line.
Result<std::shared_ptr<const Project>> LoadProject(const std::filesystem::path& root,
                                                   const ConnectionKinds& kinds,
                                                   UnsavedTexts unsaved = {});

// `start` or the nearest folder above it that holds a biwa.yaml.
Result<std::filesystem::path> FindProjectRoot(const std::filesystem::path& start);

// Replaces ${env:NAME} and ${file:/path} (a trailing line end is cut) in each value; a relative
// path is taken from the project's folder. The error names the reference, never a value.
Result<std::map<std::string, std::string>> ResolveSecrets(const Project& project,
                                                          const ConnectionConfig& connection);

// The kinds of file ("biwa", "stream", "dashboard", and "connection/KIND" for each kind) and their
// settings.
std::map<std::string, std::vector<Setting>> FileKinds(const ConnectionKinds& kinds);
// JSON Schema (draft 2020-12) of one of them.
std::string JsonSchema(const std::string& title, const std::vector<Setting>& settings);
// The reference of all project files in Markdown (docs/reference/project-files.md), and that of one
// kind of connection.
std::string ReferencePage();
std::string ConnectionReferencePage(const std::string& kind, const std::vector<Setting>& settings);

}  // namespace biwa
