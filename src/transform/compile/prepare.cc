#include "transform/compile/prepare.h"

#include <fmt/format.h>

#include "base/text.h"

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

// The query gives versions. One that begins where that before it ends, and has the same values, is
// no other version: something has changed that the model does not have, or a span of the stream's
// history ended there and the next began.
SqlText Merged(const SqlText& query, const std::vector<std::string>& unique_key) {
    std::vector<std::string> columns;
    for (const auto& column : unique_key) columns.push_back(QuoteIdentifier(column));
    const auto key = Join(columns, ", ");
    const auto values = fmt::format("row(*COLUMNS(* EXCLUDE ({}, {})))", kValidFrom, kValidTo);
    const auto before = fmt::format("OVER (PARTITION BY {} ORDER BY {})", key, kValidFrom);
    SqlText merged{
        fmt::format(
            "SELECT * EXCLUDE (\"biwa begins\", \"biwa version\") REPLACE (last_value({to}) OVER "
            "(PARTITION BY {key}, \"biwa version\" ORDER BY {from} ROWS BETWEEN UNBOUNDED "
            "PRECEDING "
            "AND UNBOUNDED FOLLOWING) AS {to}) FROM (SELECT *, sum(\"biwa begins\"::INTEGER) "
            "{before} AS \"biwa version\" FROM (SELECT *, (lag({to}) {before} = {from} AND "
            "lag({values}) {before} IS NOT DISTINCT FROM {values}) IS NOT TRUE AS \"biwa begins\" "
            "FROM (\n",
            fmt::arg("to", kValidTo), fmt::arg("from", kValidFrom), fmt::arg("key", key),
            fmt::arg("before", before), fmt::arg("values", values)),
        {0}};
    Append(merged, query);
    merged.sql += "\n))) QUALIFY \"biwa begins\"";
    merged.lines.push_back(0);
    return merged;
}

}  // namespace

CompiledGraph PrepareForEngine(CompiledGraph graph) {
    for (auto& action : graph.actions) {
        if (action.history && !action.RecordsHistory())
            action.full.query = Merged(action.full.query, action.unique_key);
        if (!action.incremental_where) continue;
        action.incremental.query = Filtered(action.incremental.query, *action.incremental_where);
        action.incremental_where.reset();
    }
    return graph;
}

}  // namespace biwa::transform
