#include "transform/compile/config_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "project/quantity.h"

namespace biwa::transform {

namespace {

using Kind = Expression::Kind;

constexpr std::chrono::milliseconds kRefreshMin{100};

tl::unexpected<Problem> WrongType(const Expression& found, std::string_view expected) {
    return Wrong(found.offset,
                 fmt::format("expected {}, found {}", expected, Describe(found.kind)));
}

bool IsText(const Expression& value) {
    return value.kind == Kind::kString || value.kind == Kind::kTemplate ||
           value.kind == Kind::kName;
}

}  // namespace

std::string MeantHint(std::string_view name, const std::vector<std::string>& candidates) {
    const auto meant = DidYouMean(name, candidates);
    return meant.empty() ? "" : fmt::format(". Did you mean \"{}\"?", meant);
}

void ConfigReader::Expected(const Expression& found, std::string_view expected) {
    Add(WrongType(found, expected).value());
}

void ConfigReader::ReadField(const std::string& key, const Field& read, const Expression& value) {
    const auto before = problems_.size();
    read(value);
    for (auto at = before; at < problems_.size(); ++at) {
        auto& message = problems_[at].message;
        if (message.starts_with("expected ")) message = key + ": " + message;
    }
}

void ConfigReader::ReadObject(const Expression& object, std::string_view what,
                              const Fields& fields) {
    if (object.kind != Kind::kObject) return Expected(object, "an object");
    std::vector<std::string> known;
    for (const auto& field : fields) known.push_back(field.first);
    for (std::size_t i = 0; i < object.items.size(); ++i) {
        const auto& key = object.keys[i];
        const auto field = fields.find(key.text);
        if (field != fields.end()) {
            ReadField(key.text, field->second, object.items[i]);
        } else {
            Add({key.offset, fmt::format("unknown {} key \"{}\"{}", what, key.text,
                                         MeantHint(key.text, known))});
        }
    }
}

std::string ConfigReader::Text(const Expression& value) {
    auto text = ReadText(value, settings_);
    if (text) return std::move(*text);
    Add(std::move(text).error());
    return {};
}

std::string ConfigReader::Name(const Expression& value) {
    auto name = Text(value);
    if (name.find('.') != std::string::npos)
        Add({value.offset, fmt::format("\"{}\" must have no \".\" in it", name)});
    return name;
}

bool ConfigReader::Bool(const Expression& value) {
    if (value.kind != Kind::kBool) Expected(value, "true or false");
    return value.truth;
}

int ConfigReader::Integer(const Expression& value) {
    constexpr double kMax = 2147483647;
    const bool good = value.kind == Kind::kNumber && value.number >= 0 && value.number <= kMax &&
                      std::floor(value.number) == value.number;
    if (good) return static_cast<int>(value.number);
    Expected(value, "a whole number");
    return 0;
}

std::vector<std::string> ConfigReader::Texts(const Expression& value) {
    if (IsText(value)) return {Text(value)};
    std::vector<std::string> texts;
    if (value.kind != Kind::kArray) Expected(value, "a string or an array of strings");
    if (value.kind != Kind::kArray) return texts;
    for (const auto& item : value.items) texts.push_back(Text(item));
    return texts;
}

TextPairs ConfigReader::Pairs(const Expression& value) {
    TextPairs pairs;
    if (value.kind != Kind::kObject) Expected(value, "an object");
    for (std::size_t i = 0; i < value.keys.size(); ++i)
        pairs.emplace_back(value.keys[i].text, Text(value.items[i]));
    return pairs;
}

std::optional<std::size_t> ConfigReader::FindChoice(const Expression& value,
                                                    const std::vector<std::string>& names) {
    const auto text = Text(value);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (SmallLetters(names[i]) == SmallLetters(text)) return i;
    }
    if (!text.empty()) {
        Add({value.offset, fmt::format("found \"{}\"{}; expected one of {}", text,
                                       MeantHint(text, names), Join(names, ", "))});
    }
    return std::nullopt;
}

