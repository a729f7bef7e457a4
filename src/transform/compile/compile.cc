#include "transform/compile/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "base/text.h"
#include "transform/compile/actions_yaml.h"
#include "transform/compile/assertions.h"
#include "transform/compile/config.h"
#include "transform/compile/draft.h"
#include "transform/compile/renderer.h"
#include "transform/compile/script_session.h"
#include "transform/compile/scripted_sqlx.h"
#include "transform/compile/table_names.h"
#include "transform/compile/unit_tests.h"

namespace biwa::transform {

namespace {

std::string_view FileName(std::string_view path) {
    path.remove_prefix(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    return path;
}

std::string FileStem(std::string_view path) {
    const auto name = FileName(path);
    return std::string(name.substr(0, name.rfind('.')));
}

std::string_view Extension(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? "" : path.substr(dot);
}

// "definitions/a/../b.sql" is "definitions/b.sql".
std::string Normal(const std::string& path) {
    std::vector<std::string> parts;
    for (const auto& part : Split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == ".." && !parts.empty()) {
            parts.pop_back();
        } else {
            parts.push_back(part);
        }
    }
    return Join(parts, "/");
}

// The warehouse does not tell A from a in names.
std::string Folded(const TableName& name) { return SmallLetters(name.ToString()); }

class Compiler {
  public:
    explicit Compiler(const CompileInput& input)
        : input_(input), names_(input.tables, input.stream_datasets, input.settings) {}

    Compilation Run() {
        for (const auto& file : input_.files) ReadFile(file);
        ReadMadeConfigs();
        for (auto& draft : drafts_) Register(*draft);
        RefuseDuplicates();
        for (auto& draft : drafts_) Make(*draft);
        for (auto& draft : drafts_) MakeTest(*draft);
        for (const auto& draft : drafts_) NoteAssertedTables(*draft);
        for (auto& draft : drafts_) ResolveDependencies(*draft);
        for (auto& draft : drafts_) Report(*draft);
        Sort();
        AddNotes();
        for (const auto& [file, line, column, message] : errors_)
            compilation_.errors.push_back({{file, line, column}, message});
        return std::move(compilation_);
    }

  private:
    void ReadFile(const DefinitionFile& file) {
        const auto extension = Extension(file.path);
        if (FileName(file.path) == "actions.yaml") return ReadActions(file);
        if (extension != ".js" && extension != ".sqlx") return;
        auto draft = std::make_unique<Draft>(file);
        const auto read = extension == ".js" ? session().RunFile(file) : ReadSqlx(*draft);
        if (session_ != nullptr) TakeMadeActions(file);
        if (!read) {
            draft->problems.push_back(read.error());
            Report(*draft);
        } else if (extension == ".sqlx") {
            drafts_.push_back(std::move(draft));
        }
    }

