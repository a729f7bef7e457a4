#include "transform/compile/unit_tests.h"

#include <fmt/format.h>

#include "transform/compile/renderer.h"

namespace biwa::transform {

namespace {

// The one statement of a block that gives rows.
SqlText RenderRows(Draft& test, const std::vector<SqlStatement>& statements, std::size_t offset,
                   std::string_view what, Renderer& renderer) {
    if (statements.empty()) {
        test.problems.push_back({offset, fmt::format("{} has no SQL", what)});
        return {};
    }
    if (statements.size() > 1) {
        test.problems.push_back(
            {statements[1][0].source.offset,
             fmt::format("{} holds one SQL statement, and this begins a second", what)});
    }
    return renderer.Render(statements.front(), false);
}

TableReference ReferenceOf(const SqlxInput& input) {
    TableReference reference;
    reference.offset = input.offset;
    const auto& names = input.names;
    reference.name = names.back().text;
    if (names.size() > 1) reference.dataset = names[names.size() - 2].text;
    if (names.size() > 2) reference.project = names[names.size() - 3].text;
    return reference;
}

}  // namespace

UnitTest MakeUnitTest(Draft& test, const Draft& model, const ModelsConfig& settings,
                      const TableNames& names) {
    UnitTest unit;
    unit.name = test.canonical.name;
    unit.model = model.target;
    unit.location = test.Locate(test.config.offset);
    unit.tags = test.config.tags;

    Renderer::Subject rows_of_test;
    rows_of_test.target = test.target;
    rows_of_test.refers = false;
    Renderer rows(rows_of_test, test.lines, settings, names, test.problems);
    rows.UseScript(test.script.get());
    unit.expected = RenderRows(test, test.sqlx.statements, test.file.text.size(),
                               "a test without expected rows", rows);
    Renderer::Inputs inputs;
    for (const auto& input : test.sqlx.inputs) {
        const auto table = names.FindTable(ReferenceOf(input));
        auto query = RenderRows(test, input.statements, input.offset, "an input", rows);
        if (!table) {
            test.problems.push_back(table.error());
            continue;
        }
        unit.is_incremental |=
            *table == model.target && model.config.type == DefinitionType::kIncremental;
        inputs[*table] = query.sql;
        unit.inputs.push_back({*table, std::move(query)});
    }
    if (model.made != nullptr) {
        test.problems.push_back(
            {test.config.offset, "models that JavaScript makes cannot be tested yet"});
    }
    if (model.sqlx.statements.empty()) return unit;

    Renderer::Subject tested;
    tested.target = model.target;
    tested.project = model.config.bigquery.project;
    tested.makes_table = true;
    tested.inputs = &inputs;
    std::vector<Problem> problems;  // of the model, of which they are said as well
    Renderer renderer(tested, model.sql_lines, settings, names, problems);
    renderer.UseScript(model.script.get());
    unit.query = renderer.Render(model.sqlx.statements.front(), unit.is_incremental);
    for (const auto& table : renderer.missing_inputs()) {
        test.problems.push_back(
            {test.config.offset, fmt::format("the test has no input for {}, which {} reads",
                                             table.ToString(), model.target.ToString())});
    }
    return unit;
}

}  // namespace biwa::transform
