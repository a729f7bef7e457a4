#include "transform/compile/unit_tests.h"

#include <fmt/format.h>

#include "transform/compile/config_reader.h"

namespace biwa::transform {

namespace {

class TestMaker {
  public:
    TestMaker(Draft& test, Draft& model, const SqlSources& sources)
        : test_(test),
          model_(model),
          sources_(sources),
          rows_(RowsSubject(test), *test.lines, sources.settings, sources.names, test.problems) {
        if (test.script) rows_.UseScript(&*test.script);
    }

    UnitTest Make() {
        unit_.name = test_.canonical.name;
        unit_.model = model_.target;
        unit_.location = test_.Locate(test_.config.offset);
        unit_.tags = test_.config.tags;
        if (test_.made != nullptr) {
            ReadMade();
        } else {
            unit_.expected =
                Rows(test_.sqlx.statements, test_.file.text.size(), "a test without expected rows");
            for (const auto& input : test_.sqlx.inputs) {
                AddInput(ReferenceOf(input), Rows(input.statements, input.offset, "an input"));
            }
        }
        PutInputsIntoModel();
        return std::move(unit_);
    }

  private:
    static Renderer::Subject RowsSubject(const Draft& test) {
        Renderer::Subject subject;
        subject.target = test.target;
        subject.refers = false;
        return subject;
    }

    static TableReference ReferenceOf(const SqlxInput& input) {
        TableReference reference;
        reference.offset = input.offset;
        const auto& names = input.names;
        reference.name = names.back().text;
        if (names.size() > 1) reference.dataset = names[names.size() - 2].text;
        if (names.size() > 2) reference.project = names[names.size() - 3].text;
        return reference;
    }

    // The one statement of a block that gives rows.
    SqlText Rows(const std::vector<SqlStatement>& statements, std::size_t offset,
                 std::string_view what) {
        if (statements.empty()) {
            Wrong(offset, fmt::format("{} has no SQL", what));
            return {};
        }
        if (statements.size() > 1) {
            Wrong(statements[1][0].source.offset,
                  fmt::format("{} holds one SQL statement, and this begins a second", what));
        }
        return rows_.Render(statements.front(), false);
    }

    // The same of what JavaScript made.
    SqlText MadeRows(const MadeAction& made, std::string_view what) {
        auto texts =
            MakeScriptSql(made, "query", false, test_, *sources_.session, rows_, test_.problems);
        if (texts.size() == 1) return std::move(texts.front());
        if (test_.problems.empty())
            Wrong(test_.config.offset,
                  fmt::format("{} has no SQL, or more than a statement", what));
        return {};
    }

    void ReadMade() {
        const auto offset = test_.config.offset;
        unit_.expected = MadeRows(*test_.made, "a test's expect()");
        const auto inputs = sources_.session->ReadInputs(*test_.made, offset);
        if (!inputs) return test_.problems.push_back(inputs.error());
        ConfigReader reader(sources_.settings, test_.problems);
        for (const auto& input : *inputs) {
            auto table = reader.Table(input.table);
            auto rows = MadeRows(input.rows, "an input()");
            if (table) AddInput(*table, std::move(rows));
        }
    }

    void AddInput(const TableReference& reference, SqlText rows) {
        const auto table = sources_.names.FindTable(reference);
        if (!table) return test_.problems.push_back(table.error());
        unit_.is_incremental |=
            *table == model_.target && model_.config.type == DefinitionType::kIncremental;
        inputs_[*table] = rows.sql;
        unit_.inputs.push_back({*table, std::move(rows)});
    }

    void PutInputsIntoModel() {
        auto subject = SubjectOf(model_);
        subject.inputs = &inputs_;
        std::vector<Problem> problems;  // of the model, of which they are said as well
        Renderer renderer(subject, *model_.sql_lines, sources_.settings, sources_.names, problems);
        if (model_.made != nullptr) {
            auto texts = MakeScriptSql(*model_.made, "query", unit_.is_incremental, model_,
                                       *sources_.session, renderer, problems);
            if (!texts.empty()) unit_.query = std::move(texts.front());
        } else if (!model_.sqlx.statements.empty()) {
            if (model_.script) {
                model_.script->Forget();
                renderer.UseScript(&*model_.script);
            }
            unit_.query = renderer.Render(model_.sqlx.statements.front(), unit_.is_incremental);
            if (model_.script) model_.script->Forget();
        }
        // JavaScript calls self() in the branch of a when() that is not taken, too.
        const bool is_eager = model_.made != nullptr || model_.script.has_value();
        for (const auto& table : renderer.missing_inputs()) {
            if (is_eager && !unit_.is_incremental && table == model_.target) continue;
            Wrong(test_.config.offset, fmt::format("the test has no input for {}, which {} reads",
                                                   table.ToString(), model_.target.ToString()));
        }
    }

    void Wrong(std::size_t offset, std::string message) {
        test_.problems.push_back({offset, std::move(message)});
    }

    Draft& test_;
    Draft& model_;
    const SqlSources& sources_;
    Renderer rows_;
    Renderer::Inputs inputs_;
    UnitTest unit_;
};

}  // namespace

UnitTest MakeUnitTest(Draft& test, Draft& model, const SqlSources& sources) {
    return TestMaker(test, model, sources).Make();
}

}  // namespace biwa::transform
