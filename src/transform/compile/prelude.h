// Dataform's functions in JavaScript: publish(), operate(), assert(), declare(), test(), and the
// contexts that SQL is made in. They gather what the project says; what it comes to is native.
#pragma once

#include <string_view>

namespace biwa::transform {

// The name of its file in stack traces.
inline constexpr std::string_view kPreludeFile = "<biwa>";

// A function of (native, projectConfig) that makes the globals and returns what is called from
// here:
//     apply(contextable, state, incremental)   what a contextable comes to
//     context(incremental)                     what the SQL of a .sqlx file is made with
// native:
//     made(kind, state, stack)                 an "action" or "test" was made, and there
//     table(depends, name, schema, database, includeDependentAssertions)   its SQL
//     self(), name(), schema(), database()     of the action whose SQL is made
//     contents(path, stack)                    of a file beside the one that asks
// state: config, query, where, preOps[], postOps[]; of a test: config, query, inputs[{table,
// query}]
std::string_view Prelude();

}  // namespace biwa::transform
