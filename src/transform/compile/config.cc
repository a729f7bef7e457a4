#include "transform/compile/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "transform/compile/config_reader.h"

namespace biwa::transform {

namespace {

using Type = DefinitionType;

constexpr std::array<std::pair<std::string_view, Type>, 10> kTypes = {
    {{"declaration", Type::kDeclaration},
     {"table", Type::kTable},
     {"view", Type::kView},
     {"incremental", Type::kIncremental},
     {"assertion", Type::kAssertion},
     {"operations", Type::kOperations},
     {"test", Type::kTest},
     {"notebook", Type::kNotebook},
     {"dataPreparation", Type::kDataPreparation},
     {"propertyGraph", Type::kPropertyGraph}}};

// Sets of types, a bit each.
constexpr unsigned Bit(Type type) { return 1u << static_cast<unsigned>(type); }
constexpr unsigned kStored = Bit(Type::kTable) | Bit(Type::kIncremental);
constexpr unsigned kModels = kStored | Bit(Type::kView);
constexpr unsigned kActions = kModels | Bit(Type::kAssertion) | Bit(Type::kOperations);
constexpr unsigned kOthers =
    Bit(Type::kNotebook) | Bit(Type::kDataPreparation) | Bit(Type::kPropertyGraph);
constexpr unsigned kAll = kActions | kOthers | Bit(Type::kDeclaration) | Bit(Type::kTest);

std::string Describe(unsigned types) {
    std::vector<std::string> names;
    for (const auto& [name, type] : kTypes) {
        if ((types & Bit(type)) != 0) names.emplace_back(name);
    }
    if (names.size() == 1) return fmt::format("type \"{}\"", names[0]);
    const auto last = names.back();
    names.pop_back();
    return fmt::format("types {} and {}", Join(names, ", "), last);
}

// Of BigQuery: "project.location.name", the same as a path, "DEFAULT" or nothing.
bool IsConnection(const std::string& text) {
    const auto dots = Split(text, '.');
    const auto slashes = Split(text, '/');
    const auto is_full = [](const std::string& part) { return !part.empty(); };
    return text.empty() || text == "DEFAULT" ||
           (dots.size() == 3 && std::all_of(dots.begin(), dots.end(), is_full)) ||
           (slashes.size() == 6 && slashes[0] == "projects" && slashes[2] == "locations" &&
            slashes[4] == "connections");
}

class DefinitionReader {
  public:
    DefinitionReader(const ModelsConfig& settings, std::vector<Problem>& problems)
        : settings_(settings), reader_(settings, problems), problems_(problems) {}

    DefinitionConfig Read(const Expression& object, Type type, ConfigPlace place) {
        config_.offset = object.offset;
        config_.type = type;
        if (object.kind != Expression::Kind::kObject) {
            reader_.Expected(object, "an object");
            return std::move(config_);
        }
        // What a key is good for depends on the type.
        const auto* named = place == ConfigPlace::kBlock ? object.Find("type") : nullptr;
        if (named != nullptr && !ReadType(*named)) type_is_known_ = false;
        is_history_ = object.Find("history") != nullptr;
        AddKeys(place);
        ReadKeys(object, keys_, "config");
        // As Dataform has it: only models keep a tag that is given twice.
        if (config_.type == Type::kAssertion || config_.type == Type::kOperations)
            config_.tags = EachOnce(config_.tags);
        if (problems_.empty()) CheckTogether(object);
        return std::move(config_);
    }

  private:
    struct Key {
        std::string_view name;
        unsigned types;
        std::function<void(const Expression&)> read;
        // A key that is kept and that the engine has no use for.
        bool unused = false;
    };

    bool ReadType(const Expression& value) {
        const auto text = reader_.Text(value);
        std::vector<std::string> known;
        for (const auto& [name, type] : kTypes) {
            known.emplace_back(name);
            if (name != text) continue;
            config_.type = type;
            return true;
        }
        if (!text.empty()) {
            reader_.Add(
                {value.offset, fmt::format("unknown type \"{}\"{}; expected one of {}", text,
                                           MeantHint(text, known), Join(known, ", "))});
        }
        return false;
    }

