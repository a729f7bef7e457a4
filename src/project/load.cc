#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "project/files.h"
#include "project/masks.h"
#include "project/problems.h"
#include "project/project.h"
#include "project/secrets.h"
#include "project/settings.h"
#include "project/yaml_check.h"

namespace biwa {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kRefreshMin(100);
constexpr std::chrono::milliseconds kReconcileMin(10'000);

tl::unexpected<Error> NoProject(const fs::path& where) {
    return UserError(fmt::format("there is no biwa.yaml in {} or above it", where.string()),
                     "`biwa init` makes a project, `biwa up postgres://…` in an empty folder makes "
                     "one for a database");
}

// Names become parts of file names, URLs and slots; so they are plain.
bool IsPlainName(std::string_view name) {
    if (name.empty() || name.size() > 63 || name.front() == '-') return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

constexpr const char* kPlainName = "letters, digits, _ and - (63 at most, the first no -)";

// The warehouse compares the names of datasets without regard to case.
std::string Lower(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

class Loader {
  public:
    Loader(const fs::path& root, const ConnectionKinds& kinds, UnsavedTexts unsaved)
        : files_(root, std::move(unsaved)), kinds_(kinds) {
        project_.root = root;
    }

    LoadedProject Load() {
        LoadBiwa();
        ForEachYaml("connections",
                    [this](const std::string& name, const YamlDocument& document,
                           const std::string& file) { LoadConnection(name, document, file); });
        ForEachYaml("streams",
                    [this](const std::string& name, const YamlDocument& document,
                           const std::string& file) { LoadStream(name, document, file); });
        ForEachYaml("dashboards",
                    [this](const std::string& name, const YamlDocument& document,
                           const std::string& file) { LoadDashboard(name, document, file); });
        project_.definitions =
            LoadTexts("definitions", {".sqlx", ".js", ".yaml", ".sql", ".ipynb"});
        project_.includes = LoadTexts("includes", {".js"});
        CheckStreams();
        if (!problems_.empty()) return {nullptr, problems_.Sorted()};
        return {std::make_shared<const Project>(std::move(project_)), {}};
    }

  private:
    std::optional<YamlDocument> Parse(const std::string& file) {
        const auto text = files_.Read(file, problems_);
        if (!text) return std::nullopt;
        return YamlDocument::Parse(file, *text, problems_);
    }

    void LoadBiwa() {
        const auto document = Parse("biwa.yaml");
        if (!document) return;
        const auto biwa = document->Check(BiwaSettings(), OtherNames::kRefused, problems_);

        project_.name = biwa.Text("name");
        CheckName(biwa, "name", "the project's name");
        project_.environment = biwa.Text("environment");
        CheckName(biwa, "environment", "the environment's name");

        if (const auto* warehouse = biwa.Find("warehouse")) {
            project_.warehouse.path =
                fs::absolute(project_.root / warehouse->Text("path")).lexically_normal();
            project_.warehouse.memory_limit_bytes = warehouse->Bytes("memory_limit");
            project_.warehouse.disk_reserve_bytes = warehouse->Bytes("disk_reserve");
            project_.warehouse.threads = static_cast<int>(warehouse->Integer("threads"));
            project_.warehouse.time_zone = warehouse->Text("time_zone");
            constexpr std::uint64_t kMemoryMin = 64'000'000;
            if (warehouse->Find("memory_limit") &&
                project_.warehouse.memory_limit_bytes < kMemoryMin) {
                problems_.Add(warehouse->Place("memory_limit"),
                              fmt::format("warehouse.memory_limit is \"{}\"; the warehouse needs "
                                          "64MB at least",
                                          warehouse->Text("memory_limit")));
            }
        }
        if (const auto* server = biwa.Find("server")) {
            project_.server.listen = server->Text("listen");
            CheckListen(*server);
        }
        const auto* models = biwa.Find("models");
        LoadModels(models ? *models : Checked());
    }

    // The settings of a Dataform repository, if this is one; by their names in
    // workflow_settings.yaml.
    Checked LoadDataformSettings() {
        constexpr const char* kYaml = "workflow_settings.yaml";
        constexpr const char* kJson = "dataform.json";
        if (files_.Exists(kYaml) && files_.Exists(kJson)) {
            problems_.Add({kJson},
                          "must not stand beside workflow_settings.yaml, which has taken "
                          "its place: move over what is still needed and delete it");
        } else if (files_.Exists(kYaml)) {
            project_.models.dataform_settings = {kYaml, 1, 1};
            if (const auto document = Parse(kYaml))
                return document->Check(WorkflowSettings(), OtherNames::kRefused, problems_);
        } else if (files_.Exists(kJson)) {
            project_.models.dataform_settings = {kJson, 1, 1};
            // Every JSON text is YAML.
            if (const auto document = Parse(kJson)) {
                auto checked =
                    document->Check(DataformJsonSettings(), OtherNames::kRefused, problems_);
                return WithNewerNames(std::move(checked));
            }
        }
        return {};
    }

    static Checked WithNewerNames(Checked checked) {
        auto older = DataformJsonSettings();
        auto newer = WorkflowSettings();
        std::erase_if(newer, [](const Setting& setting) {
            return setting.name == "dataformCoreVersion" || setting.name == "extension";
        });
        // `older` begins with the warehouse, and has the others in the same order.
        for (std::size_t i = 0; i < newer.size(); ++i) {
            auto field = checked.fields.extract(older[i + 1].name);
            if (field.empty()) continue;
            field.key() = newer[i].name;
            checked.fields.insert(std::move(field));
        }
        return checked;
    }

    void LoadModels(const Checked& models) {
        auto& config = project_.models;
        const auto dataform = LoadDataformSettings();
        const auto choose = [&](const std::string& ours, const std::string& theirs) {
            const auto* own = models.Find(ours);
            const auto* other = dataform.Find(theirs);
            if (own && !own->is_default) {
                CheckDataset(own->location, own->text);
                return own->text;
            }
            if (other && !other->text.empty()) {
                CheckDataset(other->location, other->text);
                return other->text;
            }
            return models.Text(ours);
        };
        config.default_dataset = choose("default_dataset", "defaultDataset");
        config.assertion_dataset = choose("assertion_dataset", "defaultAssertionDataset");
        const auto* own_assertions = models.Find("assertion_dataset");
        const bool is_dataforms = !config.dataform_settings.file.empty();
        if (is_dataforms && !dataform.Find("defaultAssertionDataset") &&
            (!own_assertions || own_assertions->is_default)) {
            config.assertion_dataset = config.default_dataset;
        }
        if (models.Find("refresh")) {
            config.refresh = models.Duration("refresh");
            CheckRefresh(models);
        }
        for (const Checked* source : {static_cast<const Checked*>(&dataform), &models}) {
            const auto* vars = source->Find("vars");
            if (!vars) continue;
            std::vector<std::pair<std::string, const Checked*>> said;
            for (const auto& [name, value] : vars->fields) said.emplace_back(name, &value);
            std::sort(said.begin(), said.end(), [](const auto& a, const auto& b) {
                const auto &one = a.second->location, &other = b.second->location;
                return std::pair(one.line, one.column) < std::pair(other.line, other.column);
            });
            for (const auto& [name, value] : said) config.vars.Set(name, value->text);
        }
        LoadKept(dataform);
    }

    void LoadKept(const Checked& dataform) {
        auto& config = project_.models;
        config.dataset_suffix = dataform.Text("datasetSuffix");
        config.name_prefix = dataform.Text("namePrefix");
        config.assertion_name_prefix = dataform.Text("builtinAssertionNamePrefix");
        config.disable_assertions = dataform.Boolean("disableAssertions");
        config.default_project = dataform.Text("defaultProject");
        config.project_suffix = dataform.Text("projectSuffix");
        config.default_location = dataform.Text("defaultLocation");
        config.default_reservation = dataform.Text("defaultReservation");
        config.include_tests = dataform.Boolean("includeTestsInCompiledGraph");
        config.preserve_governance_controls = dataform.Boolean("preserveGovernanceControls");
        const auto* iceberg = dataform.Find("defaultIcebergConfig");
        if (iceberg && !iceberg->is_default) {
            config.iceberg = {iceberg->Text("bucketName"), iceberg->Text("tableFolderRoot"),
                              iceberg->Text("tableFolderSubpath"), iceberg->Text("connection")};
        }
    }

    void LoadConnection(const std::string& name, const YamlDocument& document,
                        const std::string& file) {
        ConnectionConfig connection;
        connection.name = name;
        connection.location = {file, 1, 1};
        std::vector<std::string> kind_names;
        for (const auto& [kind, ignored] : kinds_) kind_names.push_back(kind);

        // A URL, or a service of libpq, says what the other settings would: nothing else is needed,
        // and no default may speak against it.
        const auto url = document.Peek("url");
        const bool says_all = url.has_value() || document.Peek("service").has_value();
        const auto kind = document.Peek("kind");
        connection.kind = kind ? kind->text : url ? KindOfUrl(url->text) : "";
        if (!kind && connection.kind.empty()) {
            problems_.Add(connection.location,
                          fmt::format("kind is missing: what is connected to. Expected one of: {}.",
                                      Join(kind_names, ", ")));
            return;
        }
        const auto found = kinds_.find(connection.kind);
        if (found == kinds_.end()) {
            problems_.Add(kind ? kind->location : url->location,
                          fmt::format("there is no kind of connection \"{}\".{}", connection.kind,
                                      Suggest(connection.kind, kind_names)));
            return;
        }
        auto settings = ConnectionSettings(connection.kind, found->second);
        settings.front().required = kind.has_value();
        if (says_all) {
            for (auto& setting : settings) {
                setting.required = false;
                setting.default_text.clear();
            }
        }
        const auto checked = document.Check(settings, OtherNames::kRefused, problems_);
        for (const auto& setting : settings) {
            const auto* value = checked.Find(setting.name);
            if (!value || setting.name == "kind") continue;
            CheckReferences(*value, setting);
            connection.settings[setting.name] = setting.type == SettingType::kTextList
                                                    ? Join(checked.Texts(setting.name), ",")
                                                    : value->text;
        }
        project_.connections[name] = std::move(connection);
    }

    std::string KindOfUrl(const std::string& url) const {
        const auto scheme = url.substr(0, url.find("://"));
        if (scheme.size() == url.size()) return "";
        return scheme == "postgresql" ? "postgres" : scheme;
    }

    void CheckReferences(const Checked& value, const Setting& setting) {
        if (const auto references = FindReferences(value.text); !references) {
            problems_.Add(value.location,
                          fmt::format("{}: {}", setting.name, references.error().message));
        } else if (HoldsLiteralPassword(value.text)) {
            problems_.Add(value.location,
                          fmt::format("{} holds a password; write a reference in its place: "
                                      "${{env:NAME}} or ${{file:secrets/NAME}}",
                                      setting.name));
        }
    }

    void LoadStream(const std::string& name, const YamlDocument& document,
                    const std::string& file) {
        const auto checked = document.Check(StreamSettings(), OtherNames::kRefused, problems_);
        // A stream's second line, and its second publication, are called so (JoinName): theirs must
        // not be those of another stream, nor be cut off (at 63, with "biwa_" in front).
        auto ending = Lower(name);
        std::replace(ending.begin(), ending.end(), '-', '_');
        if (ending.ends_with("_join") || ending.ends_with("_inserts") || name.size() > 45) {
            problems_.Add({file}, fmt::format("a stream cannot be called \"{}\": its name has 45 "
                                              "letters at most, and does not end in _join or "
                                              "_inserts, as what Biwa makes beside a stream",
                                              name));
        }
        StreamConfig stream;
        stream.name = name;
        stream.location = {file, 1, 1};
        stream.connection = checked.Text("connection");
        stream.dataset = checked.Text("dataset");
        if (stream.dataset.empty()) stream.dataset = name;
        dataset_places_[name] =
            checked.Find("dataset") ? checked.Place("dataset") : stream.location;
        connection_places_[name] = checked.Place("connection");
        CheckDataset(dataset_places_[name], stream.dataset);
        stream.tables = CheckPatterns(checked, "tables", stream.table_locations);
        std::map<std::string, SourceLocation> ignored;
        stream.exclude = CheckPatterns(checked, "exclude", ignored);
        LoadOnly(checked, stream);
        LoadHistory(checked, stream);
        LoadMasks(checked, stream, problems_);
        LoadWalGuard(checked, stream);
        stream.discover_every =
            std::max(checked.Duration("discover_every"), std::chrono::milliseconds(100));
        stream.recopy_when_lost = checked.Text("when_lost") == "recopy";
        const auto texts = checked.Text("texts");
        if (texts == "plain") stream.texts = TextStorage::kPlain;
        if (texts == "compressed") stream.texts = TextStorage::kCompressed;
        if (const auto* reconcile = checked.Find("reconcile")) {
            LoadReconcile(*reconcile, stream);
        }
        project_.streams[name] = std::move(stream);
    }

    void LoadHistory(const Checked& checked, StreamConfig& stream) {
        std::map<std::string, SourceLocation> ignored;
        stream.history = CheckPatterns(checked, "history", ignored);
        const bool is_kept = checked.Text("mode") == "history";
        if (is_kept && stream.history.empty()) stream.history = {"*"};
        if (!is_kept && !stream.history.empty()) {
            problems_.Add(checked.Place("history"),
                          "history: names tables whose history is kept; that needs mode: history");
        }
    }

    void LoadOnly(const Checked& checked, StreamConfig& stream) {
        const auto* only = checked.Find("only");
        if (only == nullptr) return;
        const auto matches = [](const std::string& pattern, const std::string& table) {
            return pattern.ends_with('*') ? table.starts_with(pattern.substr(0, pattern.size() - 1))
                                          : table == pattern;
        };
        for (const auto& [table, value] : only->fields) {
            const auto covers = [&, name = table](const std::string& pattern) {
                return matches(pattern, name);
            };
            const bool is_there =
                std::any_of(stream.tables.begin(), stream.tables.end(), covers) &&
                std::none_of(stream.exclude.begin(), stream.exclude.end(), covers);
            if (table.ends_with('*') || !is_there) {
                const auto near = DidYouMean(table, stream.tables);
                problems_.Add(
                    value.location,
                    fmt::format("only: \"{}\" is no table of this stream ({}); expected "
                                "one as schema.table.{}",
                                table, Join(stream.tables, ", "),
                                near.empty() ? "" : fmt::format(" Did you mean \"{}\"?", near)));
                continue;
            }
            auto& part = stream.only[table];
            part.columns = value.Texts("columns");
            std::sort(part.columns.begin(), part.columns.end());
            part.columns.erase(std::unique(part.columns.begin(), part.columns.end()),
                               part.columns.end());
            part.where = std::string(Trim(value.Text("where")));
            stream.only_locations[table] = value.location;
            if (!part.empty()) continue;
            problems_.Add(value.location,
                          fmt::format("only.{} names neither columns nor where", table));
        }
    }

    void LoadReconcile(const Checked& reconcile, StreamConfig& stream) {
        stream.reconcile_every = reconcile.Duration("every");
        stream.reconcile_repairs = reconcile.Boolean("repair");
        if (stream.reconcile_every.count() > 0 && stream.reconcile_every < kReconcileMin) {
            problems_.Add(reconcile.Place("every"),
                          "every: a table read over and over is a burden to its database; "
                          "expected at least 10s");
        }
    }

    void LoadWalGuard(const Checked& checked, StreamConfig& stream) {
        const auto* guard = checked.Find("wal_guard");
        if (guard == nullptr) return;
        stream.wal_warn_bytes = guard->Bytes("warn");
        stream.wal_stop_bytes = guard->Bytes("stop");
        if (stream.wal_stop_bytes == 0) return;
        if (!guard->Boolean("drop_slot")) {
            problems_.Add(guard->Place("stop"),
                          "wal_guard.stop needs drop_slot: true. A stream that only stops frees "
                          "nothing: the source keeps its log for the slot. Without the slot the "
                          "tables have to be copied anew.");
        } else if (stream.wal_stop_bytes <= stream.wal_warn_bytes) {
            problems_.Add(
                guard->Place("stop"),
                fmt::format("wal_guard.stop is \"{}\"; expected more than warn, which is {}",
                            guard->Text("stop"), guard->Text("warn")));
        }
    }

    std::vector<std::string> CheckPatterns(const Checked& stream, const std::string& setting,
                                           std::map<std::string, SourceLocation>& locations) {
        const auto* list = stream.Find(setting);
        if (!list) return {};
        for (const auto& item : list->items) {
            const auto dot = item.text.find('.');
            if (dot == std::string::npos || dot == 0 || dot + 1 == item.text.size()) {
                problems_.Add(item.location,
                              fmt::format("{}: \"{}\" is no table; expected schema.table, such as "
                                          "\"public.{}\", or schema.* for all of a schema",
                                          setting, item.text,
                                          dot == std::string::npos ? item.text : "answers"));
            } else if (!locations.emplace(item.text, item.location).second) {
                problems_.Add(item.location,
                              fmt::format("{}: \"{}\" stands here twice; the first is in line {}",
                                          setting, item.text, locations[item.text].line));
            }
        }
        return stream.Texts(setting);
    }

    void LoadDashboard(const std::string& name, const YamlDocument& document,
                       const std::string& file) {
        const auto checked = document.Check(DashboardSettings(), OtherNames::kRefused, problems_);
        DashboardConfig dashboard;
        dashboard.name = name;
        dashboard.location = {file, 1, 1};
        dashboard.title = checked.Find("title") ? checked.Text("title") : name;
        dashboard.description = checked.Text("description");
        dashboard.refresh = checked.Duration("refresh");
        CheckRefresh(checked);
        if (const auto* tiles = checked.Find("tiles")) {
            for (const auto& item : tiles->items) dashboard.tiles.push_back(LoadTile(item));
        }
        project_.dashboards[name] = std::move(dashboard);
    }

    TileConfig LoadTile(const Checked& item) {
        TileConfig tile;
        tile.location = item.location;
        tile.title = item.Text("title");
        tile.description = item.Text("description");
        const auto type = item.Text("type");
        tile.kind = type == "counter" ? TileConfig::Kind::kCounter
                    : type == "line"  ? TileConfig::Kind::kLine
                    : type == "bar"   ? TileConfig::Kind::kBar
                                      : TileConfig::Kind::kTable;
        tile.sql = item.Text("sql");
        tile.x = item.Text("x");
        tile.y = item.Texts("y");
        tile.series = item.Text("series");
        tile.unit = item.Text("unit");
        tile.width = static_cast<int>(item.Integer("width"));
        tile.height = static_cast<int>(item.Integer("height"));
        if (!type.empty()) CheckTile(item, tile, type);
        return tile;
    }

    void CheckTile(const Checked& item, const TileConfig& tile, const std::string& type) {
        const bool is_chart =
            tile.kind == TileConfig::Kind::kLine || tile.kind == TileConfig::Kind::kBar;
        for (const char* needed : {"x", "y"}) {
            if (is_chart && !item.Find(needed)) {
                problems_.Add(item.location,
                              fmt::format("a {} tile needs {}: {}", type, needed,
                                          *needed == 'x' ? "the column of the horizontal axis"
                                                         : "the column, or columns, to draw"));
            }
        }
        if (is_chart && !tile.series.empty() && tile.y.size() > 1) {
            problems_.Add(item.Place("series"), "series splits one y, and here are several");
        }
        for (const char* unused : {"x", "y", "series"}) {
            const bool takes =
                is_chart || (tile.kind == TileConfig::Kind::kCounter && *unused == 'y');
            if (!takes && item.Find(unused)) {
                problems_.Add(item.Place(unused),
                              fmt::format("a {} tile takes no {}", type, unused));
            }
        }
        if (tile.kind == TileConfig::Kind::kCounter && tile.y.size() > 1) {
            problems_.Add(item.Place("y"), "a counter tile shows one y, and here are several");
        }
    }

    std::vector<DefinitionFile> LoadTexts(const std::string& folder,
                                          const std::vector<std::string>& extensions) {
        std::vector<DefinitionFile> texts;
        for (const auto& path : files_.List(folder, ProjectFiles::Depth::kTree, problems_)) {
            const auto extension = fs::path(path).extension().string();
            if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end()) {
                continue;
            }
            if (const auto text = files_.Read(path, problems_))
                texts.push_back({path, WithUnixLines(*text)});
        }
        return texts;
    }

    // A file's text is the same whichever system's editor ended its lines, and so is what is made
    // of it. JavaScript's template literals, of which Dataform makes SQL, do the same.
    static std::string WithUnixLines(std::string_view text) {
        std::string lines;
        lines.reserve(text.size());
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool is_return = text[i] == '\r';
            if (is_return && i + 1 < text.size() && text[i + 1] == '\n') continue;
            lines += is_return ? '\n' : text[i];
        }
        return lines;
    }

    template <typename Load>
    void ForEachYaml(const std::string& folder, Load load) {
        for (const auto& path : files_.List(folder, ProjectFiles::Depth::kFolder, problems_)) {
            const fs::path file(path);
            const auto name = file.stem().string();
            if (file.extension() == ".yml") {
                problems_.Add({path}, fmt::format("is not read; call it {}.yaml", name));
            }
            if (file.extension() != ".yaml") continue;
            if (!IsPlainName(name)) {
                problems_.Add({path}, fmt::format("the name \"{}\" comes from the file's, and must "
                                                  "be {}",
                                                  name, kPlainName));
                continue;
            }
            if (const auto document = Parse(path)) load(name, *document, path);
        }
    }

    void CheckStreams() {
        std::vector<std::string> names;
        for (const auto& [name, ignored] : project_.connections) names.push_back(name);
        std::map<std::string, const StreamConfig*> owners;
        for (const auto& [name, stream] : project_.streams) {
            // A connection whose file is broken is a problem already, and there all the same.
            if (!stream.connection.empty() && !project_.connections.count(stream.connection) &&
                !files_.Exists("connections/" + stream.connection + ".yaml")) {
                const auto suggestion =
                    names.empty()
                        ? fmt::format(" Describe it in connections/{}.yaml.", stream.connection)
                        : Suggest(stream.connection, names);
                problems_.Add(
                    connection_places_[name],
                    fmt::format("there is no connection \"{}\".{}", stream.connection, suggestion));
            }
            for (const auto& dataset : stream.datasets()) {
                const auto [owner, is_first] = owners.emplace(Lower(dataset), &stream);
                if (is_first) continue;
                problems_.Add(dataset_places_[name],
                              fmt::format("the dataset \"{}\" is that of stream {} ({}) already; "
                                          "each stream needs its own",
                                          dataset, owner->second->name,
                                          dataset_places_[owner->second->name].ToString()));
            }
        }
    }

    void CheckName(const Checked& object, const std::string& setting, const std::string& what) {
        const auto* value = object.Find(setting);
        if (value && !IsPlainName(value->text)) {
            problems_.Add(value->location, fmt::format("{} is \"{}\"; it must be {}", what,
                                                       value->text, kPlainName));
        }
    }

    void CheckDataset(const SourceLocation& location, const std::string& dataset) {
        static const std::vector<std::string> kTaken = {"_biwa", "information_schema", "pg_catalog",
                                                        "system", "temp"};
        if (std::find(kTaken.begin(), kTaken.end(), Lower(dataset)) != kTaken.end()) {
            problems_.Add(location, fmt::format("the dataset \"{}\" is the warehouse's own; choose "
                                                "another name",
                                                dataset));
        } else if (Lower(dataset) == Lower(project_.warehouse.path.stem().string())) {
            // DuckDB names its catalog after the file, and then "x.y" could be either's.
            problems_.Add(location,
                          fmt::format("the dataset \"{}\" has the name of the warehouse's file; "
                                      "choose another name",
                                      dataset));
        } else if (dataset.empty() || dataset.size() > 63 ||
                   dataset.find_first_of(".\"'`/\\\n\r\t") != std::string::npos) {
            problems_.Add(location,
                          fmt::format("\"{}\" is no name of a dataset: 1 to 63 bytes without dots, "
                                      "quotes and slashes",
                                      dataset));
        }
    }

    void CheckRefresh(const Checked& object) {
        const auto* refresh = object.Find("refresh");
        if (refresh && object.Duration("refresh") < kRefreshMin) {
            problems_.Add(refresh->location,
                          fmt::format("refresh is \"{}\"; expected 100ms at least", refresh->text));
        }
    }

    void CheckListen(const Checked& server) {
        const auto* listen = server.Find("listen");
        if (!listen) return;
        const auto colon = listen->text.rfind(':');
        const auto port = colon == std::string::npos ? "" : listen->text.substr(colon + 1);
        const bool good =
            colon != std::string::npos && colon > 0 && !port.empty() && port.size() <= 5 &&
            port.find_first_not_of("0123456789") == std::string::npos && std::stoi(port) <= 65535;
        if (!good) {
            problems_.Add(listen->location,
                          fmt::format("server.listen is \"{}\"; expected HOST:PORT such as "
                                      "127.0.0.1:8700",
                                      listen->text));
        }
    }

    ProjectFiles files_;
    const ConnectionKinds& kinds_;
    Problems problems_;
    Project project_;
    std::map<std::string, SourceLocation> dataset_places_;     // by stream
    std::map<std::string, SourceLocation> connection_places_;  // by stream
};

}  // namespace

LoadedProject LoadWithProblems(const fs::path& root, const ConnectionKinds& kinds,
                               UnsavedTexts unsaved) {
    std::error_code error;
    const auto absolute = fs::absolute(root, error).lexically_normal();
    return Loader(absolute, kinds, std::move(unsaved)).Load();
}

Result<std::shared_ptr<const Project>> LoadProject(const fs::path& root,
                                                   const ConnectionKinds& kinds,
                                                   UnsavedTexts unsaved) {
    std::error_code error;
    const auto absolute = fs::absolute(root, error).lexically_normal();
    if (!fs::exists(absolute / "biwa.yaml", error) &&
        !fs::is_symlink(absolute / "biwa.yaml", error)) {
        return NoProject(absolute);
    }
    auto loaded = LoadWithProblems(absolute, kinds, std::move(unsaved));
    if (!loaded.project) return tl::unexpected(ToError(loaded.problems));
    return std::move(loaded.project);
}

Result<fs::path> FindProjectRoot(const fs::path& start) {
    std::error_code error;
    const auto absolute = fs::absolute(start, error).lexically_normal();
    for (auto folder = absolute;; folder = folder.parent_path()) {
        if (fs::exists(folder / "biwa.yaml", error)) return folder;
        if (folder == folder.parent_path()) return NoProject(absolute);
    }
}

}  // namespace biwa