std::optional<std::chrono::milliseconds> ConfigReader::Duration(const Expression& value) {
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

// A column, and behind it those inside of it.
void ConfigReader::AddColumn(const std::vector<std::string>& path, const Expression& value,
                             std::vector<ColumnNote>& columns) {
    if (value.kind == Kind::kNull) return;
    const auto place = columns.size();
    columns.push_back({path, {}, {}, {}, {}});
    if (value.kind != Kind::kObject) {
        columns[place].description = Text(value);
        return;
    }
    const Expression* inner = nullptr;
    ReadObject(
        value, "column",
        {{"description", [&](const auto& v) { columns[place].description = Text(v); }},
         {"type", [&](const auto& v) { columns[place].type = Text(v); }},
         {"tags", [&](const auto& v) { columns[place].tags = Texts(v); }},
         {"bigqueryPolicyTags", [&](const auto& v) { columns[place].policy_tags = Texts(v); }},
         {"displayName", [&](const auto& v) { Text(v); }},  // Dataform drops it, too
         {"columns", [&](const auto& v) { inner = &v; }}});
    if (inner == nullptr) return;
    if (inner->kind != Kind::kObject) return Expected(*inner, "an object");
    for (std::size_t i = 0; i < inner->keys.size(); ++i) {
        auto below = path;
        below.push_back(inner->keys[i].text);
        AddColumn(below, inner->items[i], columns);
    }
}

// An object by names or, as actions.yaml has it, an array of descriptors with paths.
std::vector<ColumnNote> ConfigReader::Columns(const Expression& value) {
    std::vector<ColumnNote> columns;
    if (value.kind == Kind::kArray) {
        for (const auto& item : value.items) {
            auto& column = columns.emplace_back();
            ReadObject(
                item, "column",
                {{"path", [&](const auto& v) { column.path = Texts(v); }},
                 {"description", [&](const auto& v) { column.description = Text(v); }},
                 {"type", [&](const auto& v) { column.type = Text(v); }},
                 {"tags", [&](const auto& v) { column.tags = Texts(v); }},
                 {"bigqueryPolicyTags", [&](const auto& v) { column.policy_tags = Texts(v); }}});
        }
        return columns;
    }
    if (value.kind != Kind::kObject) Expected(value, "an object");
    for (std::size_t i = 0; i < value.keys.size(); ++i)
        AddColumn({value.keys[i].text}, value.items[i], columns);
    return columns;
}

std::optional<TableReference> ConfigReader::Table(const Expression& value) {
    Parsed<TableReference> table;
    if (value.kind == Kind::kObject) {
        table = ReadTableObject(value, settings_);
    } else if (value.kind == Kind::kArray) {
        table = ReadTableTexts(value.items, value.offset, settings_);
    } else {
        table = ReadTableTexts({value}, value.offset, settings_);
    }
    if (table) return std::move(*table);
    Add(std::move(table).error());
    return std::nullopt;
}

std::vector<TableReference> ConfigReader::Dependencies(const Expression& value) {
    std::vector<TableReference> references;
    const auto add = [&](const Expression& item) {
        if (item.kind == Kind::kObject) {
            if (auto table = Table(item)) references.push_back(std::move(*table));
            return;
        }
        const auto text = Text(item);
        const auto parts = Split(text, '.');
        if (parts.size() > 3) {
            Add({item.offset, fmt::format("\"{}\" names no table: expected \"table\" or "
                                          "\"dataset.table\"",
                                          text)});
            return;
        }
        TableReference reference;
        reference.offset = item.offset;
        reference.name = parts.empty() ? "" : parts.back();
        if (parts.size() > 1) reference.dataset = parts[parts.size() - 2];
        if (parts.size() > 2) reference.project = parts[0];
        if (!reference.name.empty()) references.push_back(std::move(reference));
    };
    if (value.kind == Kind::kArray) {
        for (const auto& item : value.items) add(item);
    } else {
        add(value);
    }
    return references;
}

Severity ConfigReader::ReadSeverity(const Expression& value) {
    constexpr std::array<std::pair<std::string_view, Severity>, 2> kChoices = {
        {{"error", Severity::kError}, {"warn", Severity::kWarn}}};
    return Choice(value, kChoices).value_or(Severity::kError);
}

Freshness ConfigReader::ReadFreshness(const Expression& value) {
    Freshness freshness;
    ReadObject(value, "freshness",
               {{"warn", [&](const auto& v) { freshness.warn = Duration(v); }},
                {"error", [&](const auto& v) { freshness.error = Duration(v); }}});
    if (freshness.warn && freshness.error && *freshness.warn > *freshness.error)
        Add({value.offset, "freshness.warn is longer than freshness.error"});
    return freshness;
}

Intervals ConfigReader::ReadIntervals(const Expression& value) {
    Intervals intervals;
    const auto read = [&](std::chrono::milliseconds& to) {
        return [this, &to](const Expression& v) { to = Duration(v).value_or(to); };
    };
    ReadObject(value, "intervals",
               {{"column", [&](const auto& v) { intervals.column = Text(v); }},
                {"from", [&](const auto& v) { intervals.from = Text(v); }},
                {"every", read(intervals.every)},
                {"lookback", read(intervals.lookback)},
                {"batch", read(intervals.batch)}});
    if (intervals.column.empty() || intervals.from.empty() || intervals.every.count() == 0) {
        Add({value.offset,
             "intervals need \"column\", \"from\" and \"every\": { column: \"day\", from: "
             "\"2026-01-01\", every: \"1d\" }"});
    }
    if (intervals.batch.count() != 0 && intervals.batch < intervals.every)
        Add({value.offset, "intervals.batch is shorter than intervals.every"});
    return intervals;
}

ModelHistory ConfigReader::ReadHistory(const Expression& value) {
    constexpr std::array<std::pair<std::string_view, bool>, 2> kVanished = {
        {{"close", false}, {"keep", true}}};
    ModelHistory history;
    ReadObject(
        value, "history",
        {{"updatedAt", [&](const auto& v) { history.updated_at = Text(v); }},
         {"compare", [&](const auto& v) { history.compare = Texts(v); }},
         {"vanished",
          [&](const auto& v) { history.keeps_vanished = Choice(v, kVanished).value_or(false); }},
         {"allowEmpty", [&](const auto& v) { history.may_be_empty = Bool(v); }}});
    return history;
}

AssertionsConfig ConfigReader::Assertions(const Expression& value) {
    AssertionsConfig assertions;
    std::vector<std::string> non_null;
    bool one = false;
    bool several = false;
    ReadObject(value, "assertions",
               {{"uniqueKey",
                 [&](const auto& v) {
                     // Dataform's own joins what stands in an array of its own, too.
                     const bool is_nested = v.kind == Kind::kArray && v.items.size() == 1 &&
                                            v.items[0].kind == Kind::kArray;
                     auto key = Texts(is_nested ? v.items[0] : v);
                     one = !key.empty();
                     if (one) assertions.unique_keys.push_back(std::move(key));
                 }},
                {"uniqueKeys",
                 [&](const auto& v) {
                     if (v.kind != Kind::kArray)
                         return Expected(v, "an array of arrays of strings");
                     several = !v.items.empty();
                     for (const auto& item : v.items) {
                         // actions.yaml has - uniqueKey: [a, b]
                         const auto* key =
                             item.kind == Kind::kObject ? item.Find("uniqueKey") : nullptr;
                         assertions.unique_keys.push_back(Texts(key ? *key : item));
                     }
                 }},
                {"nonNull", [&](const auto& v) { non_null = Texts(v); }},
                {"rowConditions", [&](const auto& v) { assertions.row_conditions = Texts(v); }},
                {"severity", [&](const auto& v) { assertions.severity = ReadSeverity(v); }}});
    if (one && several) {
        Add({value.offset, "give assertions.uniqueKey or assertions.uniqueKeys, not both"});
    }
    for (const auto& column : non_null) {
        assertions.row_conditions.push_back(column + " IS NOT NULL");
    }
    return assertions;
}

namespace {

nlohmann::ordered_json ToJsonValue(const Expression& value) {
    switch (value.kind) {
        case Kind::kBool:
            return value.truth;
        case Kind::kNumber:
            return value.number;
        case Kind::kString:
            return value.text;
        case Kind::kArray: {
            auto items = nlohmann::ordered_json::array();
            for (const auto& item : value.items) items.push_back(ToJsonValue(item));
            return items;
        }
        case Kind::kObject: {
            auto fields = nlohmann::ordered_json::object();
            for (std::size_t i = 0; i < value.keys.size(); ++i)
                fields[value.keys[i].text] = ToJsonValue(value.items[i]);
            return fields;
        }
        default:
            return nullptr;
    }
}

}  // namespace

std::string ConfigReader::Json(const Expression& value) {
    if (value.kind != Kind::kObject) Expected(value, "an object");
    return ToJsonValue(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Parsed<std::string> ReadVariable(const Expression& name, const ModelsConfig& settings) {
    const auto& project = settings;
    if (name.text == "dataform.projectConfig.defaultDatabase") return project.default_project;
    if (name.text == "dataform.projectConfig.defaultSchema") return project.default_dataset;
    if (name.text == "dataform.projectConfig.defaultLocation") return project.default_location;
    if (!name.text.starts_with(kVariables)) {
        return Wrong(name.offset,
                     fmt::format("there is no \"{}\" here: a variable of the project is "
                                 "dataform.projectConfig.vars.NAME, and what JavaScript defines "
                                 "stands in a js block or in includes/",
                                 name.text));
    }
    const auto variable = name.text.substr(kVariables.size());
    if (const auto* value = settings.vars.Find(variable)) return *value;
    std::vector<std::string> known;
    for (const auto& [key, value] : settings.vars.all) known.push_back(key);
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
    ConfigReader reader(settings, problems);
    const auto project = [&](const Expression& v) { table.project = reader.Name(v); };
    const auto dataset = [&](const Expression& v) { table.dataset = reader.Name(v); };
    reader.ReadObject(object, "table",
                      {{"name", [&](const auto& v) { table.name = reader.Text(v); }},
                       {"schema", dataset},
                       {"dataset", dataset},
                       {"database", project},
                       {"project", project},
                       {"includeDependentAssertions",
                        [&](const auto& v) { table.with_assertions = reader.Bool(v); }}});
    if (!problems.empty()) return tl::unexpected(std::move(problems.front()));
    if (table.name.empty()) return Wrong(object.offset, "this names no table: \"name\" is missing");
    return table;
}

Parsed<TableReference> ReadTableTexts(const std::vector<Expression>& texts, std::size_t offset,
                                      const ModelsConfig& settings) {
    if (texts.empty() || texts.size() > 3) {
        return Wrong(offset,
                     "a table takes a name, or a dataset and a name, or a project and both");
    }
    std::vector<std::string> names;
    for (const auto& item : texts) {
        auto text = ReadText(item, settings);
        if (!text) return tl::unexpected(std::move(text).error());
        if (text->empty()) return Wrong(item.offset, "a name must not be empty");
        names.push_back(std::move(*text));
    }
    TableReference table;
    table.offset = offset;
    table.name = names.back();
    if (names.size() > 1) table.dataset = names[names.size() - 2];
    if (names.size() > 2) table.project = names[0];
    return table;
}

}  // namespace biwa::transform
