#include <nlohmann/json.hpp>

#include "project/project.h"

namespace biwa {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kReferencePattern = R"(^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^}]+)\}$)";

Json SchemaOf(const Setting& setting);

Json ObjectSchema(const std::vector<Setting>& settings) {
    Json properties = Json::object();
    Json required = Json::array();
    bool has_url = false;
    for (const auto& setting : settings) {
        properties[setting.name] = SchemaOf(setting);
        if (setting.required) required.push_back(setting.name);
        has_url = has_url || setting.name == "url";
    }
    Json schema = {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
    if (required.empty()) return schema;
    if (has_url) {
        // A URL stands for everything else that a connection needs.
        schema["anyOf"] = {{{"required", {"url"}}}, {{"required", required}}};
    } else {
        schema["required"] = required;
    }
    return schema;
}

// Any scalar is read as text: YAML's 5 and "5" are the same word here.
Json TextSchema(const Setting& setting) {
    if (!setting.choices.empty()) return {{"enum", setting.choices}};
    if (!setting.pattern.empty()) {
        return {{"type", {"string", "null"}}, {"pattern", "^(" + setting.pattern + ")$"}};
    }
    return {{"type", {"string", "number", "boolean"}}};
}

Json SchemaOf(const Setting& setting) {
    Json schema;
    switch (setting.type) {
        case SettingType::kText:
            schema = TextSchema(setting);
            break;
        case SettingType::kInteger:
            schema = {{"type", "integer"}, {"minimum", setting.min}, {"maximum", setting.max}};
            break;
        case SettingType::kBoolean:
            schema = {{"type", "boolean"}};
            break;
        case SettingType::kDuration:
            schema = {{"type", "string"}, {"pattern", "^[0-9]+(ms|s|m|h|d)$"}};
            break;
        case SettingType::kBytes:
            schema = {{"type", "string"}, {"pattern", "^[0-9]+(B|[kKMGT]B|[KMGT]iB)$"}};
            break;
        case SettingType::kSecret:
            schema = {{"type", "string"}, {"pattern", kReferencePattern}};
            break;
        case SettingType::kPath:
            schema = TextSchema(setting);
            break;
        case SettingType::kTextList: {
            Json list = {{"type", "array"}, {"items", TextSchema(setting)}};
            if (setting.required) list["minItems"] = 1;
            schema = {{"anyOf", {TextSchema(setting), list}}};
            break;
        }
        case SettingType::kObject:
            schema = ObjectSchema(setting.fields);
            break;
        case SettingType::kObjectList:
            schema = {{"type", "array"}, {"items", ObjectSchema(setting.fields)}};
            if (setting.required) schema["minItems"] = 1;
            break;
        case SettingType::kMap:
            schema = {
                {"type", "object"},
                {"additionalProperties",
                 setting.fields.empty() ? TextSchema(setting) : ObjectSchema(setting.fields)}};
            break;
    }
    schema["description"] = setting.description;
    if (!setting.default_text.empty()) {
        const bool is_literal =
            setting.type == SettingType::kInteger || setting.type == SettingType::kBoolean;
        schema["default"] =
            is_literal ? Json::parse(setting.default_text) : Json(setting.default_text);
    }
    return schema;
}

}  // namespace

std::string JsonSchema(const std::string& title, const std::vector<Setting>& settings) {
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
    schema.update(ObjectSchema(settings));
    return schema.dump(2) + "\n";
}

}  // namespace biwa