    void ReadKeys(const Expression& object, const std::vector<Key>& keys, std::string_view what) {
        if (object.kind != Expression::Kind::kObject) return reader_.Expected(object, "an object");
        std::vector<std::string> known;
        for (const auto& key : keys) known.emplace_back(key.name);
        for (std::size_t i = 0; i < object.keys.size(); ++i) {
            const auto& name = object.keys[i];
            const auto key = std::find_if(keys.begin(), keys.end(),
                                          [&](const Key& k) { return k.name == name.text; });
            if (key == keys.end()) {
                reader_.Add({name.offset, fmt::format("unknown {} key \"{}\"{}", what, name.text,
                                                      MeantHint(name.text, known))});
            } else if (type_is_known_ && (key->types & Bit(config_.type)) == 0) {
                // A list of nothing says nothing: helpers give one to each type alike.
                const auto& value = object.items[i];
                if (value.kind == Expression::Kind::kArray && value.items.empty()) continue;
                reader_.Add({name.offset, fmt::format("\"{}\" is for {} only", name.text,
                                                      Describe(key->types))});
            } else {
                reader_.ReadField(name.text, key->read, object.items[i]);
                if (key->unused) config_.unused.emplace_back(name.text, name.offset);
            }
        }
    }

    void Add(std::string_view name, unsigned types, std::function<void(const Expression&)> read) {
        keys_.push_back({name, types, std::move(read)});
    }
    void AddUnused(std::string_view name, unsigned types,
                   std::function<void(const Expression&)> read) {
        keys_.push_back({name, types, std::move(read), true});
    }

    void AddKeys(ConfigPlace place) {
        auto& c = config_;
        auto& r = reader_;
        const auto project = [&](const Expression& v) { c.bigquery.project = r.Name(v); };
        const auto dataset = [&](const Expression& v) {
            if (c.type == Type::kTest) {
                c.tested = r.Table(v);
            } else {
                c.dataset = r.Name(v);
            }
        };
        const auto dependencies = [&](const Expression& v) {
            auto more = r.Dependencies(v);
            std::move(more.begin(), more.end(), std::back_inserter(c.dependencies));
        };
        constexpr unsigned kWaiting = kActions | kOthers;
        Add("name", kAll, [&](const auto& v) { c.name = r.Name(v); });
        Add("dataset", kAll, dataset);
        AddUnused("project", kAll & ~Bit(Type::kTest), project);
        Add("tags", kAll, [&](const auto& v) { c.tags = r.Texts(v); });
        Add("description", kAll & ~Bit(Type::kTest),
            [&](const auto& v) { c.description = r.Text(v); });
        Add("columns", kModels | Bit(Type::kOperations) | Bit(Type::kDeclaration),
            [&](const auto& v) { c.columns = r.Columns(v); });
        Add("dependencyTargets", kWaiting, dependencies);
        Add("dependOnDependencyAssertions", kWaiting,
            [&](const auto& v) { c.depends_on_dependency_assertions = r.Bool(v); });
        Add("disabled", kWaiting, [&](const auto& v) { c.disabled = r.Bool(v); });
        if (place == ConfigPlace::kBlock) {
            Add("type", kAll, [](const auto&) {});
            Add("schema", kAll & ~Bit(Type::kTest), dataset);
            AddUnused("database", kAll & ~Bit(Type::kTest), project);
            Add("dependencies", kWaiting, dependencies);
        } else {
            Add("filename", kAll, [&](const auto& v) { c.filename = r.Text(v); });
        }
        AddModelKeys();
        AddStorageKeys();
        AddUnused("location", Bit(Type::kNotebook), [&](const auto& v) { r.Text(v); });
        AddUnused("errorTable", Bit(Type::kDataPreparation), [](const auto&) {});
        AddUnused("loadMode", Bit(Type::kDataPreparation), [](const auto&) {});
    }

