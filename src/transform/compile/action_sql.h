// Makes an action's SQL out of its draft, whatever the draft was read from.
#pragma once

#include "transform/compile/draft.h"
#include "transform/compile/renderer.h"
#include "transform/compile/table_names.h"

namespace biwa::transform {

// What SQL is made with. The references must outlive what is made.
struct SqlSources {
    const ModelsConfig& settings;
    const TableNames& names;
    ScriptSession* session;  // null where the project has no JavaScript
};

// The action of a draft, as its own SQL sees it.
Renderer::Subject SubjectOf(const Draft& draft);

// Fills the action's statements and the draft's references; what is wrong goes to the draft's
// problems.
void MakeSql(Draft& draft, Action& action, const SqlSources& sources);

// The texts of a part ("query", "preOps" …) of an action that JavaScript made; each of its lines
// comes from the place `offset` of the draft's file.
std::vector<SqlText> MakeScriptSql(const MadeAction& made, std::string_view part, bool incremental,
                                   const Draft& draft, ScriptSession& session, Renderer& renderer,
                                   std::vector<Problem>& problems);

}  // namespace biwa::transform
