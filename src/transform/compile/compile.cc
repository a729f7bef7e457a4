#include "transform/compile/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "base/text.h"
#include "transform/compile/action_sql.h"
#include "transform/compile/assertions.h"
#include "transform/compile/draft_reader.h"
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

// The warehouse does not tell A from a in names.
std::string Folded(const TableName& name) { return SmallLetters(name.ToString()); }

class Compiler {
  public:
    explicit Compiler(const CompileInput& input)
        : input_(input),
          reader_(input),
          names_(input.tables, input.stream_datasets, input.settings) {}

    Compilation Run() {
        drafts_ = reader_.Read();
        for (const auto& error : reader_.errors()) AddError(error.location, error.message);
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
        draft.canonical.dataset =
            config.dataset.empty() ? UsualDataset(config.type) : config.dataset;
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

    const std::string& UsualDataset(DefinitionType type) const {
        return type == DefinitionType::kAssertion ? input_.settings.assertion_dataset
                                                  : input_.settings.default_dataset;
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
        for (const auto& statement : draft.sqlx.statements) {
            if (!HasSql(statement)) continue;
            draft.problems.push_back(
                {statement[0].source.offset, "a declaration only names a table: it has no SQL"});
            break;
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
        action.location = draft.location();
        action.tags = config.tags;
        action.disabled = config.disabled;
        action.project = config.bigquery.project;
        Renderer renderer(SubjectOf(draft), *draft.sql_lines, input_.settings, names_,
                          draft.sql_problems);
        if (draft.script) renderer.UseScript(&*draft.script);
        for (const auto& text : renderer.Render(draft.sqlx.statements, false))
            action.content += text.sql;
        draft.references = renderer.references();
        draft.action_place = compilation_.graph.not_run.size();
        compilation_.graph.not_run.push_back(std::move(action));
    }

    void MakeActions(Draft& draft) {
        const auto& config = draft.config;
        Action action;
        action.target = draft.target;
        action.canonical = draft.canonical;
        action.origin_dataset = draft.canonical.dataset;
        action.origin_project = config.bigquery.project;
        if (draft.made != nullptr) {
            const auto& [dataset, project] = draft.origin;
            action.origin_dataset = dataset.empty() ? UsualDataset(config.type) : dataset;
            action.origin_project = project;
        }
        action.type = *ActionTypeOf(config.type);
        action.location = draft.location();
        action.description = config.description;
        action.tags = config.tags;
        action.columns = config.columns;
        action.disabled = config.disabled || (config.type == DefinitionType::kAssertion &&
                                              input_.settings.disable_assertions);
        action.unique_key = config.unique_key;
        action.incremental_options = config.incremental;
        action.refresh = config.refresh;
        action.intervals = config.intervals;
        action.history = config.history;
        action.has_contract = config.has_contract;
        action.freshness = config.freshness;
        action.severity = config.severity;
        action.has_output = config.has_output;
        action.bigquery = config.bigquery;
        MakeSql(draft, action, sources());
        CheckHistory(draft, action);
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

    // Versions whose rows the query leaves out are closed: it must not leave out what is still so.
    static void CheckHistory(Draft& draft, const Action& action) {
        if (!action.RecordsHistory() || action.history->keeps_vanished) return;
        if (!action.incremental_where && action.incremental.query.sql == action.full.query.sql)
            return;
        draft.problems.push_back(
            {draft.config.offset,
             "the query gives other rows when incremental() is true, and the versions of those "
             "that "
             "it leaves out would be closed: say history: { vanished: \"keep\" }, or let it give "
             "all rows each time"});
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
        compilation_.graph.tests.push_back(MakeUnitTest(draft, *model->second, sources()));
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
        for (auto& problem : draft.problems)
            AddError(problem.place ? *problem.place : draft.Locate(problem.offset),
                     std::move(problem.message));
        for (auto& problem : draft.sql_problems) {
            const auto place = draft.sql_lines->Find(problem.offset);
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

    SqlSources sources() { return {input_.settings, names_, reader_.session()}; }

    const CompileInput& input_;
    DraftReader reader_;
    TableNames names_;
    std::vector<std::unique_ptr<Draft>> drafts_;
    std::vector<Action> actions_;
    std::map<std::string, Draft*> folded_targets_;
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