    void AddModelKeys() {
        auto& c = config_;
        auto& r = reader_;
        Add("assertions", kModels, [&](const auto& v) { c.assertions = r.Assertions(v); });
        Add("hasOutput", Bit(Type::kOperations), [&](const auto& v) { c.has_output = r.Bool(v); });
        Add("preOperations", kModels, [&](const auto& v) { c.pre_operations = r.Texts(v); });
        Add("postOperations", kModels, [&](const auto& v) { c.post_operations = r.Texts(v); });
        Add("refresh", kStored, [&](const auto& v) { c.refresh = r.Duration(v); });
        Add("freshness", kModels, [&](const auto& v) { c.freshness = r.ReadFreshness(v); });
        Add("severity", Bit(Type::kAssertion),
            [&](const auto& v) { c.severity = r.ReadSeverity(v); });
        Add("contract", kModels, [&](const auto& v) {
            constexpr std::array<std::pair<std::string_view, bool>, 1> kChoices = {
                {{"enforced", true}}};
            c.has_contract = r.Choice(v, kChoices).value_or(false);
        });
        constexpr unsigned kIncremental = Bit(Type::kIncremental);
        Add("uniqueKey", is_history_ ? kModels : kIncremental,
            [&](const auto& v) { c.unique_key = r.Texts(v); });
        Add("history", kModels, [&](const auto& v) { c.history = r.ReadHistory(v); });
        Add("intervals", kIncremental, [&](const auto& v) { c.intervals = r.ReadIntervals(v); });
        Add("protected", kIncremental,
            [&](const auto& v) { c.incremental.is_protected = r.Bool(v); });
        Add("incrementalStrategy", kIncremental, [&](const auto& v) {
            constexpr std::array<std::pair<std::string_view, IncrementalStrategy>, 2> kChoices = {
                {{"MERGE", IncrementalStrategy::kMerge},
                 {"INSERT_OVERWRITE", IncrementalStrategy::kInsertOverwrite}}};
            c.incremental.strategy = r.Choice(v, kChoices);
        });
        Add("onSchemaChange", kIncremental, [&](const auto& v) {
            constexpr std::array<std::pair<std::string_view, OnSchemaChange>, 4> kChoices = {
                {{"IGNORE", OnSchemaChange::kIgnore},
                 {"FAIL", OnSchemaChange::kFail},
                 {"EXTEND", OnSchemaChange::kExtend},
                 {"SYNCHRONIZE", OnSchemaChange::kSynchronize}}};
            c.incremental.on_schema_change = r.Choice(v, kChoices);
        });
    }

    // Where and how BigQuery stores a table. They stand in the config, or in its "bigquery".
    void AddStorageKeys() {
        auto& b = config_.bigquery;
        auto& r = reader_;
        constexpr unsigned kIncremental = Bit(Type::kIncremental);
        const auto first = keys_.size();
        AddUnused("partitionBy", kModels, [&](const auto& v) { b.partition_by = r.Text(v); });
        AddUnused("clusterBy", kModels, [&](const auto& v) { b.cluster_by = r.Texts(v); });
        AddUnused("labels", kModels, [&](const auto& v) { b.labels = r.Pairs(v); });
        AddUnused("additionalOptions", kModels,
                  [&](const auto& v) { b.additional_options = r.Pairs(v); });
        AddUnused("partitionExpirationDays", kStored,
                  [&](const auto& v) { b.partition_expiration_days = r.Integer(v); });
        AddUnused("requirePartitionFilter", kStored,
                  [&](const auto& v) { b.require_partition_filter = r.Bool(v); });
        AddUnused("iceberg", kStored, [&](const auto& v) { ReadIceberg(v); });
        Add("updatePartitionFilter", kIncremental,
            [&](const auto& v) { config_.incremental.update_partition_filter = r.Text(v); });
        Add("incrementalPredicates", kIncremental,
            [&](const auto& v) { config_.incremental.predicates = r.Texts(v); });
        const std::vector<Key> in_block(keys_.begin() + static_cast<std::ptrdiff_t>(first),
                                        keys_.end());

        Add("bigquery", kModels,
            [this, in_block](const auto& v) { ReadKeys(v, in_block, "bigquery"); });
        b.preserve_governance_controls =
            config_.type == Type::kTable && settings_.preserve_governance_controls;
        AddUnused("preserveGovernanceControls", Bit(Type::kTable),
                  [&](const auto& v) { b.preserve_governance_controls = r.Bool(v); });
        AddUnused("materialized", Bit(Type::kView),
                  [&](const auto& v) { b.materialized = r.Bool(v); });
        AddUnused("reservation", kActions, [&](const auto& v) { b.reservation = r.Text(v); });
        AddUnused("hermetic", kActions, [&](const auto& v) { b.hermetic = r.Bool(v); });
        AddUnused("metadata", kModels | Bit(Type::kAssertion), [&](const auto& v) {
            r.ReadObject(
                v, "metadata",
                {{"overview", [&](const auto& w) { b.overview = r.Text(w); }},
                 {"extraProperties", [&](const auto& w) { b.extra_properties_json = r.Json(w); }}});
        });
    }

