#include "transform/compile/prepare.h"

#include <fmt/format.h>

namespace biwa::transform {

namespace {

void Append(SqlText& to, const SqlText& text) {
    to.sql += text.sql;
    to.lines.insert(to.lines.end(), text.lines.begin(), text.lines.end());
}

// Line ends around the texts keep a comment at their end to itself, and their lines their own.
SqlText Filtered(const SqlText& query, const SqlText& where) {
    SqlText filtered{"SELECT * FROM (\n", {0}};
    Append(filtered, query);
    filtered.sql += "\n) AS insertions WHERE (\n";
    filtered.lines.push_back(0);
    Append(filtered, where);
    filtered.sql += "\n)";
    filtered.lines.push_back(0);
    return filtered;
}

}  // namespace

CompiledGraph PrepareForEngine(CompiledGraph graph) {
    for (auto& action : graph.actions) {
        if (!action.incremental_where) continue;
        action.incremental.query = Filtered(action.incremental.query, *action.incremental_where);
        action.incremental_where.reset();
    }
    return graph;
}

}  // namespace biwa::transform
