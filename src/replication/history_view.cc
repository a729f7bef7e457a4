#include "replication/history_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "replication/row_sql.h"

namespace biwa {

namespace {

std::string OfTable(const HistoryTable& table) {
    return fmt::format("stream = {} AND source_schema = {} AND source_table = {}",
                       QuoteLiteral(table.stream), QuoteLiteral(table.schema),
                       QuoteLiteral(table.name));
}

// A source's column may be called so.
std::string BoundName(const char* usual, const std::vector<Column>& columns) {
    std::string name = usual;
    while (std::any_of(columns.begin(), columns.end(),
                       [&](const Column& column) { return SmallLetters(column.name) == name; })) {
        name = "_" + name;
    }
    return name;
}

std::string KeyLiteral(const HistoryKey& key) {
    std::string list;
    for (const auto& column : key.columns)
        list += (list.empty() ? "" : ", ") + QuoteLiteral(column);
    return fmt::format("[{}]::VARCHAR[]", list);
}

// The changes of the spans with this key, each with the end of its span.
std::string ChangesOf(const HistoryTable& table, const HistoryKey& key) {
    return fmt::format(
        "{} AS c JOIN (SELECT epoch, ended_at FROM _biwa.histories WHERE {} AND key = {} AND "
        "key_repeats = {}) AS e ON e.epoch = c._epoch",
        ChangesTable(table.target).ToSql(), OfTable(table), KeyLiteral(key), key.repeats);
}

// Columns, "biwa from", "biwa to": one SELECT for the spans with this key.
std::string Versions(const HistoryTable& table, const std::vector<Column>& columns,
                     const HistoryKey& key) {
    const auto names = QuotedList(columns);
    std::string partition;
    for (const auto& column : key.columns) {
        // A mask takes a column out of the history, too: rows that only it told apart are alike.
        const bool has_gone =
            key.repeats && std::none_of(columns.begin(), columns.end(), [&](const Column& one) {
                return SmallLetters(one.name) == SmallLetters(column);
            });
        if (!has_gone) partition += ", " + QuoteIdentifier(column);
    }
    if (key.repeats) {
        // Alike rows are as good as each other: the first that came is the first that goes.
        return fmt::format(
            "SELECT {0}, \"biwa from\", coalesce(\"biwa gone\", \"biwa end\") AS \"biwa to\" FROM "
            "(SELECT {0}, _committed_at AS \"biwa from\", \"biwa adds\", \"biwa end\", max(CASE "
            "WHEN "
            "NOT \"biwa adds\" THEN _committed_at END) OVER (PARTITION BY _epoch, \"biwa nth\"{2}) "
            "AS "
            "\"biwa gone\" FROM (SELECT *, row_number() OVER (PARTITION BY _epoch, \"biwa "
            "adds\"{2} "
            "ORDER BY _commit, _sequence) AS \"biwa nth\" FROM (SELECT c.*, c._op NOT IN "
            "('delete', "
            "'moved') AS \"biwa adds\", e.ended_at AS \"biwa end\" FROM {1} WHERE c._op <> "
            "'truncate'))) WHERE \"biwa adds\"",
            names, ChangesOf(table, key), partition);
    }
    if (key.columns.empty()) {
        return fmt::format(
            "SELECT {}, c._committed_at AS \"biwa from\", e.ended_at AS \"biwa to\" FROM {} WHERE "
            "c._op <> 'truncate'",
            QuotedList(columns, "c."), ChangesOf(table, key));
    }
    return fmt::format(
        "SELECT {0}, _committed_at AS \"biwa from\", coalesce(lead(_committed_at) OVER (PARTITION "
        "BY "
        "_epoch{2} ORDER BY _commit, _sequence), \"biwa end\") AS \"biwa to\" FROM (SELECT c.*, "
        "e.ended_at AS \"biwa end\" FROM {1} WHERE c._op <> 'truncate') QUALIFY _op NOT IN "
        "('delete', 'moved')",
        names, ChangesOf(table, key), partition);
}

}  // namespace

std::string HistoryViewSql(const HistoryTable& table, const std::vector<Column>& columns,
                           const std::vector<HistoryKey>& keys) {
    std::string versions;
    for (const auto& key : keys) {
        versions += (versions.empty() ? "" : " UNION ALL ") + Versions(table, columns, key);
    }
    // What was replaced in the transaction that made it was never to be seen.
    return fmt::format(
        "CREATE OR REPLACE VIEW {} AS SELECT {}, \"biwa from\" AS {}, \"biwa to\" AS {} FROM ({}) "
        "WHERE \"biwa to\" IS NULL OR \"biwa from\" < \"biwa to\"",
        HistoryView(table.target).ToSql(), QuotedList(columns),
        QuoteIdentifier(BoundName("valid_from", columns)),
        QuoteIdentifier(BoundName("valid_to", columns)), versions);
}

std::string HistoryMacroSql(const HistoryTable& table, const std::vector<Column>& columns) {
    const auto view = HistoryView(table.target).ToSql();
    const auto from = QuoteIdentifier(BoundName("valid_from", columns));
    const auto to = QuoteIdentifier(BoundName("valid_to", columns));
    std::string nothing;
    for (std::size_t i = 0; i < columns.size(); ++i) nothing += i == 0 ? "NULL" : ", NULL";
    // The second part has no rows; it is there to fail, where no rows would be a wrong answer.
    return fmt::format(
        "CREATE OR REPLACE MACRO {0}(biwa_moment) AS TABLE SELECT {1} FROM {0} WHERE {2} <= "
        "biwa_moment::TIMESTAMPTZ AND ({3} IS NULL OR {3} > biwa_moment::TIMESTAMPTZ) UNION ALL "
        "SELECT {4} "
        "FROM (SELECT count(*) AS spans FROM _biwa.histories WHERE {5} AND began_at <= "
        "biwa_moment::TIMESTAMPTZ AND (ended_at IS NULL OR ended_at > biwa_moment::TIMESTAMPTZ)) "
        "WHERE CASE "
        "WHEN spans = 0 THEN error('there is no history of ' || {6} || ' at ' || "
        "biwa_moment::TIMESTAMPTZ::VARCHAR || ': _biwa.histories says of what times there is') "
        "ELSE "
        "false END",
        view, QuotedList(columns), from, to, nothing, OfTable(table),
        QuoteLiteral(table.target.ToString()));
}

}  // namespace biwa
