#include "transform/compile/renderer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "transform/compile/scripted_sqlx.h"

namespace biwa::transform {

using Kind = Expression::Kind;

// Collects SQL together with the file's line of each of its lines.
class Renderer::Writer {
  public:
    // Text whose first line stands on the file's line `line`, and whose others follow it there.
    void PutSource(std::string_view text, int line) {
        for (const char c : text) {
            if (at_line_start_) result_.lines.push_back(line);
            at_line_start_ = c == '\n';
            if (at_line_start_) ++line;
            result_.sql += c;
        }
    }
    // Text that comes from one place of the file.
    void PutValue(std::string_view text, int line) {
        for (const char c : text) {
            if (at_line_start_) result_.lines.push_back(line);
            at_line_start_ = c == '\n';
            result_.sql += c;
        }
    }

    // Without white space around it.
    SqlText Take() {
        const auto trimmed = Trim(result_.sql);
        const auto cut = static_cast<std::size_t>(trimmed.data() - result_.sql.data());
        if (trimmed.empty()) return {};
        const auto first = std::count(result_.sql.begin(), result_.sql.begin() + cut, '\n');
        const auto count = std::count(trimmed.begin(), trimmed.end(), '\n') + 1;
        return {std::string(trimmed),
                {result_.lines.begin() + first, result_.lines.begin() + first + count}};
    }

