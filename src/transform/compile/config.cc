#include "transform/compile/config.h"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <set>

#include "base/text.h"
#include "project/quantity.h"

namespace biwa::transform {

namespace {

using Kind = Expression::Kind;

constexpr std::chrono::milliseconds kRefreshMin{100};
constexpr std::string_view kVariables = "dataform.projectConfig.vars.";

std::string MeantHint(std::string_view name, const std::vector<std::string>& candidates) {
    const auto meant = DidYouMean(name, candidates);
    return meant.empty() ? "" : fmt::format(". Did you mean \"{}\"?", meant);
}

tl::unexpected<Problem> WrongType(const Expression& found, std::string_view expected) {
    return Wrong(found.offset,
                 fmt::format("expected {}, found {}", expected, Describe(found.kind)));
}

// Reads values one by one and collects what is wrong with them.
class Reader {
  public:
    Reader(const ModelsConfig& settings, std::vector<Problem>& problems)
        : settings_(settings), problems_(problems) {}

    using Fields = std::map<std::string, std::function<void(const Expression&)>, std::less<>>;

    // Hands each value of the object to its field.
    void ReadObject(const Expression& object, std::string_view what, const Fields& fields) {
        if (object.kind != Kind::kObject) return Add(WrongType(object, "an object").value());
        std::vector<std::string> known;
        for (const auto& field : fields) known.push_back(field.first);
        for (std::size_t i = 0; i < object.items.size(); ++i) {
            const auto& key = object.keys[i];
            const auto field = fields.find(key.text);
            if (field != fields.end()) {
                field->second(object.items[i]);
            } else if (what == "config" && kOfDataform.contains(key.text)) {
                Add({key.offset,
                     fmt::format("the config key \"{}\" of Dataform is not supported", key.text)});
            } else {
                Add({key.offset, fmt::format("unknown {} key \"{}\"{}", what, key.text,
                                             MeantHint(key.text, known))});
            }
        }
    }

    std::string Text(const Expression& value) {
        auto text = ReadText(value, settings_);
        if (text) return std::move(*text);
        Add(std::move(text).error());
        return {};
    }

    // A name of a table or dataset.
    std::string Name(const Expression& value) {
        auto name = Text(value);
        if (name.find('.') != std::string::npos)
            Add({value.offset, fmt::format("\"{}\" must have no \".\" in it", name)});
        return name;
    }

    bool Bool(const Expression& value) {
        if (value.kind != Kind::kBool) Add(WrongType(value, "true or false").value());
        return value.truth;
    }

    // One text or an array of them.
    std::vector<std::string> Texts(const Expression& value) {
        std::vector<std::string> texts;
        if (value.kind == Kind::kArray) {
            for (const auto& item : value.items) texts.push_back(Text(item));
        } else if (value.kind == Kind::kString || value.kind == Kind::kTemplate) {
            texts.push_back(Text(value));
        } else {
            Add(WrongType(value, "a string or an array of strings").value());
        }
        return texts;
    }

    std::optional<ActionType> Type(const Expression& value) {
        const auto text = Text(value);
        std::vector<std::string> known{"declaration"};
        for (const auto type : {ActionType::kTable, ActionType::kView, ActionType::kIncremental,
                                ActionType::kAssertion, ActionType::kOperations}) {
            if (text == ToString(type)) return type;
            known.emplace_back(ToString(type));
        }
        if (text != "declaration" && !text.empty()) {
            Add({value.offset, fmt::format("unknown type \"{}\"{}; expected one of {}", text,
                                           MeantHint(text, known), Join(known, ", "))});
            return ActionType::kTable;
        }
        return std::nullopt;
    }

    std::optional<std::chrono::milliseconds> Duration(const Expression& value) {
        const auto text = Text(value);
        const auto duration = ParseDuration(text);
        if (duration && *duration < kRefreshMin) {
            Add({value.offset, fmt::format("\"{}\" is too short; expected 100ms at least", text)});
        }
        if (duration) return duration;
        if (value.kind == Kind::kString) {
            Add({value.offset, fmt::format("\"{}\" is no duration; expected one such as \"500ms\", "
                                           "\"5s\", \"10m\", \"2h\" or \"1d\"",
                                           text)});
        }
        return std::nullopt;
    }