    // What JavaScript has made since. A file may run another one by require().
    void TakeMadeActions(const DefinitionFile& running) {
        for (; taken_ < session_->made().size(); ++taken_) {
            const auto& made = session_->made()[taken_];
            const auto file = std::find_if(
                input_.files.begin(), input_.files.end(),
                [&](const DefinitionFile& other) { return other.path == made.location.file; });
            auto draft = std::make_unique<Draft>(file == input_.files.end() ? running : *file);
            draft->made = &made;
            draft->config.offset = draft->lines.Offset(made.location.line, made.location.column);
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
            draft.script = std::make_unique<ScriptedSqlx>(std::move(*script));
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

    void ReadActions(const DefinitionFile& file) {
        Draft whole(file);
        for (auto& config : ReadActionsYaml(file.text, input_.settings, whole.problems)) {
            auto draft = std::make_unique<Draft>(file);
            draft->config = std::move(config);
            const auto& name = draft->config.filename;
            if (!name.empty()) {
                const auto folder = file.path.substr(0, file.path.rfind('/') + 1);
                if (!ReadSql(Normal(folder + name), *draft)) continue;
            } else if (draft->config.type != DefinitionType::kDeclaration) {
                whole.problems.push_back(
                    {draft->config.offset, "this action names no file: \"filename\" is missing"});
                continue;
            } else if (draft->config.name.empty()) {
                whole.problems.push_back({draft->config.offset, "a declaration needs a name"});
                continue;
            }
            drafts_.push_back(std::move(draft));
        }
        Report(whole);
    }

    // A file of SQL without placeholders.
    bool ReadSql(const std::string& path, Draft& draft) {
        const auto found =
            std::find_if(input_.files.begin(), input_.files.end(),
                         [&](const DefinitionFile& file) { return file.path == path; });
        const auto refuse = [&](std::string message) {
            AddError(draft.Locate(draft.config.offset), std::move(message));
            return false;
        };
        if (path.ends_with(".sqlx"))
            return refuse(
                fmt::format("{}: a .sqlx file is a definition of its own; only .sql files "
                            "are named in actions.yaml",
                            path));
        if (found == input_.files.end()) return refuse(fmt::format("there is no file {}", path));
        draft.sql_file = &*found;
        draft.sql_lines = LineIndex(found->text);
        if (!Trim(found->text).empty())
            draft.sqlx.statements = {{{SqlPart::Kind::kText, {0, found->text}}}};
        return true;
    }

    void Register(Draft& draft) {
        const auto& config = draft.config;
        const auto& settings = input_.settings;
        draft.canonical.name = config.name.empty() ? FileStem(draft.sql_file->path) : config.name;
        // daily.dp.sqlx
        if (config.type == DefinitionType::kDataPreparation &&
            draft.canonical.name.ends_with(".dp"))
            draft.canonical.name.resize(draft.canonical.name.size() - 3);
        if (draft.canonical.name.find('.') != std::string::npos) {
            draft.problems.push_back(
                {0, fmt::format("\"{}\" must have no \".\" in it to name a model: rename the file "
                                "or give config a name",
                                draft.canonical.name)});
        }
        const auto type = config.type;
        draft.canonical.dataset = !config.dataset.empty()              ? config.dataset
                                  : type == DefinitionType::kAssertion ? settings.assertion_dataset
                                                                       : settings.default_dataset;
        draft.target = draft.canonical;
        if (type == DefinitionType::kTest) return;
        if (type == DefinitionType::kDeclaration)
            return names_.AddDeclaration(draft.target, config.bigquery.project);

        draft.target = WithAffixes(draft.canonical, settings);
        const bool makes_table = IsModel(type) || config.has_output;
        if (makes_table && input_.stream_datasets.contains(draft.target.dataset)) {
            draft.problems.push_back(
                {config.offset, fmt::format("{} would be among the tables of a stream: give the "
                                            "model a dataset other than \"{}\"",
                                            draft.target.ToString(), draft.target.dataset)});
        }
        names_.AddAction(draft.canonical, config.bigquery.project, makes_table);
    }

    static bool IsModel(DefinitionType type) {
        return type == DefinitionType::kTable || type == DefinitionType::kView ||
               type == DefinitionType::kIncremental;
    }

    void RefuseDuplicates() {
        for (auto& draft : drafts_) {
            if (draft->config.type == DefinitionType::kTest) continue;
            const auto [found, is_new] =
                folded_targets_.emplace(Folded(draft->target), draft.get());
            if (is_new) continue;
            draft->problems.push_back(
                {draft->config.offset,
                 fmt::format("{} is already made by {}", draft->target.ToString(),
                             found->second->Locate(found->second->config.offset).ToString())});
        }
    }

    void Make(Draft& draft) {
        const auto& config = draft.config;
        CheckBlocks(draft);
        for (const auto& [key, offset] : config.unused) unused_.emplace(key, draft.Locate(offset));
        if (config.type == DefinitionType::kDeclaration) return MakeDeclaration(draft);
        if (IsNotRun(config.type)) return MakeNotRun(draft);
        if (ActionTypeOf(config.type)) MakeActions(draft);
    }

    // Blocks that have no meaning for the type.
    void CheckBlocks(Draft& draft) {
        const auto type = draft.config.type;
        const auto refuse = [&](const std::vector<SqlStatement>& statements, std::string message) {
            if (statements.empty()) return;
            draft.problems.push_back({statements[0][0].source.offset, std::move(message)});
        };
        if (!IsModel(type)) {
            const auto message = fmt::format(
                "pre_operations and post_operations are for types table, view and incremental, not "
                "for {}",
                ToString(type));
            refuse(draft.sqlx.pre_operations, message);
            refuse(draft.sqlx.post_operations, message);
        }
        if (type != DefinitionType::kIncremental)
            refuse(draft.sqlx.incremental_where, "incremental_where is for type incremental");
        if (type != DefinitionType::kTest && !draft.sqlx.inputs.empty())
            draft.problems.push_back(
                {draft.sqlx.inputs[0].offset, "input blocks are for type test"});
        if (draft.sqlx.incremental_where.size() > 1) {
            draft.problems.push_back({draft.sqlx.incremental_where[1][0].source.offset,
                                      "incremental_where holds one SQL statement, and this begins "
                                      "a second"});
        }
    }

    void MakeDeclaration(Draft& draft) {
        const auto& config = draft.config;
        if (!draft.sqlx.statements.empty()) {
            draft.problems.push_back({draft.sqlx.statements[0][0].source.offset,
                                      "a declaration only names a table: it has no SQL"});
        }
        compilation_.graph.declarations.push_back({draft.target, draft.Locate(config.offset),
                                                   config.description, config.tags, config.columns,
                                                   config.bigquery.project});
    }

    void MakeNotRun(Draft& draft) {
        const auto& config = draft.config;
        NotRunAction action;
        action.type = ToString(config.type);
        action.target = draft.target;
        action.canonical = draft.canonical;
        action.location = LocationOf(draft);
        action.tags = config.tags;
        action.disabled = config.disabled;
        action.project = config.bigquery.project;
        Renderer renderer(SubjectOf(draft), draft.sql_lines, input_.settings, names_,
                          draft.sql_problems);
        renderer.UseScript(draft.script.get());
        for (const auto& text : renderer.Render(draft.sqlx.statements, false))
            action.content += text.sql;
        draft.references = renderer.references();
        draft.action_place = compilation_.graph.not_run.size();
        compilation_.graph.not_run.push_back(std::move(action));
    }

    static Renderer::Subject SubjectOf(const Draft& draft) {
        Renderer::Subject subject;
        subject.target = draft.target;
        subject.project = draft.config.bigquery.project;
        subject.makes_table = IsModel(draft.config.type) || draft.config.has_output;
        return subject;
    }

    // Of the SQL's file, where that is another.
    static SourceLocation LocationOf(const Draft& draft) {
        if (draft.sql_file == &draft.file) return draft.Locate(draft.config.offset);
        return {draft.sql_file->path, 1, 1};
    }

    void MakeActions(Draft& draft) {
        const auto& config = draft.config;
        Action action;
        action.target = draft.target;
        action.canonical = draft.canonical;
        action.type = *ActionTypeOf(config.type);
        action.location = LocationOf(draft);
        action.description = config.description;
        action.tags = config.tags;
        action.columns = config.columns;
        action.disabled = config.disabled || (config.type == DefinitionType::kAssertion &&
                                              input_.settings.disable_assertions);
        action.unique_key = config.unique_key;
        action.incremental_options = config.incremental;
        action.refresh = config.refresh;
        action.has_output = config.has_output;
        action.bigquery = config.bigquery;
        RenderSql(draft, action);
        locations_[action.target] = action.location;
        auto assertions = MakeAssertions(action, config.assertions, input_.settings);
        draft.action_place = actions_.size();
        actions_.push_back(std::move(action));
        for (auto& assertion : assertions) {
            if (folded_targets_.contains(Folded(assertion.target))) {
                draft.problems.push_back(
                    {config.offset, fmt::format("the assertion {} has the name of another action",
                                                assertion.target.ToString())});
            }
            locations_[assertion.target] = assertion.location;
            names_.AddAction(assertion.canonical, {}, false);
            assertions_on_[draft.target].insert(assertion.target);
            actions_.push_back(std::move(assertion));
        }
    }

    void RenderSql(Draft& draft, Action& action) {
        const auto& sqlx = draft.sqlx;
        Renderer renderer(SubjectOf(draft), draft.sql_lines, input_.settings, names_,
                          draft.sql_problems);
        renderer.UseScript(draft.script.get());
        if (draft.made != nullptr) return RenderMade(draft, renderer, action);
        if (action.type == ActionType::kOperations) {
            action.operations = renderer.Render(sqlx.statements, false);
        } else if (sqlx.statements.size() > 1) {
            draft.sql_problems.push_back(
                {sqlx.statements[1][0].source.offset,
                 fmt::format("type {} has one SQL statement, and this begins a second; only "
                             "operations have more",
                             ToString(action.type))});
        } else {
            action.full = RenderBuild(draft, renderer, false);
            if (action.type == ActionType::kIncremental)
                action.incremental = RenderBuild(draft, renderer, true);
            if (action.type == ActionType::kIncremental && !sqlx.incremental_where.empty())
                action.incremental_where = renderer.Render(sqlx.incremental_where.front(), false);
        }
        if (sqlx.statements.empty())
            draft.sql_problems.push_back({draft.sql_file->text.size(), "this file has no SQL"});
        draft.references = renderer.references();
    }

    BuildSql RenderBuild(Draft& draft, Renderer& renderer, bool incremental) {
        BuildSql build;
        const auto line = draft.Locate(draft.config.offset).line;
        const auto put = [&](const std::vector<std::string>& of_config,
                             const std::vector<SqlStatement>& of_block) {
            std::vector<SqlText> texts;
            for (const auto& sql : of_config) {
                const auto count = std::count(sql.begin(), sql.end(), '\n') + 1;
                texts.push_back({sql, std::vector<int>(static_cast<std::size_t>(count), line)});
            }
            auto rendered = renderer.Render(of_block, incremental);
            std::move(rendered.begin(), rendered.end(), std::back_inserter(texts));
            return texts;
        };
        build.pre_operations = put(draft.config.pre_operations, draft.sqlx.pre_operations);
        if (!draft.sqlx.statements.empty()) {
            const auto& statement = draft.sqlx.statements.front();
            build.query = renderer.Render(statement, incremental);
            if (build.query.sql.ends_with(';')) {
                const auto& last = statement.back().source;
                draft.sql_problems.push_back(
                    {last.offset + std::min(last.text.rfind(';'), last.text.size()),
                     "there must be no \";\" at the end of the SQL"});
            }
        }
        build.post_operations = put(draft.config.post_operations, draft.sqlx.post_operations);
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
            auto where = make("where", false);
            if (where.size() > 1) wrong("where() is one condition");
            if (!where.empty()) action.incremental_where = std::move(where.front());
            if (!where.empty() && action.type != ActionType::kIncremental)
                wrong("where() is for type incremental");
        }
        draft.references = renderer.references();
    }

    void MakeTest(Draft& draft) {
        const auto& config = draft.config;
        if (config.type != DefinitionType::kTest) return;
        const auto add = [&](std::size_t offset, std::string message) {
            draft.problems.push_back({offset, std::move(message)});
        };
        const auto [other, is_new] = tests_.emplace(draft.canonical.name, &draft);
        if (!is_new) {
            add(config.offset,
                fmt::format("another test is called \"{}\", in {}", draft.canonical.name,
                            other->second->Locate(other->second->config.offset).ToString()));
        }
        if (!config.tested) {
            return add(config.offset,
                       "this names no model to test: give config a dataset, such as "
                       "dataset: \"daily\"");
        }
        auto reference = *config.tested;
        if (reference.dataset.empty()) reference.dataset = input_.settings.default_dataset;
        const auto target = names_.FindDependency(reference);
        if (!target) return draft.problems.push_back(target.error());
        const auto model = folded_targets_.find(Folded(*target));
        if (model == folded_targets_.end() || !IsModel(model->second->config.type)) {
            return add(reference.offset,
                       fmt::format("\"{}\" makes no table that could be tested: tests are for "
                                   "types table, view and incremental",
                                   target->ToString()));
        }
        compilation_.graph.tests.push_back(
            MakeUnitTest(draft, *model->second, input_.settings, names_));
    }

    // What a hand-written assertion refers to, it is an assertion on.
    void NoteAssertedTables(const Draft& draft) {
        if (draft.config.type != DefinitionType::kAssertion) return;
        const auto note = [&](const TableReference& reference) {
            const auto table = names_.FindDependency(reference);
            if (table) assertions_on_[*table].insert(draft.target);
        };
        for (const auto& reference : draft.references) note(reference);
        for (const auto& reference : draft.config.dependencies) note(reference);
    }

    void ResolveDependencies(Draft& draft) {
        const bool is_action = ActionTypeOf(draft.config.type).has_value();
        if (!is_action && !IsNotRun(draft.config.type)) return;
        std::set<TableName> dependencies;
        std::map<TableName, bool> with_assertions;
        const auto add = [&](const TableReference& reference, std::vector<Problem>& problems) {
            const auto table = names_.FindDependency(reference);
            if (!table) return problems.push_back(table.error());
            dependencies.insert(*table);
            if (draft.config.type == DefinitionType::kAssertion) return;
            const bool with =
                reference.with_assertions.value_or(draft.config.depends_on_dependency_assertions);
            if (with_assertions.emplace(*table, with).first->second != with) {
                return problems.push_back(
                    {reference.offset,
                     fmt::format("{} is referred to with and without its assertions "
                                 "(includeDependentAssertions)",
                                 table->ToString())});
            }
            if (!with) return;
            for (const auto& assertion : assertions_on_[*table]) {
                if (assertion != draft.target) dependencies.insert(assertion);
            }
        };
        for (const auto& reference : draft.config.dependencies) add(reference, draft.problems);
        for (const auto& reference : draft.references) add(reference, draft.sql_problems);
        auto& graph = compilation_.graph;
        auto& place = is_action ? actions_[draft.action_place].dependencies
                                : graph.not_run[draft.action_place].dependencies;
        place.assign(dependencies.begin(), dependencies.end());
    }

    void Sort() {
        auto sorted = SortByDependencies(actions_);
        if (sorted) {
            compilation_.graph.actions = std::move(*sorted);
            return;
        }
        std::vector<std::string> names;
        for (const auto& target : sorted.error()) names.push_back(target.ToString());
        AddError(locations_.at(sorted.error().front()),
                 fmt::format("these depend on each other in a circle: {}", Join(names, " → ")));
        compilation_.graph.actions = std::move(actions_);
    }

    void AddNotes() {
        auto& notes = compilation_.graph.notes;
        std::vector<std::string> keys;
        for (const auto& [key, location] : unused_)
            keys.push_back(fmt::format("{} ({})", key, location.ToString()));
        if (!keys.empty()) {
            notes.push_back(
                fmt::format("Kept, and without effect in this warehouse: {}.", Join(keys, ", ")));
        }
        std::vector<std::string> others;
        for (const auto& action : compilation_.graph.not_run)
            others.push_back(fmt::format("{} ({})", action.location.file, action.type));
        if (!others.empty())
            notes.push_back(fmt::format("Compiled, and not run here: {}.", Join(others, ", ")));
    }

    void Report(Draft& draft) {
        for (auto& problem : draft.problems) {
            AddError(problem.place ? *problem.place : draft.Locate(problem.offset),
                     std::move(problem.message));
        }
        for (auto& problem : draft.sql_problems) {
            const auto place = draft.sql_lines.Find(problem.offset);
            AddError(problem.place ? *problem.place
                                   : SourceLocation{draft.sql_file->path, place.line, place.column},
                     std::move(problem.message));
        }
        draft.problems.clear();
        draft.sql_problems.clear();
    }

    void AddError(const SourceLocation& location, std::string message) {
        if (message.empty()) return;
        errors_.insert({location.file, location.line, location.column, std::move(message)});
    }

    const CompileInput& input_;
    TableNames names_;
    std::unique_ptr<ScriptSession> session_;
    std::size_t taken_ = 0;  // of the actions that JavaScript has made
    std::vector<std::unique_ptr<Draft>> drafts_;
    std::vector<Action> actions_;
    std::map<std::string, const Draft*> folded_targets_;
    std::map<std::string, const Draft*> tests_;  // by name
    std::map<TableName, std::set<TableName>> assertions_on_;
    std::map<TableName, SourceLocation> locations_;
    std::map<std::string, SourceLocation> unused_;  // keys, and where the first stands
    // Sorted by place; and what is found twice, in both SQLs of an incremental model, is said once.
    std::set<std::tuple<std::string, int, int, std::string>> errors_;
    Compilation compilation_;
};

}  // namespace

Compilation CompileAll(const CompileInput& input) { return Compiler(input).Run(); }

Result<CompiledGraph> Compile(const CompileInput& input) {
    auto compilation = CompileAll(input);
    if (compilation.errors.empty()) return std::move(compilation.graph);
    std::vector<std::string> lines;
    for (const auto& error : compilation.errors)
        lines.push_back(fmt::format("{}: {}", error.location.ToString(), error.message));
    return UserError(Join(lines, "\n"));
}

}  // namespace biwa::transform
