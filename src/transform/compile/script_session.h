// The JavaScript of one compilation: one engine, with the project's includes as its globals, in
// which definitions/**.js run one after another. What they make is plain data afterwards: configs
// become Expressions, SQL becomes text.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "script/engine.h"
#include "script/modules.h"
#include "transform/compile/compile.h"
#include "transform/compile/expression.h"
#include "transform/compile/problem.h"
#include "transform/compile/renderer.h"

namespace biwa::transform {

// An action that JavaScript made with publish(), operate(), assert(), declare() or test().
struct MadeAction {
    bool is_test = false;
    SourceLocation location;
    script::Value state;
};

// Of a test that JavaScript made: rows in place of a table.
struct MadeInput {
    Expression table;
    MadeAction rows;  // with the "query"
};

class ScriptSession {
  public:
    // Runs the includes. The input must outlive the session.
    explicit ScriptSession(const CompileInput& input);

    // What is wrong with the includes; each has its place.
    std::vector<Problem> TakeProblems() { return std::move(problems_); }

    // Runs a file of definitions; what it makes comes behind what is in `made`.
    Parsed<void> RunFile(const DefinitionFile& file);
    const std::deque<MadeAction>& made() const { return made_; }  // they stay where they are

    // The config that an action has now. Places are `offset`: where it was made.
    Parsed<Expression> ReadConfig(const MadeAction& action, std::size_t offset);
    // The dataset and project that it was made with, before schema() and the like moved it.
    std::pair<std::string, std::string> ReadOrigin(const MadeAction& action);
    // What "query", "where", "preOps" or "postOps" come to: one text each. Nothing for what is not
    // there.
    Parsed<std::vector<std::string>> MakeSql(const MadeAction& action, std::string_view part,
                                             bool incremental, std::size_t offset,
                                             Renderer& renderer);

    Parsed<std::vector<MadeInput>> ReadInputs(const MadeAction& test, std::size_t offset);

    // Below: for JavaScript within .sqlx files (scripted_sqlx.h).

    // Problems of JavaScript stand at the place that the trace tells, else at `offset` of `file`.
    // One without a message is no problem of its own: the time was up before.
    Problem ToProblem(const script::Failure& failure, std::size_t offset, const std::string& file);
    // Literals all the way down, at the place `offset`.
    Parsed<Expression> ToExpression(const script::Value& value, std::size_t offset,
                                    const std::string& file);
    // Calls a function with what its SQL is made in: self(), ref() and so on.
    script::Outcome<script::Value> CallWithContext(const script::Value& function, bool incremental,
                                                   Renderer& renderer);
    // What stands in SQL for `${value}`.
    script::Outcome<std::string> ToSql(const script::Value& value);
    script::Outcome<script::Value> CallIn(Renderer& renderer, const script::Value& function,
                                          std::span<const script::Value> arguments);
    // `require`, as it is in a file of definitions.
    script::Value RequireOf(const std::string& file) { return modules_.RequireOf(file); }
    script::Engine& engine() { return engine_; }

  private:
    script::Outcome<void> Start();
    void RunIncludes();
    script::Value MakeNative();
    script::Value MakeProjectConfig();
    std::optional<std::string> Read(const std::string& path) const;
    script::Outcome<script::Value> Table(std::span<const script::Value> arguments);
    script::Outcome<void> Convert(const script::Value& value, int depth, Expression& expression);
    script::Outcome<void> Count(std::size_t bytes);
    std::string MeantHint(std::string_view message) const;
    SourceLocation Locate(const std::vector<script::Place>& trace) const;

    const CompileInput& input_;
    script::Engine engine_;
    script::Modules modules_;
    script::Value apply_;
    script::Value context_maker_;
    std::deque<MadeAction> made_;
    std::vector<Problem> problems_;
    std::string running_file_;
    bool time_was_told_ = false;
    Renderer* renderer_ = nullptr;  // of the SQL that is being made
    std::size_t taken_bytes_ = 0;   // out of the engine, where its limit does not count them
};

}  // namespace biwa::transform