    void ReadIceberg(const Expression& value) {
        auto& b = config_.bigquery;
        auto& r = reader_;
        b.iceberg.emplace();
        auto& iceberg = *b.iceberg;
        r.ReadObject(
            value, "iceberg",
            {{"fileFormat",
              [&](const auto& v) {
                  const auto format = r.Text(v);
                  if (SmallLetters(format) == "parquet") return;
                  r.Add({v.offset,
                         fmt::format("an Iceberg table's files are Parquet, not \"{}\"", format)});
              }},
             {"connection", [&](const auto& v) { iceberg.connection = r.Text(v); }},
             {"bucketName", [&](const auto& v) { iceberg.bucket = r.Text(v); }},
             {"tableFolderRoot", [&](const auto& v) { iceberg.folder = r.Text(v); }},
             {"tableFolderSubpath", [&](const auto& v) { iceberg.subfolder = r.Text(v); }}});
    }

    void CheckTogether(const Expression& object) {
        const auto& b = config_.bigquery;
        const auto& incremental = config_.incremental;
        const auto refuse = [&](std::string_view key, std::string message) {
            auto offset = object.offset;
            for (const auto& found : object.keys) {
                if (found.text == key) offset = found.offset;
            }
            reader_.Add({offset, std::move(message)});
        };
        if (config_.type == Type::kView && !b.materialized &&
            (!b.partition_by.empty() || !b.cluster_by.empty())) {
            refuse(b.partition_by.empty() ? "clusterBy" : "partitionBy",
                   "partitionBy and clusterBy are for materialized views only");
        }
        if (config_.type == Type::kTable && b.partition_by.empty() &&
            (b.partition_expiration_days != 0 || b.require_partition_filter)) {
            refuse("partitionExpirationDays",
                   "partitionExpirationDays and requirePartitionFilter are for partitioned tables "
                   "only: give partitionBy, too");
        }
        if (incremental.strategy == IncrementalStrategy::kMerge && config_.unique_key.empty())
            refuse("incrementalStrategy", "the strategy \"MERGE\" needs a uniqueKey");
        if (incremental.strategy == IncrementalStrategy::kInsertOverwrite &&
            b.partition_by.empty()) {
            refuse("incrementalStrategy", "the strategy \"INSERT_OVERWRITE\" needs partitionBy");
        }
        if (config_.intervals && (!config_.unique_key.empty() || incremental.strategy)) {
            refuse("intervals",
                   "with intervals the rows of a time range are replaced: uniqueKey and "
                   "incrementalStrategy say otherwise");
        }
        if (config_.history) CheckHistory(refuse);
        if (config_.has_contract && config_.columns.empty())
            refuse("contract", "a contract needs \"columns\" with their types");
        for (const auto& column : config_.columns) {
            if (!config_.has_contract || !column.type.empty()) continue;
            refuse("contract",
                   fmt::format("the contract needs a type for column \"{0}\": columns: {{ {0}: {{ "
                               "type: \"BIGINT\" }} }}",
                               Join(column.path, ".")));
        }
        if (!incremental.update_partition_filter.empty() && !incremental.predicates.empty()) {
            refuse("incrementalPredicates",
                   "give incrementalPredicates or updatePartitionFilter, not both");
        }
        if (b.iceberg) {
            const auto defaults = settings_.iceberg.value_or(ModelsConfig::Iceberg());
            if (b.iceberg->bucket.empty() && defaults.bucket.empty()) {
                refuse("iceberg",
                       "this names no bucket: bucketName is missing, also in the project's "
                       "defaultIcebergConfig");
            }
            const auto& connection =
                b.iceberg->connection.empty() ? defaults.connection : b.iceberg->connection;
            if (!IsConnection(connection)) {
                refuse("iceberg", fmt::format("\"{}\" is no connection; expected "
                                              "project.location.name or DEFAULT",
                                              connection));
            }
        }
        for (const auto& [key, value] : b.additional_options) {
            if ((key == "partition_expiration_days" && b.partition_expiration_days != 0) ||
                (key == "require_partition_filter" && b.require_partition_filter)) {
                refuse("additionalOptions",
                       fmt::format("{} is given twice: in additionalOptions, too", key));
            }
        }
        if (config_.type == Type::kOperations && !config_.has_output && !config_.columns.empty()) {
            refuse("columns", "columns are described of operations that say hasOutput: true only");
        }
    }