    std::vector<ColumnNote> Columns(const Expression& value) {
        std::vector<ColumnNote> columns;
        if (value.kind != Kind::kObject) Add(WrongType(value, "an object").value());
        for (std::size_t i = 0; i < value.keys.size(); ++i) {
            ColumnNote note;
            note.path = {value.keys[i].text};
            const auto& column = value.items[i];
            if (column.kind == Kind::kObject) {
                ReadObject(column, "column",
                           {{"description", [&](const auto& v) { note.description = Text(v); }},
                            {"type", [&](const auto& v) { note.type = Text(v); }}});
            } else {
                note.description = Text(column);
            }
            columns.push_back(std::move(note));
        }
        return columns;
    }

    // One of `names`, by its place.
    template <typename Enum>
    std::optional<Enum> OneOf(const Expression& value,
                              const std::vector<std::pair<std::string, Enum>>& names) {
        const auto text = Text(value);
        std::vector<std::string> known;
        for (const auto& [name, meaning] : names) {
            if (text == name) return meaning;
            known.push_back(name);
        }
        if (value.kind == Kind::kString) {
            Add({value.offset, fmt::format("\"{}\" is not one of {}{}", text, Join(known, ", "),
                                           MeantHint(text, known))});
        }
        return std::nullopt;
    }

    Severity ReadSeverity(const Expression& value) {
        return OneOf<Severity>(value, {{"error", Severity::kError}, {"warn", Severity::kWarn}})
            .value_or(Severity::kError);
    }

    std::optional<Intervals> ReadIntervals(const Expression& value) {
        Intervals intervals;
        const auto duration = [&](std::chrono::milliseconds& to) {
            return [&](const Expression& v) { to = Duration(v).value_or(to); };
        };
        ReadObject(value, "intervals",
                   {{"column", [&](const auto& v) { intervals.column = Text(v); }},
                    {"from", [&](const auto& v) { intervals.from = Text(v); }},
                    {"every", duration(intervals.every)},
                    {"lookback", duration(intervals.lookback)},
                    {"batch", duration(intervals.batch)}});
        if (intervals.column.empty() || intervals.from.empty() || intervals.every.count() == 0) {
            Add({value.offset, "intervals need \"column\", \"from\" and \"every\": { column: "
                               "\"day\", from: \"2026-01-01\", every: \"1d\" }"});
        }
        if (intervals.batch.count() != 0 && intervals.batch < intervals.every)
            Add({value.offset, "intervals.batch is shorter than intervals.every"});
        return intervals;
    }

    Freshness ReadFreshness(const Expression& value) {
        Freshness freshness;
        ReadObject(value, "freshness",
                   {{"warn", [&](const auto& v) { freshness.warn = Duration(v); }},
                    {"error", [&](const auto& v) { freshness.error = Duration(v); }}});
        if (freshness.warn && freshness.error && *freshness.warn > *freshness.error) {
            Add({value.offset, "freshness.warn is longer than freshness.error"});
        }
        return freshness;
    }

    std::vector<TableReference> Dependencies(const Expression& value) {
        std::vector<TableReference> references;
        const auto add = [&](const Expression& item) {
            if (item.kind == Kind::kObject) {
                auto table = ReadTableObject(item, settings_);
                if (table) return references.push_back(std::move(*table));
                return Add(std::move(table).error());
            }
            TableReference reference{item.offset, {}, Text(item), false};
            const auto parts = Split(reference.name, '.');
            if (parts.size() > 2) {
                return Add({item.offset, fmt::format("\"{}\" names no table: expected \"table\" or "
                                                     "\"dataset.table\"",
                                                     reference.name)});
            }
            if (parts.size() == 2) {
                reference.dataset = parts[0];
                reference.name = parts[1];
            }
            if (!reference.name.empty()) references.push_back(std::move(reference));
        };
        if (value.kind == Kind::kArray) {
            for (const auto& item : value.items) add(item);
        } else {
            add(value);
        }
        return references;
    }

    AssertionsConfig Assertions(const Expression& value) {
        AssertionsConfig assertions;
        std::vector<std::string> non_null;
        ReadObject(
            value, "assertions",
            {{"uniqueKey", [&](const auto& v) { assertions.unique_keys.push_back(Texts(v)); }},
             {"uniqueKeys",
              [&](const auto& v) {
                  if (v.kind != Kind::kArray)
                      return Add(WrongType(v, "an array of arrays of strings").value());
                  for (const auto& key : v.items) assertions.unique_keys.push_back(Texts(key));
              }},
             {"nonNull", [&](const auto& v) { non_null = Texts(v); }},
             {"rowConditions", [&](const auto& v) { assertions.row_conditions = Texts(v); }},
             {"severity", [&](const auto& v) { assertions.severity = ReadSeverity(v); }}});
        if (value.Find("uniqueKey") != nullptr && value.Find("uniqueKeys") != nullptr) {
            Add({value.offset, "give assertions.uniqueKey or assertions.uniqueKeys, not both"});
        }
        for (auto& key : assertions.unique_keys) {
            if (key.empty()) Add({value.offset, "a unique key needs a column"});
        }
        for (const auto& column : non_null) {
            assertions.row_conditions.push_back(column + " IS NOT NULL");
        }
        return assertions;
    }

