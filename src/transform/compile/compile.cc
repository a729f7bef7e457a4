#include "transform/compile/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <tuple>

#include "base/text.h"
#include "transform/compile/assertions.h"
#include "transform/compile/config.h"
#include "transform/compile/renderer.h"
#include "transform/compile/script_session.h"
#include "transform/compile/scripted_sqlx.h"
#include "transform/compile/sqlx_lexer.h"
#include "transform/compile/table_names.h"

namespace biwa::transform {

namespace {

// A definition on its way to be an action: a .sqlx file, or an action made in a .js file.
struct Draft {
    Draft(const DefinitionFile& from, std::shared_ptr<const LineIndex> of_file)
        : file(from), lines(std::move(of_file)) {}

    const DefinitionFile& file;
    std::shared_ptr<const LineIndex> lines;
    SqlxFile sqlx;
    std::optional<ScriptedSqlx> script;  // of the .sqlx, where it needs an engine
    const MadeAction* made = nullptr;    // in a .js file
    DefinitionConfig config;
    TableName target;
    std::vector<Problem> problems;
    std::vector<TableReference> references;  // with_assertions where those are waited for, too
    std::size_t action_place = 0;
};

std::string FileStem(std::string_view path) {
    path.remove_prefix(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    return std::string(path.substr(0, path.rfind('.')));
}

// The warehouse does not tell A from a in names.
std::string Folded(const TableName& name) {
    auto text = name.ToString();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

class Compiler {
  public:
    explicit Compiler(const CompileInput& input)
        : input_(input), names_(input.tables, input.stream_datasets) {}

    Result<CompiledGraph> Run() {
        for (const auto& file : input_.files) ReadFile(file);
        ReadMadeConfigs();
        for (auto& draft : drafts_) Register(*draft);
        RefuseDuplicates();
        for (auto& draft : drafts_) MakeActions(*draft);
        for (const auto& draft : drafts_) NoteAssertedTables(*draft);
        for (auto& draft : drafts_) ResolveDependencies(*draft);
        for (auto& draft : drafts_) Report(*draft);
        if (!errors_.empty()) return Failure();

        CompiledGraph graph;
        auto sorted = SortByDependencies(std::move(actions_));
        if (sorted) {
            graph.actions = std::move(*sorted);
            return graph;
        }
        std::vector<std::string> names;
        for (const auto& target : sorted.error()) names.push_back(target.ToString());
        AddError(locations_.at(sorted.error().front()),
                 fmt::format("these depend on each other in a circle: {}", Join(names, " → ")));
        return Failure();
    }

  private:
    void ReadFile(const DefinitionFile& file) {
        if (!file.path.ends_with(".js") && !file.path.ends_with(".sqlx")) return;
        auto draft = std::make_unique<Draft>(file, std::make_shared<LineIndex>(file.text));
        const auto read = file.path.ends_with(".js") ? session().RunFile(file) : ReadSqlx(*draft);
        if (session_ != nullptr) TakeMadeActions(*draft);
        if (!read) {
            draft->problems.push_back(read.error());
            Report(*draft);
        } else if (file.path.ends_with(".sqlx")) {
            drafts_.push_back(std::move(draft));
        }
    }

    // What JavaScript has made since. A file may run another one by require().
    void TakeMadeActions(const Draft& running) {
        for (; taken_ < session_->made().size(); ++taken_) {
            const auto& made = session_->made()[taken_];
            const auto file = std::find_if(
                input_.files.begin(), input_.files.end(),
                [&](const DefinitionFile& other) { return other.path == made.location.file; });
            const bool is_other = file != input_.files.end() && &*file != &running.file;
            auto draft =
                is_other ? std::make_unique<Draft>(*file, std::make_shared<LineIndex>(file->text))
                         : std::make_unique<Draft>(running.file, running.lines);
            draft->made = &made;
            draft->config.offset = draft->lines->Offset(made.location.line, made.location.column);
            drafts_.push_back(std::move(draft));
        }
    }

    // Late: until all files have run any of them may have changed what another one made.
    void ReadMadeConfigs() {
        for (auto& draft : drafts_) {
            if (draft->made == nullptr) continue;
            const auto offset = draft->config.offset;
            if (draft->made->is_test) {
                draft->problems.push_back({offset, "unit tests (test()) are not supported yet"});
                continue;
            }
            const auto object = session_->ReadConfig(*draft->made, offset);
            if (object) {
                draft->config = ReadConfig(*object, input_.settings, draft->problems);
            } else {
                draft->problems.push_back(object.error());
            }
        }
    }

    Parsed<void> ReadSqlx(Draft& draft) {
        auto sqlx = LexSqlx(draft.file.text);
        if (!sqlx) return tl::unexpected(std::move(sqlx).error());
        draft.sqlx = std::move(*sqlx);
        const auto parts = ScriptedSqlx::Find(draft.sqlx);
        if (parts.config || !parts.js.empty() || !parts.placeholders.empty()) {
            auto script = ScriptedSqlx::Compile(session(), draft.file, parts);
            if (!script) return tl::unexpected(std::move(script).error());
            draft.script = std::move(*script);
        }
        if (!draft.sqlx.config) return {};
        const auto& block = *draft.sqlx.config;
        const auto object =
            parts.config ? draft.script->ReadConfig() : ParseExpression(block.text, block.offset);
        if (!object) return tl::unexpected(object.error());
        draft.config = ReadConfig(*object, input_.settings, draft.problems);
        return {};
    }

    // Started when first needed.
    ScriptSession& session() {
        if (session_ == nullptr) {
            session_ = std::make_unique<ScriptSession>(input_);
            for (auto& problem : session_->TakeProblems())
                AddError(*problem.place, std::move(problem.message));
        }
        return *session_;
    }

    void Register(Draft& draft) {
        const auto& config = draft.config;
        const auto& settings = input_.settings;
        draft.target.name = config.name.empty() ? FileStem(draft.file.path) : config.name;
        if (draft.target.name.find('.') != std::string::npos) {
            draft.problems.push_back(
                {0, fmt::format("\"{}\" must have no \".\" in it to name a model: rename the file "
                                "or give config a name",
                                draft.target.name)});
        }
        draft.target.dataset = !config.dataset.empty()                 ? config.dataset
                               : config.type == ActionType::kAssertion ? settings.assertion_dataset
                                                                       : settings.default_dataset;
        if (!config.type) return names_.AddDeclaration(draft.target);

        const bool makes_table = config.type == ActionType::kOperations
                                     ? config.has_output
                                     : config.type != ActionType::kAssertion;
        if (makes_table && input_.stream_datasets.contains(draft.target.dataset)) {
            draft.problems.push_back(
                {config.offset, fmt::format("{} would be among the tables of a stream: give the "
                                            "model a dataset other than \"{}\"",
                                            draft.target.ToString(), draft.target.dataset)});
        }
        names_.AddAction(draft.target, makes_table);
    }

    SourceLocation Locate(const Draft& draft, std::size_t offset) const {
        const auto place = draft.lines->Find(offset);
        return {draft.file.path, place.line, place.column};
    }

    void RefuseDuplicates() {
        for (auto& draft : drafts_) {
            const auto [found, is_new] =
                folded_targets_.emplace(Folded(draft->target), draft.get());
            if (is_new) continue;
            draft->problems.push_back(
                {draft->config.offset,
                 fmt::format("{} is already made by {}", draft->target.ToString(),
                             Locate(*found->second, found->second->config.offset).ToString())});
        }
    }

    void MakeActions(Draft& draft) {
        const auto& config = draft.config;
        const auto& sqlx = draft.sqlx;
        if (!config.type) {
            if (!sqlx.statements.empty()) {
                draft.problems.push_back({sqlx.statements[0][0].source.offset,
                                          "a declaration only names a table: it has no SQL"});
            }
            return;
        }
        Action action;
        action.target = draft.target;
        action.type = *config.type;
        action.location = Locate(draft, config.offset);
        action.description = config.description;
        action.tags = config.tags;
        action.columns = config.columns;
        action.disabled = config.disabled;
        action.unique_key = config.unique_key;
        action.refresh = config.refresh;
        action.has_output = config.has_output;
        RenderSql(draft, action);
        locations_[action.target] = action.location;
        auto assertions =
            MakeAssertions(action, config.assertions, input_.settings.assertion_dataset);
        draft.action_place = actions_.size();
        actions_.push_back(std::move(action));
        for (auto& assertion : assertions) {
            if (folded_targets_.contains(Folded(assertion.target))) {
                draft.problems.push_back(
                    {config.offset, fmt::format("the assertion {} has the name of another action",
                                                assertion.target.ToString())});
            }
            locations_[assertion.target] = assertion.location;
            names_.AddAction(assertion.target, false);
            assertions_on_[draft.target].insert(assertion.target);
            actions_.push_back(std::move(assertion));
        }
    }

    void RenderSql(Draft& draft, Action& action) {
        Renderer renderer({action.target, action.MakesTable()}, *draft.lines, input_.settings,
                          names_, draft.problems);
        if (draft.made != nullptr) return RenderMade(draft, renderer, action);
        if (draft.script) renderer.UseScript(&*draft.script);
        const auto& sqlx = draft.sqlx;
        const auto refuse = [&](const std::vector<SqlStatement>& statements, std::string message) {
            if (statements.empty()) return;
            draft.problems.push_back({statements[0][0].source.offset, std::move(message)});
        };
        if (!action.MakesTable() || action.type == ActionType::kOperations) {
            const auto message = fmt::format(
                "pre_operations and post_operations are for types table, view and incremental, not "
                "for {}",
                ToString(action.type));
            refuse(sqlx.pre_operations, message);
            refuse(sqlx.post_operations, message);
        }
        if (action.type == ActionType::kOperations) {
            action.operations = renderer.Render(sqlx.statements, false);
        } else if (sqlx.statements.size() > 1) {
            draft.problems.push_back(
                {sqlx.statements[1][0].source.offset,
                 fmt::format("type {} has one SQL statement, and this begins a second; only "
                             "operations have more",
                             ToString(action.type))});
        } else {
            action.full = RenderBuild(draft, renderer, false);
            if (action.type == ActionType::kIncremental)
                action.incremental = RenderBuild(draft, renderer, true);
        }
        if (sqlx.statements.empty())
            draft.problems.push_back({draft.file.text.size(), "this file has no SQL"});
        draft.references = renderer.references();
    }

    BuildSql RenderBuild(Draft& draft, Renderer& renderer, bool incremental) {
        BuildSql build;
        build.pre_operations = renderer.Render(draft.sqlx.pre_operations, incremental);
        if (!draft.sqlx.statements.empty()) {
            const auto& statement = draft.sqlx.statements.front();
            build.query = renderer.Render(statement, incremental);
            if (build.query.sql.ends_with(';')) {
                const auto& last = statement.back().source;
                draft.problems.push_back(
                    {last.offset + std::min(last.text.rfind(';'), last.text.size()),
                     "there must be no \";\" at the end of the SQL"});
            }
        }
        build.post_operations = renderer.Render(draft.sqlx.post_operations, incremental);
        return build;
    }

    // The same of an action that JavaScript made.
    void RenderMade(Draft& draft, Renderer& renderer, Action& action) {
        const auto offset = draft.config.offset;
        const auto wrong = [&](std::string message) {
            draft.problems.push_back({offset, std::move(message)});
        };
        const auto make = [&](std::string_view part, bool incremental) {
            std::vector<SqlText> statements;
            auto texts = session_->MakeSql(*draft.made, part, incremental, offset, renderer);
            if (!texts) draft.problems.push_back(std::move(texts).error());
            for (const auto& text : texts.value_or(std::vector<std::string>()))
                statements.push_back(SqlText::OfLine(text, action.location.line));
            return statements;
        };
        if (!make("where", true).empty()) {
            wrong(
                "where() is not supported: write ${ctx.when(ctx.incremental(), `WHERE …`)} in the "
                "query instead");
        }
        const auto build = [&](bool incremental) {
            BuildSql sql;
            const auto problems_before = draft.problems.size();
            auto queries = make("query", incremental);
            if (queries.empty() && draft.problems.size() == problems_before)
                wrong(fmt::format("{} has no SQL: give it a query()", action.target.ToString()));
            if (queries.size() > 1) wrong("there is one SQL statement in a query()");
            if (!queries.empty()) sql.query = std::move(queries.front());
            if (sql.query.sql.ends_with(';')) wrong("there must be no \";\" at the end of the SQL");
            sql.pre_operations = make("preOps", incremental);
            sql.post_operations = make("postOps", incremental);
            const bool has_operations = !sql.pre_operations.empty() || !sql.post_operations.empty();
            if (has_operations && action.type == ActionType::kAssertion)
                wrong("preOps() and postOps() are for tables and views, not for assertions");
            return sql;
        };
        if (action.type == ActionType::kOperations) {
            action.operations = make("query", false);
            if (action.operations.empty() && draft.problems.empty())
                wrong(fmt::format("{} has no SQL: give it queries()", action.target.ToString()));
        } else {
            action.full = build(false);
            if (action.type == ActionType::kIncremental) action.incremental = build(true);
        }
        draft.references = renderer.references();
    }

    // What a hand-written assertion refers to, it is an assertion on.
    void NoteAssertedTables(const Draft& draft) {
        if (draft.config.type != ActionType::kAssertion) return;
        const auto note = [&](const TableReference& reference) {
            const auto table = names_.FindDependency(reference);
            if (table) assertions_on_[*table].insert(draft.target);
        };
        for (const auto& reference : draft.references) note(reference);
        for (const auto& reference : draft.config.dependencies) note(reference);
    }

    void ResolveDependencies(Draft& draft) {
        if (!draft.config.type) return;
        std::set<TableName> dependencies;
        const auto add = [&](const TableReference& reference) {
            const auto table = names_.FindDependency(reference);
            if (!table) return draft.problems.push_back(table.error());
            dependencies.insert(*table);
            if (!reference.with_assertions && !draft.config.depends_on_dependency_assertions)
                return;
            for (const auto& assertion : assertions_on_[*table]) {
                if (assertion != draft.target) dependencies.insert(assertion);
            }
        };
        for (const auto& reference : draft.references) add(reference);
        for (const auto& reference : draft.config.dependencies) add(reference);
        actions_[draft.action_place].dependencies.assign(dependencies.begin(), dependencies.end());
    }

    void Report(Draft& draft) {
        for (auto& problem : draft.problems) {
            AddError(problem.place ? *problem.place : Locate(draft, problem.offset),
                     std::move(problem.message));
        }
        draft.problems.clear();
    }

    void AddError(const SourceLocation& location, std::string message) {
        if (message.empty()) return;
        errors_.insert({location.file, location.line, location.column, std::move(message)});
    }

    tl::unexpected<Error> Failure() const {
        std::vector<std::string> lines;
        for (const auto& [file, line, column, message] : errors_) {
            lines.push_back(fmt::format("{}:{}:{}: {}", file, line, column, message));
        }
        return UserError(Join(lines, "\n"));
    }

    const CompileInput& input_;
    TableNames names_;
    std::unique_ptr<ScriptSession> session_;
    std::size_t taken_ = 0;  // of the actions that JavaScript has made
    std::vector<std::unique_ptr<Draft>> drafts_;
    std::vector<Action> actions_;
    std::map<std::string, const Draft*> folded_targets_;
    std::map<TableName, std::set<TableName>> assertions_on_;
    std::map<TableName, SourceLocation> locations_;
    // Sorted by place, each once: the two renderings of an incremental model fail alike.
    std::set<std::tuple<std::string, int, int, std::string>> errors_;
};

}  // namespace

Result<CompiledGraph> Compile(const CompileInput& input) { return Compiler(input).Run(); }

}  // namespace biwa::transform
