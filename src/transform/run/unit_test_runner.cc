#include "transform/run/unit_test_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/text.h"
#include "transform/run/builder.h"
#include "transform/run/engine_error.h"
#include "transform/run/model_history.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

const DiffWords kWords{"missing", "unexpected", "expected", "got"};

// The test's own SQL stands in the test's file.
tl::unexpected<Error> InTest(Error error, const UnitTest& test, const SqlText& sql) {
    Action place;
    place.location = test.location;
    return tl::unexpected(InFile(std::move(error), place, sql, 1));
}

std::string MissingInputs(const Action& model, const UnitTest& test) {
    std::vector<std::string> missing;
    for (const auto& needed : model.dependencies) {
        const bool is_given = std::any_of(test.inputs.begin(), test.inputs.end(),
                                          [&](const auto& input) { return input.table == needed; });
        if (!is_given) missing.push_back(needed.ToString());
    }
    return missing.empty()
               ? ""
               : fmt::format("The test gives no rows for {}: input \"{}\" {{ SELECT … }}",
                             Join(missing, ", "), missing.front());
}

Status CreateTables(Warehouse& warehouse, const UnitTest& test) {
    const auto transaction = BIWA_TRY(warehouse.BeginBeside());
    std::set<std::string> datasets;
    for (const auto& input : test.inputs) {
        if (datasets.insert(SmallLetters(input.table.dataset)).second) {
            BIWA_TRY(transaction->Execute("CREATE SCHEMA IF NOT EXISTS " +
                                          QuoteIdentifier(input.table.dataset)));
        }
        auto made = transaction->Execute(
            fmt::format("CREATE TABLE {} AS\n{}", input.table.ToSql(), input.query.sql));
        if (!made) return InTest(std::move(made).error(), test, input.query);
    }
    return transaction->Commit();
}

// A test writes 7 where the model's column is a BIGINT: what is there already has the types that
// the model gives it. Where the model cannot be bound, its build says why.
Status GiveModelItsTypes(Warehouse& warehouse, const Action& model, const UnitTest& test) {
    const auto own = std::find_if(test.inputs.begin(), test.inputs.end(),
                                  [&](const auto& input) { return input.table == model.target; });
    if (own == test.inputs.end() || model.type != ActionType::kIncremental) return {};
    const auto transaction = BIWA_TRY(warehouse.BeginBeside());
    const auto wanted = DescribeColumns(*transaction, "(" + TableSql(model) + "\n)");
    if (!wanted) return {};
    for (const auto& given : BIWA_TRY(DescribeColumns(*transaction, model.target.ToSql()))) {
        const auto same =
            std::find_if(wanted->begin(), wanted->end(), [&](const TableColumn& column) {
                return SmallLetters(column.name) == SmallLetters(given.name);
            });
        if (same == wanted->end() || same->type == given.type) continue;
        auto cast = transaction->Execute(fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {}",
                                                     model.target.ToSql(),
                                                     QuoteIdentifier(given.name), same->type));
        if (!cast) return InTest(std::move(cast).error(), test, own->query);
    }
    return transaction->Commit();
}

// A version begins and ends when the run does, where nothing else tells: a test that cannot know
// leaves valid_from or valid_to out of its rows, and it is not compared.
Result<std::string> WithoutUnnamedInstants(WriteTransaction& transaction, const std::string& got) {
    const auto expected = BIWA_TRY(DescribeColumns(transaction, "biwa_expected"));
    std::vector<std::string> unnamed;
    for (const auto name : {kValidFrom, kValidTo}) {
        const bool is_named = std::any_of(
            expected.begin(), expected.end(),
            [&](const TableColumn& column) { return SmallLetters(column.name) == name; });
        if (!is_named) unnamed.emplace_back(name);
    }
    if (unnamed.empty()) return got;
    BIWA_TRY(
        transaction.Execute(fmt::format("CREATE TEMP VIEW biwa_got AS SELECT * EXCLUDE ({}) "
                                        "FROM {}",
                                        Join(unnamed, ", "), got)));
    return std::string("biwa_got");
}

Result<TableDiff> Perform(Warehouse& warehouse, const Action& model, const UnitTest& test,
                          const Clock& clock) {
    BIWA_TRY(CreateTables(warehouse, test));
    BIWA_TRY(GiveModelItsTypes(warehouse, model, test));
    CompiledGraph alone;
    alone.actions.push_back(model);
    alone.actions[0].disabled = false;
    BIWA_TRY(PrepareDatasets(warehouse, alone));
    const auto bench = BIWA_TRY(warehouse.OpenWorkbench());
    Cancellation cancellation({});
    if (model.type != ActionType::kAssertion) {
        auto built = Build({warehouse, clock, "test"}, *bench, alone.actions[0], cancellation);
        if (!built) {
            auto error = std::move(built).error();
            if (error.hint.empty()) error.hint = MissingInputs(model, test);
            return tl::unexpected(std::move(error));
        }
    }
    const auto transaction = BIWA_TRY(bench->Begin());
    auto expected = transaction->Execute(
        fmt::format("CREATE TEMP TABLE biwa_expected AS\n{}", test.expected.sql));
    if (!expected) return InTest(std::move(expected).error(), test, test.expected);
    auto got = model.target.ToSql();
    if (model.type == ActionType::kAssertion) {
        got = "biwa_found";
        auto found =
            transaction->Execute("CREATE TEMP TABLE biwa_found AS\n" + model.full.query.sql);
        if (!found)
            return tl::unexpected(InFile(std::move(found).error(), model, model.full.query, 1));
    }
    if (model.history) got = BIWA_TRY(WithoutUnnamedInstants(*transaction, got));
    return CompareTables(*transaction, "biwa_expected", got, model.unique_key, kWords);
}

}  // namespace

UnitTestResult RunUnitTest(const OpenEmptyWarehouse& open, const CompiledGraph& graph,
                           const UnitTest& test, const Clock& clock) {
    UnitTestResult result;
    result.name = test.name;
    result.model = test.model;
    result.location = test.location;
    const auto began = std::chrono::steady_clock::now();
    const auto diff = [&]() -> Result<TableDiff> {
        const auto* model = graph.Find(test.model);
        if (model == nullptr) {
            return UserError(fmt::format("{}: there is no model {}", test.location.ToString(),
                                         test.model.ToString()));
        }
        const auto warehouse = BIWA_TRY(open());
        return Perform(*warehouse, *model, test, clock);
    }();
    if (diff) {
        result.diff = *diff;
    } else {
        result.error = diff.error();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    result.seconds = took.count();
    return result;
}

}  // namespace biwa::transform