    void Add(Problem problem) { problems_.push_back(std::move(problem)); }

  private:
    // Told apart from misspelt ones: they are not wrong, only nothing that Biwa has.
    inline static const std::set<std::string, std::less<>> kOfDataform = {"bigquery",
                                                                          "database",
                                                                          "project",
                                                                          "hermetic",
                                                                          "clusterBy",
                                                                          "labels",
                                                                          "materialized",
                                                                          "metadata",
                                                                          "iceberg",
                                                                          "reservation",
                                                                          "partitionExpirationDays",
                                                                          "additionalOptions",
                                                                          "requirePartitionFilter",
                                                                          "extraProperties",
                                                                          "reservation"};

    const ModelsConfig& settings_;
    std::vector<Problem>& problems_;
};

}  // namespace

Parsed<std::string> ReadVariable(const Expression& name, const ModelsConfig& settings) {
    if (!name.text.starts_with(kVariables)) {
        return Wrong(name.offset,
                     fmt::format("JavaScript expressions are not supported yet: found \"{}\"; of "
                                 "variables there is only dataform.projectConfig.vars.NAME",
                                 name.text));
    }
    const auto variable = name.text.substr(kVariables.size());
    const auto found = settings.vars.find(variable);
    if (found != settings.vars.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [key, value] : settings.vars) known.push_back(key);
    return Wrong(name.offset, fmt::format("the project has no variable \"{}\"{}", variable,
                                          MeantHint(variable, known)));
}

Parsed<std::string> ReadText(const Expression& expression, const ModelsConfig& settings) {
    switch (expression.kind) {
        case Kind::kString:
            return expression.text;
        case Kind::kName:
            return ReadVariable(expression, settings);
        case Kind::kTemplate: {
            std::string text = expression.texts[0].text;
            for (std::size_t i = 0; i < expression.items.size(); ++i) {
                auto item = ReadText(expression.items[i], settings);
                if (!item) return item;
                text += *item + expression.texts[i + 1].text;
            }
            return text;
        }
        default:
            return WrongType(expression, "a string");
    }
}

Parsed<TableReference> ReadTableObject(const Expression& object, const ModelsConfig& settings) {
    TableReference table;
    table.offset = object.offset;
    std::vector<Problem> problems;
    Reader reader(settings, problems);
    reader.ReadObject(object, "table",
                      {{"name", [&](const auto& v) { table.name = reader.Name(v); }},
                       {"schema", [&](const auto& v) { table.dataset = reader.Name(v); }},
                       {"dataset", [&](const auto& v) { table.dataset = reader.Name(v); }},
                       {"includeDependentAssertions",
                        [&](const auto& v) { table.with_assertions = reader.Bool(v); }}});
    if (!problems.empty()) return tl::unexpected(std::move(problems.front()));
    if (table.name.empty()) return Wrong(object.offset, "this names no table: \"name\" is missing");
    return table;
}

DefinitionConfig ReadConfig(const Expression& object, const ModelsConfig& settings,
                            std::vector<Problem>& problems) {
    DefinitionConfig config;
    config.offset = object.offset;
    Reader reader(settings, problems);
    reader.ReadObject(
        object, "config",
        {{"type", [&](const auto& v) { config.type = reader.Type(v); }},
         {"name", [&](const auto& v) { config.name = reader.Name(v); }},
         {"schema", [&](const auto& v) { config.dataset = reader.Name(v); }},
         {"dataset", [&](const auto& v) { config.dataset = reader.Name(v); }},
         {"description", [&](const auto& v) { config.description = reader.Text(v); }},
         {"tags", [&](const auto& v) { config.tags = reader.Texts(v); }},
         {"columns", [&](const auto& v) { config.columns = reader.Columns(v); }},
         {"uniqueKey", [&](const auto& v) { config.unique_key = reader.Texts(v); }},
         {"assertions", [&](const auto& v) { config.assertions = reader.Assertions(v); }},
         {"dependencies", [&](const auto& v) { config.dependencies = reader.Dependencies(v); }},
         {"dependOnDependencyAssertions",
          [&](const auto& v) { config.depends_on_dependency_assertions = reader.Bool(v); }},
         {"disabled", [&](const auto& v) { config.disabled = reader.Bool(v); }},
         {"hasOutput", [&](const auto& v) { config.has_output = reader.Bool(v); }},
         {"incrementalStrategy",
          [&](const auto& v) {
              config.incremental_options.strategy = reader.OneOf<IncrementalStrategy>(
                  v, {{"MERGE", IncrementalStrategy::kMerge},
                      {"INSERT_OVERWRITE", IncrementalStrategy::kInsertOverwrite}});
          }},
         {"onSchemaChange",
          [&](const auto& v) {
              config.incremental_options.on_schema_change =
                  reader.OneOf<OnSchemaChange>(v, {{"IGNORE", OnSchemaChange::kIgnore},
                                                   {"FAIL", OnSchemaChange::kFail},
                                                   {"EXTEND", OnSchemaChange::kExtend},
                                                   {"SYNCHRONIZE", OnSchemaChange::kSynchronize}});
          }},
         {"protected",
          [&](const auto& v) { config.incremental_options.is_protected = reader.Bool(v); }},
         {"updatePartitionFilter",
          [&](const auto& v) {
              config.incremental_options.update_partition_filter = reader.Text(v);
          }},
         {"incrementalPredicates",
          [&](const auto& v) { config.incremental_options.predicates = reader.Texts(v); }},
         {"partitionBy", [&](const auto& v) { config.partition_by = reader.Text(v); }},
         {"intervals", [&](const auto& v) { config.intervals = reader.ReadIntervals(v); }},
         {"contract",
          [&](const auto& v) {
              config.has_contract = reader.OneOf<bool>(v, {{"enforced", true}}).value_or(false);
          }},
         {"freshness", [&](const auto& v) { config.freshness = reader.ReadFreshness(v); }},
         {"severity", [&](const auto& v) { config.severity = reader.ReadSeverity(v); }},
         {"refresh", [&](const auto& v) { config.refresh = reader.Duration(v); }}});

    // What a key is good for depends on the type, so a wrong type is mended first.
    if (!problems.empty()) return config;
    const auto refuse = [&](std::string_view key, std::string_view only_for) {
        if (object.Find(key) == nullptr) return;
        for (const auto& found : object.keys) {
            if (found.text != key) continue;
            reader.Add({found.offset, fmt::format("\"{}\" is for {} only", key, only_for)});
        }
    };
    const auto type = config.type;
    const bool is_model =
        type == ActionType::kTable || type == ActionType::kView || type == ActionType::kIncremental;
    if (type != ActionType::kIncremental) {
        for (const auto* key : {"uniqueKey", "incrementalStrategy", "onSchemaChange", "protected",
                                "updatePartitionFilter", "incrementalPredicates", "intervals"}) {
            refuse(key, "type \"incremental\"");
        }
    }
    if (type != ActionType::kAssertion) refuse("severity", "type \"assertion\"");
    if (!is_model) refuse("contract", "types table, view and incremental");
    if (type != ActionType::kOperations) refuse("hasOutput", "type \"operations\"");
    if (!is_model) refuse("assertions", "types table, view and incremental");
    if (!is_model || type == ActionType::kView) refuse("refresh", "types table and incremental");
    if (!is_model) refuse("freshness", "types table, view and incremental");
    if (config.has_contract) {
        for (const auto& column : config.columns) {
            if (!column.type.empty()) continue;
            reader.Add(
                {object.Find("contract")->offset,
                 fmt::format("the contract needs a type for column \"{}\": columns: {{ {}: {{ "
                             "type: \"BIGINT\" }} }}",
                             column.path[0], column.path[0])});
        }
        if (config.columns.empty()) {
            reader.Add(
                {object.Find("contract")->offset, "a contract needs \"columns\" with their types"});
        }
    }
    if (config.intervals && (!config.unique_key.empty() || config.incremental_options.strategy)) {
        reader.Add({object.Find("intervals")->offset,
                    "with intervals the rows of a time range are replaced: uniqueKey and "
                    "incrementalStrategy say otherwise"});
    }
    using Strategy = IncrementalStrategy;
    const auto& strategy = config.incremental_options.strategy;
    if (strategy == Strategy::kMerge && config.unique_key.empty()) {
        reader.Add({object.Find("incrementalStrategy")->offset,
                    "MERGE needs a uniqueKey, by which rows are found again"});
    }
    if (strategy == Strategy::kInsertOverwrite && config.partition_by.empty()) {
        reader.Add(
            {object.Find("incrementalStrategy")->offset,
             "INSERT_OVERWRITE needs partitionBy: the expression whose values are replaced"});
    }
    return config;
}

}  // namespace biwa::transform
