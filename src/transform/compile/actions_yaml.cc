#include "transform/compile/actions_yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>

#include "base/text.h"
#include "transform/compile/js_scanner.h"

namespace biwa::transform {

namespace {

using Kind = Expression::Kind;

// An alias stands for all that it names, so a small text can mean a very large document.
constexpr int kNodesMax = 100'000;

constexpr std::array<std::pair<std::string_view, DefinitionType>, 8> kTypes = {
    {{"table", DefinitionType::kTable},
     {"view", DefinitionType::kView},
     {"incrementalTable", DefinitionType::kIncremental},
     {"assertion", DefinitionType::kAssertion},
     {"operation", DefinitionType::kOperations},
     {"declaration", DefinitionType::kDeclaration},
     {"notebook", DefinitionType::kNotebook},
     {"dataPreparation", DefinitionType::kDataPreparation}}};

// A YAML document as the expression that would say the same in JavaScript.
class Converter {
  public:
    Parsed<Expression> Convert(const YAML::Node& node, int depth = 0) {
        Expression expression;
        expression.offset = OffsetOf(node);
        if (++nodes_ > kNodesMax || depth > kNestingMax)
            return Wrong(expression.offset, "this is too large for a file of actions");
        if (node.IsScalar()) {
            SetScalar(node, expression);
        } else if (node.IsSequence()) {
            expression.kind = Kind::kArray;
            for (const auto& item : node) {
                auto value = Convert(item, depth + 1);
                if (!value) return value;
                expression.items.push_back(std::move(*value));
            }
        } else if (node.IsMap()) {
            expression.kind = Kind::kObject;
            for (const auto& pair : node) {
                if (!pair.first.IsScalar())
                    return Wrong(OffsetOf(pair.first), "expected a name in front of the \":\"");
                auto value = Convert(pair.second, depth + 1);
                if (!value) return value;
                expression.keys.push_back({OffsetOf(pair.first), pair.first.Scalar()});
                expression.items.push_back(std::move(*value));
            }
        }
        return expression;
    }

  private:
    static std::size_t OffsetOf(const YAML::Node& node) {
        return node.Mark().pos < 0 ? 0 : static_cast<std::size_t>(node.Mark().pos);
    }

    // Without quotes, a word may be a number or a truth.
    static void SetScalar(const YAML::Node& node, Expression& expression) {
        const auto& text = node.Scalar();
        expression.kind = Kind::kString;
        expression.text = text;
        if (node.Tag() == "!") return;
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (text == "true" || text == "false") {
            expression.kind = Kind::kBool;
            expression.truth = text == "true";
        } else if (error == std::errc() && end == text.data() + text.size()) {
            expression.kind = Kind::kNumber;
            expression.number = number;
        }
    }

    int nodes_ = 0;
};

Parsed<Expression> Parse(std::string_view text) {
    try {
        return Converter().Convert(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& error) {
        const auto at = error.mark.pos < 0 ? 0 : static_cast<std::size_t>(error.mark.pos);
        return Wrong(at, "this is no YAML: " + error.msg);
    }
}

}  // namespace

std::vector<DefinitionConfig> ReadActionsYaml(std::string_view text, const ModelsConfig& settings,
                                              std::vector<Problem>& problems) {
    std::vector<DefinitionConfig> configs;
    const auto add = [&](std::size_t offset, std::string message) {
        problems.push_back({offset, std::move(message)});
    };
    const auto document = Parse(text);
    if (!document) {
        problems.push_back(document.error());
        return configs;
    }
    if (document->kind != Kind::kObject) {
        add(document->offset, "expected an object with \"actions\", found something else");
        return configs;
    }
    for (const auto& key : document->keys) {
        if (key.text != "actions")
            add(key.offset, fmt::format("unknown actions.yaml key \"{}\"", key.text));
    }
    const auto* actions = document->Find("actions");
    if (actions == nullptr || actions->kind == Kind::kNull) return configs;
    if (actions->kind != Kind::kArray) {
        add(actions->offset,
            fmt::format("expected a list of actions, found {}", Describe(actions->kind)));
        return configs;
    }
    std::vector<std::string> known;
    for (const auto& type : kTypes) known.emplace_back(type.first);
    for (const auto& item : actions->items) {
        if (item.kind != Kind::kObject || item.keys.empty()) {
            add(item.offset,
                fmt::format("this says no type of action; expected one of {}", Join(known, ", ")));
            continue;
        }
        for (std::size_t i = 0; i < item.keys.size(); ++i) {
            const auto& key = item.keys[i];
            const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                           [&](const auto& t) { return t.first == key.text; });
            if (type == kTypes.end()) {
                const auto meant = DidYouMean(key.text, known);
                add(key.offset,
                    fmt::format("unknown action key \"{}\"{}", key.text,
                                meant.empty() ? "" : fmt::format(". Did you mean \"{}\"?", meant)));
                continue;
            }
            std::vector<Problem> found;
            auto config =
                ReadConfig(item.items[i], settings, found, type->second, ConfigPlace::kActionsYaml);
            config.offset = key.offset;
            if (found.empty()) configs.push_back(std::move(config));
            problems.insert(problems.end(), found.begin(), found.end());
        }
    }
    return configs;
}

}  // namespace biwa::transform