  private:
    SqlText result_;
    bool at_line_start_ = true;
};

namespace {

tl::unexpected<Problem> WrongArguments(const Expression& call, std::string_view expected) {
    return Wrong(call.offset, fmt::format("{}() takes {}", call.text, expected));
}

}  // namespace

Renderer::Renderer(Subject subject, const LineIndex& lines, const ModelsConfig& settings,
                   const TableNames& names, std::vector<Problem>& problems)
    : subject_(std::move(subject)),
      lines_(lines),
      settings_(settings),
      names_(names),
      problems_(problems) {}

SqlText Renderer::Render(const SqlStatement& statement, bool incremental) {
    incremental_ = incremental;
    Writer out;
    for (const auto& part : statement) {
        if (part.kind == SqlPart::Kind::kText) {
            out.PutSource(part.source.text, lines_.Line(part.source.offset));
            continue;
        }
        if (script_ != nullptr && script_->Holds(part.source.offset)) {
            auto text = script_->Evaluate(part.source.offset, incremental, *this);
            if (text) {
                out.PutValue(*text, lines_.Line(part.source.offset));
            } else {
                problems_.push_back(std::move(text).error());
            }
            continue;
        }
        const auto expression = ParseExpression(part.source.text, part.source.offset);
        if (!expression) {
            problems_.push_back(expression.error());
        } else if (const auto put = Put(*expression, out); !put) {
            problems_.push_back(put.error());
        }
    }
    return out.Take();
}

std::vector<SqlText> Renderer::Render(const std::vector<SqlStatement>& statements,
                                      bool incremental) {
    std::vector<SqlText> rendered;
    for (const auto& statement : statements) {
        auto sql = Render(statement, incremental);
        if (!sql.sql.empty()) rendered.push_back(std::move(sql));
    }
    return rendered;
}

Renderer::Done Renderer::Put(const Expression& expression, Writer& out) {
    const int line = lines_.Line(expression.offset);
    switch (expression.kind) {
        case Kind::kString:
            out.PutSource(expression.text, line);
            return {};
        case Kind::kNumber:
            out.PutValue(fmt::format("{}", expression.number), line);
            return {};
        case Kind::kName: {
            const auto value = ReadVariable(expression, settings_);
            if (!value) return tl::unexpected(value.error());
            out.PutValue(*value, line);
            return {};
        }
        case Kind::kTemplate:
            for (std::size_t i = 0; i < expression.texts.size(); ++i) {
                const auto& text = expression.texts[i];
                out.PutSource(text.text, lines_.Line(text.offset));
                if (i == expression.items.size()) break;
                if (auto put = Put(expression.items[i], out); !put) return put;
            }
            return {};
        case Kind::kCall:
            return PutCall(expression, out);
        case Kind::kBool:
        case Kind::kNot: {
            const auto truth = Decide(expression);
            if (!truth) return tl::unexpected(truth.error());
            out.PutValue(*truth ? "true" : "false", line);
            return {};
        }
        case Kind::kNull:
        case Kind::kArray:
        case Kind::kObject:
            break;
    }
    return Wrong(expression.offset,
                 fmt::format("{} makes no SQL: expected text", Describe(expression.kind)));
}

Renderer::Done Renderer::PutCall(const Expression& call, Writer& out) {
    const auto& function = call.text;
    const int line = lines_.Line(call.offset);
    if (function == "ref" || function == "resolve") {
        auto reference = ReadReference(call);
        if (!reference) return tl::unexpected(std::move(reference).error());
        const auto sql = TableOf(std::move(*reference), function == "ref");
        if (!sql) return tl::unexpected(sql.error());
        out.PutValue(*sql, line);
        return {};
    }
    if (function == "when") return PutWhen(call, out);

    constexpr std::array<std::string_view, 5> kPlain = {"self", "name", "schema", "database",
                                                        "incremental"};
    if (std::find(kPlain.begin(), kPlain.end(), function) == kPlain.end()) {
        const std::vector<std::string> known{"ref",    "resolve",  "self",        "name",
                                             "schema", "database", "incremental", "when"};
        const auto meant = DidYouMean(function, known);
        return Wrong(
            call.offset,
            fmt::format("there is no function {}(){}", function,
                        meant.empty() ? ": define it in JavaScript, in a js block or in includes/"
                                      : fmt::format(". Did you mean {}()?", meant)));
    }
    if (!call.items.empty()) return WrongArguments(call, "no arguments");
    if (function == "incremental") {
        out.PutValue(incremental_ ? "true" : "false", line);
        return {};
    }
    const auto text = NameOf(function, call.offset);
    if (!text) return tl::unexpected(text.error());
    out.PutValue(*text, line);
    return {};
}

Parsed<std::string> Renderer::TableOf(TableReference reference, bool refers) {
    if (!subject_.refers) {
        return Wrong(reference.offset,
                     "the rows of a test are given, not read: there is nothing to ref() here");
    }
    const auto table = names_.FindTable(reference);
    if (!table) return tl::unexpected(table.error());
    if (refers) references_.push_back(std::move(reference));
    return SqlOf(*table);
}

Parsed<std::string> Renderer::NameOf(std::string_view function, std::size_t offset) {
    if (function == "name") return subject_.target.name;
    if (function == "schema") return subject_.target.dataset;
    if (function == "database") {
        auto project = subject_.project.empty() ? settings_.default_project : subject_.project;
        if (project.empty()) return Wrong(offset, "the project names no defaultProject");
        if (!settings_.project_suffix.empty()) project += "_" + settings_.project_suffix;
        return project;
    }
    if (!subject_.makes_table) {
        return Wrong(offset,
                     "self() is the table that this file makes, and it makes none; operations that "
                     "do say hasOutput: true");
    }
    return SqlOf(subject_.target);
}

std::string Renderer::SqlOf(const TableName& table) {
    if (subject_.inputs == nullptr) return table.ToSql();
    const auto input = subject_.inputs->find(table);
    if (input == subject_.inputs->end()) {
        missing_inputs_.insert(table);
        return "";
    }
    // The line end keeps a comment at the input's end to itself.
    const bool has_comment = input->second.find("--") != std::string::npos;
    return "(" + input->second + (has_comment ? "\n)" : ")");
}

// Both branches are gone through, as JavaScript evaluates all arguments of a call: what the branch
// not taken refers to is a dependency as well.
Renderer::Done Renderer::PutWhen(const Expression& call, Writer& out) {
    if (call.items.size() < 2 || call.items.size() > 3)
        return WrongArguments(call,
                              "a condition, a text and maybe another text: "
                              "when(incremental(), `…`, `…`)");
    const auto taken = Decide(call.items[0]);
    if (!taken) return tl::unexpected(taken.error());
    for (std::size_t i = 1; i < call.items.size(); ++i) {
        const bool is_taken = (i == 1) == *taken;
        // A test needs inputs for what its query reads, and for nothing else.
        if (!is_taken && subject_.inputs != nullptr) continue;
        Writer scratch;
        auto put = Put(call.items[i], is_taken ? out : scratch);
        if (!put) return put;
    }
    return {};
}

Parsed<bool> Renderer::Decide(const Expression& condition) const {
    if (condition.kind == Kind::kBool) return condition.truth;
    if (condition.kind == Kind::kNot) {
        const auto inner = Decide(condition.items[0]);
        if (!inner) return inner;
        return !*inner;
    }
    if (condition.kind == Kind::kCall && condition.text == "incremental" &&
        condition.items.empty()) {
        return incremental_;
    }
    return Wrong(condition.offset,
                 fmt::format("this condition is {}: write incremental(), !incremental(), true or "
                             "false, or decide it in JavaScript, in a js block",
                             Describe(condition.kind)));
}

Parsed<TableReference> Renderer::ReadReference(const Expression& call) const {
    const bool is_one = call.items.size() == 1;
    if (is_one && call.items[0].kind == Kind::kObject) {
        auto table = ReadTableObject(call.items[0], settings_);
        if (table) table->offset = call.offset;
        return table;
    }
    if (is_one && call.items[0].kind == Kind::kArray)
        return ReadTableTexts(call.items[0].items, call.offset, settings_);
    if (call.items.empty() || call.items.size() > 3) {
        return WrongArguments(call,
                              "a name, or a dataset and a name, or a project and both; or an array "
                              "or object of them");
    }
    return ReadTableTexts(call.items, call.offset, settings_);
}

}  // namespace biwa::transform
