#include "transform/compile/scripted_sqlx.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "transform/compile/expression.h"
#include "transform/compile/js_scanner.h"

namespace biwa::transform {

using Kind = Expression::Kind;

namespace {

constexpr std::array<std::string_view, 8> kFunctions = {
    "self", "ref", "resolve", "name", "when", "incremental", "schema", "database"};

bool IsCondition(const Expression& expression) {
    if (expression.kind == Kind::kNot) return IsCondition(expression.items[0]);
    return expression.kind == Kind::kBool ||
           (expression.kind == Kind::kCall && expression.text == "incremental" &&
            expression.items.empty());
}

void MoveTo(std::size_t offset, Expression& expression) {
    expression.offset = offset;
    for (auto& key : expression.keys) key.offset = offset;
    for (auto& item : expression.items) MoveTo(offset, item);
}

// Gives the values of a config the places of their keys, where the file writes those plainly.
void PlaceByKeys(Expression& config, const SourceText& block) {
    const auto text = block.text;
    int open = 0;  // parentheses and brackets; braces are skipped as a whole
    bool may_be_key = true;
    for (std::size_t at = 1; at + 1 < text.size();) {
        const bool is_quoted = text[at] == '\'' || text[at] == '"';
        const auto end =
            is_quoted ? SkipJsToken(text, at)
                      : std::min(text.find_first_of(" \t\r\n:,()[]{}'\"`/", at), text.size());
        if (may_be_key && open == 0 && end > at) {
            const auto key =
                is_quoted ? text.substr(at + 1, end - at - 2) : text.substr(at, end - at);
            const auto colon = text.find_first_not_of(" \t\r\n", end);
            for (std::size_t i = 0; i < config.keys.size(); ++i) {
                if (colon == std::string_view::npos || text[colon] != ':') break;
                if (config.keys[i].text != key) continue;
                const auto value = text.find_first_not_of(" \t\r\n", colon + 1);
                config.keys[i].offset = block.offset + at;
                MoveTo(block.offset + std::min(value, text.size()), config.items[i]);
            }
            may_be_key = false;
            at = end;
            continue;
        }
        const char c = text[at];
        if (c == '(' || c == '[') ++open;
        if (c == ')' || c == ']') --open;
        if (c == ',' && open == 0) may_be_key = true;
        at = std::max(end, SkipJsToken(text, at));
    }
}

}  // namespace

bool NeedsEngine(const Expression& expression) {
    if (expression.kind == Kind::kName) {
        return !expression.text.starts_with(kVariables) &&
               !expression.text.starts_with("dataform.projectConfig.default");
    }
    if (expression.kind == Kind::kNot) return !IsCondition(expression);
    auto first = expression.items.begin();
    if (expression.kind == Kind::kCall) {
        if (std::find(kFunctions.begin(), kFunctions.end(), expression.text) == kFunctions.end())
            return true;
        if (expression.text == "when" && first != expression.items.end()) {
            if (!IsCondition(*first)) return true;
            ++first;
        }
    }
    return std::any_of(first, expression.items.end(), NeedsEngine);
}

ScriptedSqlx::Parts ScriptedSqlx::Find(const SqlxFile& sqlx) {
    Parts parts;
    const auto is_native = [](const SourceText& source) {
        const auto expression = ParseExpression(source.text, source.offset);
        return expression && !NeedsEngine(*expression);
    };
    if (sqlx.config && !is_native(*sqlx.config)) parts.config = sqlx.config;
    for (const auto& block : sqlx.js) {
        if (!Trim(block.text).empty()) parts.js.push_back(block);
    }
    const auto add = [&](const std::vector<SqlStatement>& statements) {
        for (const auto& statement : statements) {
            for (const auto& part : statement) {
                if (part.kind == SqlPart::Kind::kPlaceholder && !is_native(part.source))
                    parts.placeholders.push_back(part.source);
            }
        }
    };
    add(sqlx.statements);
    add(sqlx.pre_operations);
    add(sqlx.post_operations);
    add(sqlx.incremental_where);
    for (const auto& input : sqlx.inputs) add(input.statements);
    return parts;
}

Parsed<ScriptedSqlx> ScriptedSqlx::Compile(ScriptSession& session, const DefinitionFile& file,
                                           const Parts& parts) {
    ScriptedSqlx scripted(session, file.path);
    const LineIndex lines(file.text);
    std::vector<script::Piece> pieces;
    const auto add = [&](std::string_view before, const SourceText& source,
                         std::string_view behind) {
        const int line = lines.Line(source.offset);
        const auto begin = lines.Offset(line, 1);
        pieces.push_back({before});
        pieces.push_back({source.text, line, static_cast<int>(source.offset - begin) + 1});
        pieces.push_back({behind});
    };
    pieces.push_back({"((require) => ({"});
    if (parts.config) {
        scripted.config_source_ = *parts.config;
        add("config: () => (", *parts.config, "),");
    }
    pieces.push_back(
        {"values: ({self, ref, resolve, name, when, incremental, schema, database}) "
         "=> {"});
    for (const auto& block : parts.js) add("", block, ";");
    pieces.push_back({"return ["});
    for (const auto& placeholder : parts.placeholders) {
        const auto index = static_cast<std::uint32_t>(scripted.indexes_.size());
        scripted.indexes_.emplace(placeholder.offset, index);
        add("() => (", placeholder, "),");
    }
    pieces.push_back({"]; } }))"});
    if (!parts.js.empty()) {
        scripted.js_offset_ = parts.js.front().offset;
    } else if (!parts.placeholders.empty()) {
        scripted.js_offset_ = parts.placeholders.front().offset;
    }

    auto object = session.engine().Evaluate(file.path, pieces);
    if (object) {
        const std::array<script::Value, 1> arguments = {session.RequireOf(file.path)};
        object = session.engine().Call(*object, arguments);
    }
    const auto place = parts.config ? scripted.config_source_.offset : scripted.js_offset_;
    if (!object) return tl::unexpected(session.ToProblem(object.error(), place, file.path));
    for (const auto& [key, to] :
         {std::pair{"config", &scripted.config_}, std::pair{"values", &scripted.values_}}) {
        auto function = session.engine().Get(*object, key);
        if (!function) return tl::unexpected(session.ToProblem(function.error(), place, file.path));
        *to = std::move(*function);
    }
    return scripted;
}

Parsed<Expression> ScriptedSqlx::ReadConfig() {
    const auto value = session_->engine().Call(config_, {});
    if (!value)
        return tl::unexpected(session_->ToProblem(value.error(), config_source_.offset, file_));
    auto config = session_->ToExpression(*value, config_source_.offset, file_);
    if (config) PlaceByKeys(*config, config_source_);
    return config;
}

Parsed<std::string> ScriptedSqlx::Evaluate(std::size_t offset, bool incremental,
                                           Renderer& renderer) {
    auto& evaluators = evaluators_[incremental ? 1 : 0];
    if (!evaluators) {
        const auto made = session_->CallWithContext(values_, incremental, renderer);
        if (made) {
            evaluators = *made;
        } else {
            evaluators = tl::unexpected(session_->ToProblem(made.error(), js_offset_, file_));
        }
    }
    if (!*evaluators) return tl::unexpected(evaluators->error());
    const auto wrong = [&](const script::Failure& failure) {
        return tl::unexpected(session_->ToProblem(failure, offset, file_));
    };
    const auto function = session_->engine().Get(**evaluators, indexes_.at(offset));
    if (!function) return wrong(function.error());
    const auto value = session_->CallIn(renderer, *function, {});
    if (!value) return wrong(value.error());
    auto text = session_->ToSql(*value);
    if (!text) return wrong(text.error());
    return text.value();
}

}  // namespace biwa::transform