    template <typename Refuse>
    void CheckHistory(const Refuse& refuse) {
        const auto& history = *config_.history;
        const auto& incremental = config_.incremental;
        if (config_.unique_key.empty()) {
            refuse("history",
                   "a history needs a uniqueKey: the columns by which a row is found "
                   "again");
        }
        if (config_.type != Type::kIncremental) {
            const bool says_more = !history.updated_at.empty() || !history.compare.empty() ||
                                   history.keeps_vanished || history.may_be_empty;
            if (says_more) {
                refuse("history",
                       fmt::format("of a {} the query gives the versions itself, with {} "
                                   "and {}: updatedAt, compare, vanished and allowEmpty "
                                   "are for type incremental",
                                   ToString(config_.type), kValidFrom, kValidTo));
            }
            return;
        }
        if (config_.intervals || incremental.strategy ||
            !incremental.update_partition_filter.empty() || !incremental.predicates.empty()) {
            refuse("history",
                   "a history only ever adds versions: intervals, incrementalStrategy, "
                   "updatePartitionFilter and incrementalPredicates, which replace rows, "
                   "have no meaning with it");
        }
        for (const auto& column : history.compare) {
            const auto& key = config_.unique_key;
            if (std::find(key.begin(), key.end(), column) == key.end()) continue;
            refuse("history",
                   fmt::format("\"{}\" is of uniqueKey: another value is another row, and "
                               "nothing to compare",
                               column));
        }
    }

    const ModelsConfig& settings_;
    ConfigReader reader_;
    std::vector<Problem>& problems_;
    bool is_history_ = false;
    DefinitionConfig config_;
    std::vector<Key> keys_;
    bool type_is_known_ = true;
};

}  // namespace

std::string_view ToString(DefinitionType type) {
    for (const auto& [name, known] : kTypes) {
        if (known == type) return name;
    }
    return "";
}

std::optional<ActionType> ActionTypeOf(DefinitionType type) {
    switch (type) {
        case Type::kTable:
            return ActionType::kTable;
        case Type::kView:
            return ActionType::kView;
        case Type::kIncremental:
            return ActionType::kIncremental;
        case Type::kAssertion:
            return ActionType::kAssertion;
        case Type::kOperations:
            return ActionType::kOperations;
        default:
            return std::nullopt;
    }
}

std::vector<std::string> EachOnce(const std::vector<std::string>& texts) {
    std::vector<std::string> once;
    for (const auto& text : texts) {
        if (std::find(once.begin(), once.end(), text) == once.end()) once.push_back(text);
    }
    return once;
}

DefinitionConfig ReadConfig(const Expression& object, const ModelsConfig& settings,
                            std::vector<Problem>& problems, DefinitionType type,
                            ConfigPlace place) {
    return DefinitionReader(settings, problems).Read(object, type, place);
}

}  // namespace biwa::transform
