#include "replication/history_session.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "replication/history.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

template <typename Each>
Status ForEachRow(ReadSession& session, const std::string& sql, const Each& each) {
    const auto rows = BIWA_TRY(session.Query(sql));
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return {};
        for (std::size_t row = 0; row < block->rows; ++row) each(block->columns, row);
    }
}

TableName NameIn(const std::vector<Cells>& cells, std::size_t row) {
    return {std::string(cells[0].GetString(row)), std::string(cells[1].GetString(row))};
}

// What the warehouse has.
struct Found {
    using Columns = std::vector<std::pair<std::string, std::string>>;  // names and types

    std::string catalogue;
    std::string moment;  // as SQL
    // By table, in small letters: whether there is one of the moment.
    std::map<TableName, bool> histories;
    std::set<std::string> history_datasets;
    std::map<TableName, Columns> relations;  // tables and views
    std::map<TableName, std::string> views;  // how they are made
};

// The warehouse does not tell names apart by capitals, which may have changed at the source.
TableName Folded(const TableName& name) {
    return {SmallLetters(name.dataset), SmallLetters(name.name)};
}

// nullptr where the history's view is not there.
const Found::Columns* ColumnsOfHistory(const TableName& table, const Found& found) {
    const auto view = Folded(HistoryView(table));
    for (const auto& [name, columns] : found.relations) {
        if (Folded(name) == view && columns.size() > 2) return &columns;
    }
    return nullptr;
}

Result<Found> Look(ReadSession& session, const std::string& moment) {
    Found found;
    const auto read =
        ForEachRow(session,
                   fmt::format("SELECT current_database(), 'make_timestamptz(' || epoch_us(CAST({} "
                               "AS TIMESTAMPTZ)) || ')'",
                               QuoteLiteral(moment)),
                   [&](const std::vector<Cells>& cells, std::size_t row) {
                       found.catalogue = cells[0].GetString(row);
                       if (!cells[1].IsNull(row)) found.moment = cells[1].GetString(row);
                   });
    if (!read || found.moment.empty()) {
        return UserError(fmt::format("\"{}\" is no time to look back to", moment),
                         "For example 2026-11-01, \"2026-11-01 09:30\" or "
                         "2026-11-01T09:30:00+09:00.");
    }
    BIWA_TRY(ForEachRow(
        session,
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT "
        "internal AND database_name = current_database() ORDER BY 1, 2, column_index",
        [&](const std::vector<Cells>& cells, std::size_t row) {
            found.relations[NameIn(cells, row)].emplace_back(cells[2].GetString(row),
                                                             cells[3].GetString(row));
        }));
    BIWA_TRY(ForEachRow(session,
                        "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal "
                        "AND database_name = current_database()",
                        [&](const std::vector<Cells>& cells, std::size_t row) {
                            found.views[NameIn(cells, row)] = cells[2].GetString(row);
                        }));
    if (!found.relations.contains({"_biwa", "histories"})) return found;
    BIWA_TRY(ForEachRow(
        session,
        fmt::format("SELECT dataset, table_name, max((began_at <= {0} AND (ended_at IS NULL OR "
                    "ended_at > {0}))::INTEGER) FROM _biwa.histories GROUP BY ALL",
                    found.moment),
        [&](const std::vector<Cells>& cells, std::size_t row) {
            const auto table = NameIn(cells, row);
            found.histories[Folded(table)] |= cells[2].Get<std::int32_t>(row) != 0;
            found.history_datasets.insert(ChangesTable(table).dataset);
            found.history_datasets.insert(HistoryView(table).dataset);
        }));
    return found;
}

// The rows of the moment, from the view whose last two columns say for how long each was so.
std::string AsOf(const TableName& table, const Found::Columns& view, const Found& found) {
    const auto columns = view.size() - 2;
    std::string names;
    for (std::size_t i = 0; i < columns; ++i) {
        names += (i == 0 ? "" : ", ") + QuoteIdentifier(view[i].first);
    }
    return fmt::format(
        "CREATE VIEW {} AS SELECT {} FROM {}.{} WHERE {} <= {} AND ({} IS NULL OR {} > {})",
        table.ToSql(), names, QuoteIdentifier(found.catalogue), HistoryView(table).ToSql(),
        QuoteIdentifier(view[columns].first), found.moment,
        QuoteIdentifier(view[columns + 1].first), QuoteIdentifier(view[columns + 1].first),
        found.moment);
}

// Fails however little of it is read.
std::string Refusal(const TableName& table, const Found& found, const std::string& why) {
    const auto fails = fmt::format("error({})", QuoteLiteral(table.ToString() + " " + why));
    std::string values;
    for (const auto& [name, type] : found.relations.at(table)) {
        values += fmt::format("{}{}::{} AS {}", values.empty() ? "" : ", ", fails, type,
                              QuoteIdentifier(name));
    }
    return fmt::format("CREATE VIEW {} AS SELECT {} FROM (VALUES (1)) WHERE {}", table.ToSql(),
                       values, fails);
}

std::string StandIn(const TableName& name, const Found& found, const std::string& moment) {
    if (const auto view = found.views.find(name); view != found.views.end()) {
        // One that names the warehouse's catalogue would read what is there today.
        const bool names_it =
            view->second.find(found.catalogue + ".") != std::string::npos ||
            view->second.find(QuoteIdentifier(found.catalogue) + ".") != std::string::npos;
        if (!names_it) return view->second;
        return Refusal(name, found, "names the warehouse itself: it cannot be read as of a moment");
    }
    const auto history = found.histories.find(Folded(name));
    const auto* const columns = ColumnsOfHistory(name, found);
    if (history == found.histories.end() || columns == nullptr) {
        return Refusal(name, found,
                       "has no history: a stream with mode: history keeps one of its tables, and "
                       "a model that is a view is made of those");
    }
    if (history->second) return AsOf(name, *columns, found);
    return Refusal(
        name, found,
        fmt::format("has no history of {}: _biwa.histories says of what times there is", moment));
}

}  // namespace

Result<std::unique_ptr<ReadSession>> OpenSessionAsOf(Warehouse& warehouse,
                                                     const std::string& moment) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const auto found = BIWA_TRY(Look(*session, moment));
    std::vector<std::string> datasets, views;
    for (const auto& [name, columns] : found.relations) {
        if (name.dataset == "_biwa" || found.history_datasets.contains(name.dataset) ||
            IsBesideTable(name.name)) {
            continue;
        }
        datasets.push_back(name.dataset);
        views.push_back(StandIn(name, found, moment));
    }
    return warehouse.OpenSessionOn(datasets, std::move(views));
}

}  // namespace biwa
