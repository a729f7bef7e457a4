#include "transform/compile/action_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace biwa::transform {

namespace {

constexpr std::string_view kSemicolon = "there must be no \";\" at the end of the SQL";

bool IsModel(DefinitionType type) {
    return type == DefinitionType::kTable || type == DefinitionType::kView ||
           type == DefinitionType::kIncremental;
}

// Of a file of SQL with blocks.
class FileSql {
  public:
    FileSql(Draft& draft, const SqlSources& sources)
        : draft_(draft),
          renderer_(SubjectOf(draft), *draft.sql_lines, sources.settings, sources.names,
                    draft.sql_problems) {
        if (draft.script) renderer_.UseScript(&*draft.script);
    }

    void Make(Action& action) {
        const auto& sqlx = draft_.sqlx;
        if (action.type == ActionType::kOperations) {
            action.operations = renderer_.Render(sqlx.statements, false);
        } else if (sqlx.statements.size() > 1) {
            draft_.sql_problems.push_back(
                {sqlx.statements[1][0].source.offset,
                 fmt::format("type {} has one SQL statement, and this begins a second; only "
                             "operations have more",
                             ToString(action.type))});
        } else {
            action.full = Build(false);
            if (action.type == ActionType::kIncremental) action.incremental = Build(true);
            if (action.type == ActionType::kIncremental && !sqlx.incremental_where.empty())
                action.incremental_where = renderer_.Render(sqlx.incremental_where.front(), false);
        }
        if (sqlx.statements.empty())
            draft_.sql_problems.push_back({draft_.sql_file->text.size(), "this file has no SQL"});
        draft_.references = renderer_.references();
    }

  private:
    BuildSql Build(bool incremental) {
        BuildSql build;
        build.pre_operations =
            Operations(draft_.config.pre_operations, draft_.sqlx.pre_operations, incremental);
        if (!draft_.sqlx.statements.empty()) {
            const auto& statement = draft_.sqlx.statements.front();
            build.query = renderer_.Render(statement, incremental);
            if (build.query.sql.ends_with(';')) {
                const auto& last = statement.back().source;
                draft_.sql_problems.push_back(
                    {last.offset + std::min(last.text.rfind(';'), last.text.size()),
                     std::string(kSemicolon)});
            }
        }
        build.post_operations =
            Operations(draft_.config.post_operations, draft_.sqlx.post_operations, incremental);
        return build;
    }

    std::vector<SqlText> Operations(const std::vector<std::string>& of_config,
                                    const std::vector<SqlStatement>& of_blocks, bool incremental) {
        std::vector<SqlText> texts;
        const auto line = draft_.location().line;
        for (const auto& sql : of_config) texts.push_back(SqlText::OfLine(sql, line));
        auto rendered = renderer_.Render(of_blocks, incremental);
        std::move(rendered.begin(), rendered.end(), std::back_inserter(texts));
        return texts;
    }

    Draft& draft_;
    Renderer renderer_;
};

// Of an action that JavaScript made.
class MadeSql {
  public:
    MadeSql(Draft& draft, const SqlSources& sources)
        : draft_(draft),
          session_(*sources.session),
          renderer_(SubjectOf(draft), *draft.lines, sources.settings, sources.names,
                    draft.problems) {}

    void Make(Action& action) {
        target_ = action.target;
        if (action.type == ActionType::kOperations) {
            action.operations = Part("query", false);
            if (action.operations.empty() && draft_.problems.empty())
                Wrong(fmt::format("{} has no SQL: give it queries()", target_.ToString()));
        } else {
            action.full = Build(action.type, false);
            if (action.type == ActionType::kIncremental)
                action.incremental = Build(action.type, true);
            if (auto where = Part("where", false); !where.empty()) {
                if (action.type != ActionType::kIncremental)
                    Wrong("incremental_where is for type incremental: where() has no meaning here");
                action.incremental_where = std::move(where.front());
            }
        }
        draft_.references = renderer_.references();
    }

  private:
    BuildSql Build(ActionType type, bool incremental) {
        BuildSql sql;
        const auto problems_before = draft_.problems.size();
        auto queries = Part("query", incremental);
        if (queries.empty() && draft_.problems.size() == problems_before)
            Wrong(fmt::format("{} has no SQL: give it a query()", target_.ToString()));
        if (queries.size() > 1) Wrong("there is one SQL statement in a query()");
        if (!queries.empty()) sql.query = std::move(queries.front());
        if (sql.query.sql.ends_with(';')) Wrong(std::string(kSemicolon));
        sql.pre_operations = Part("preOps", incremental);
        sql.post_operations = Part("postOps", incremental);
        const bool has_operations = !sql.pre_operations.empty() || !sql.post_operations.empty();
        if (has_operations && type == ActionType::kAssertion)
            Wrong("preOps() and postOps() are for tables and views, not for assertions");
        return sql;
    }

    std::vector<SqlText> Part(std::string_view part, bool incremental) {
        return MakeScriptSql(*draft_.made, part, incremental, draft_, session_, renderer_,
                             draft_.problems);
    }

    void Wrong(std::string message) {
        draft_.problems.push_back({draft_.config.offset, std::move(message)});
    }

    Draft& draft_;
    ScriptSession& session_;
    Renderer renderer_;
    TableName target_;
};

}  // namespace

Renderer::Subject SubjectOf(const Draft& draft) {
    Renderer::Subject subject;
    subject.target = draft.target;
    subject.project = draft.config.bigquery.project;
    subject.makes_table = IsModel(draft.config.type) || draft.config.has_output;
    return subject;
}

void MakeSql(Draft& draft, Action& action, const SqlSources& sources) {
    if (draft.made != nullptr) {
        MadeSql(draft, sources).Make(action);
    } else {
        FileSql(draft, sources).Make(action);
    }
}

std::vector<SqlText> MakeScriptSql(const MadeAction& made, std::string_view part, bool incremental,
                                   const Draft& draft, ScriptSession& session, Renderer& renderer,
                                   std::vector<Problem>& problems) {
    std::vector<SqlText> statements;
    const auto offset = draft.config.offset;
    const auto line = draft.Locate(offset).line;
    auto texts = session.MakeSql(made, part, incremental, offset, renderer);
    if (!texts) {
        problems.push_back(std::move(texts).error());
        return statements;
    }
    for (const auto& text : *texts) statements.push_back(SqlText::OfLine(text, line));
    return statements;
}

}  // namespace biwa::transform
