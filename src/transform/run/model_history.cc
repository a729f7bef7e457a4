#include "transform/run/model_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "transform/run/schema_change.h"
#include "transform/run/unique_key.h"

namespace biwa::transform {

namespace {

constexpr std::string_view kInstant = "TIMESTAMP WITH TIME ZONE";
constexpr std::string_view kVersions = "temp.biwa_versions";

const TableColumn* Find(const std::vector<TableColumn>& columns, std::string_view name) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& column) {
        return SmallLetters(column.name) == SmallLetters(std::string(name));
    });
    return found == columns.end() ? nullptr : &*found;
}

bool IsValidity(std::string_view column) {
    const auto name = SmallLetters(std::string(column));
    return name == kValidFrom || name == kValidTo;
}

// As an instant; what has no time zone is UTC. `type`: as the engine writes it.
std::string InstantSql(const std::string& column, const std::string& type) {
    if (type == kInstant) return column;
    return fmt::format("(CAST({} AS TIMESTAMP) AT TIME ZONE 'UTC')", column);
}

class VersionWriter {
  public:
    VersionWriter(WriteTransaction& transaction, const Action& action, std::string rows)
        : transaction_(transaction),
          action_(action),
          history_(*action.history),
          target_(action.target.ToSql()),
          rows_(std::move(rows)) {}

    Status Create() {
        BIWA_TRY(ReadQueryColumns());
        return Execute("making the history's table",
                       fmt::format("CREATE OR REPLACE TABLE {} AS SELECT *, NULL::TIMESTAMPTZ AS "
                                   "{}, NULL::TIMESTAMPTZ AS {} FROM {} LIMIT 0",
                                   target_, kValidFrom, kValidTo, rows_));
    }

    Result<std::vector<std::string>> Record(Micros now) {
        BIWA_TRY(ReadQueryColumns());
        BIWA_TRY(FitTable());
        BIWA_TRY(CheckUniqueKey(transaction_, action_, rows_));
        BIWA_TRY(CheckUpdatedAt());
        BIWA_TRY(CheckNotEmpty());
        BIWA_TRY(FindVersions(now));
        BIWA_TRY(Execute("closing versions",
                         fmt::format("UPDATE {} AS t SET {} = v.\"biwa at\" FROM {} AS v WHERE "
                                     "t.rowid = v.\"biwa old\"",
                                     target_, kValidTo, kVersions)));
        std::vector<std::string> into, from;
        for (const auto& column : insert_) {
            into.push_back(QuoteIdentifier(column));
            from.push_back("n." + QuoteIdentifier(column));
        }
        BIWA_TRY(Execute(
            "opening versions",
            fmt::format(
                "INSERT INTO {} ({}, {}) SELECT {}, v.\"biwa at\" FROM {} AS v JOIN {} AS n "
                "ON n.rowid = v.\"biwa new\"",
                target_, Join(into, ", "), kValidFrom, Join(from, ", "), kVersions, rows_)));
        BIWA_TRY(Count());
        BIWA_TRY(transaction_.Execute(fmt::format("DROP TABLE {}", kVersions)));
        return std::move(notes_);
    }

  private:
    Status Execute(std::string_view doing, const std::string& sql) {
        auto done = transaction_.Execute(sql);
        if (done) return done;
        return Within(fmt::format("{}: {}", action_.location.ToString(), doing),
                      std::move(done).error());
    }
    tl::unexpected<Error> Wrong(const std::string& message, std::string hint) const {
        return UserError(fmt::format("{}: {}", action_.location.ToString(), message),
                         std::move(hint));
    }

    // What the config names has to be there, and what the history adds must not.
    Status ReadQueryColumns() {
        got_ = BIWA_TRY(DescribeColumns(transaction_, rows_));
        for (const auto& column : got_) {
            // A column of that name hides the engine's own, by which versions are found again.
            const bool is_row_id = SmallLetters(column.name) == "rowid";
            if (!IsValidity(column.name) && !is_row_id) continue;
            return Wrong(fmt::format("the query has a column {}, which {}", column.name,
                                     is_row_id ? "is the engine's name for the place of a row"
                                               : "the history adds itself"),
                         "Leave it out, or give it another name.");
        }
        std::vector<std::string> names;
        for (const auto& column : got_) names.push_back(column.name);
        const auto check = [&](std::string_view key, const std::string& column) -> Status {
            if (Find(got_, column) != nullptr) return {};
            const auto meant = DidYouMean(column, names);
            return Wrong(fmt::format("{}: {} is no column of the query", key, column),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
        };
        for (const auto& column : action_.unique_key) BIWA_TRY(check("uniqueKey", column));
        for (const auto& column : history_.compare) BIWA_TRY(check("history.compare", column));
        if (history_.updated_at.empty()) return {};
        BIWA_TRY(check("history.updatedAt", history_.updated_at));
        const auto& column = *Find(got_, history_.updated_at);
        if (column.type != "DATE" && !column.type.starts_with("TIMESTAMP")) {
            return Wrong(fmt::format("history.updatedAt: {} is {}", column.name, column.type),
                         "It has to be a date or a timestamp.");
        }
        since_ = InstantSql(QuoteIdentifier(column.name), column.type);
        return {};
    }

    // Gives the table the query's columns, as onSchemaChange says.
    Status FitTable() {
        auto had = BIWA_TRY(DescribeColumns(transaction_, target_));
        for (const auto name : {kValidFrom, kValidTo}) {
            const auto* column = Find(had, name);
            if (column != nullptr && column->type == kInstant) continue;
            return Wrong(fmt::format("{} is there and is no history: it has no column {} of type "
                                     "TIMESTAMPTZ",
                                     action_.target.ToString(), name),
                         fmt::format("Begin one in its place: biwa run --full-refresh "
                                     "--forget-history --select {}",
                                     action_.target.ToString()));
        }
        const auto change =
            BIWA_TRY(ReconcileColumns(action_, WithoutValidity(action_, std::move(had)), got_));
        for (const auto& statement : change.statements)
            BIWA_TRY(Execute("changing the table's columns", statement));
        insert_ = change.insert;
        notes_ = change.notes;
        table_ = BIWA_TRY(DescribeColumns(transaction_, target_));
        return {};
    }

    // A row of which nobody knows since when it is so has no place in the history.
    Status CheckUpdatedAt() {
        if (since_.empty()) return {};
        std::vector<std::string> texts;
        for (const auto& column : action_.unique_key)
            texts.push_back(QuoteIdentifier(column) + "::VARCHAR");
        const auto stream = BIWA_TRY(transaction_.Query(
            fmt::format("SELECT (count(*) OVER ())::VARCHAR, {0} FROM {1} WHERE {2} IS NULL OR NOT "
                        "isfinite({2}) ORDER BY ALL LIMIT 1",
                        Join(texts, ", "), rows_, since_)));
        const auto rows = BIWA_TRY(ReadTexts(*stream));
        if (rows.empty()) return {};
        return Wrong(
            fmt::format("history.updatedAt: {} is NULL or infinite in {} rows, such as that of {}",
                        history_.updated_at, HumanCount(std::stoll(*rows[0][0])),
                        KeyText(action_, rows[0], 1)),
            fmt::format("Let the query give a time for every row: coalesce({}, created_at).",
                        history_.updated_at));
    }

    // A source that is empty for a moment, as it is while it is copied anew, must not end all.
    Status CheckNotEmpty() {
        if (history_.keeps_vanished || history_.may_be_empty) return {};
        const auto open = BIWA_TRY(ReadCount(
            transaction_, fmt::format("SELECT open FROM (SELECT count(*) AS open FROM {} WHERE {} "
                                      "IS NULL) WHERE NOT EXISTS (SELECT 1 FROM {})",
                                      target_, kValidTo, rows_)));
        if (open == 0) return {};
        return Wrong(fmt::format("the query gives no rows, which would close all {} open versions",
                                 HumanCount(static_cast<std::int64_t>(open))),
                     "If all of them are gone indeed, say history: { allowEmpty: true }.");
    }

    // The value of the query's row `n`, in the table's type: with onSchemaChange IGNORE it may have
    // another.
    std::string New(const std::string& column) const {
        const auto value = "n." + QuoteIdentifier(column);
        const auto* mine = Find(got_, column);
        const auto* theirs = Find(table_, column);
        if (mine == nullptr || theirs == nullptr || mine->type == theirs->type) return value;
        return fmt::format("CAST({} AS {})", value, theirs->type);
    }

    std::string SameKey(std::string_view side) const {
        std::vector<std::string> matches;
        for (const auto& column : action_.unique_key) {
            matches.push_back(fmt::format("{}.{} IS NOT DISTINCT FROM {}", side,
                                          QuoteIdentifier(column), New(column)));
        }
        return Join(matches, " AND ");
    }

    // When only updatedAt has moved, nothing that the version says has changed.
    bool IsCompared(const std::string& column) const {
        const auto is_it = [&](const std::string& other) {
            return SmallLetters(other) == SmallLetters(column);
        };
        const auto& compare = history_.compare;
        const auto& key = action_.unique_key;
        if (!compare.empty()) return std::any_of(compare.begin(), compare.end(), is_it);
        return !is_it(history_.updated_at) && std::none_of(key.begin(), key.end(), is_it);
    }

    std::string Differs() const {
        std::vector<std::string> differences;
        for (const auto& column : insert_) {
            if (!IsCompared(column)) continue;
            differences.push_back(
                fmt::format("o.{} IS DISTINCT FROM {}", QuoteIdentifier(column), New(column)));
        }
        return differences.empty() ? "false" : Join(differences, " OR ");
    }

    // "biwa old" (a version to close), "biwa new" (a row to open one for), "biwa at", "biwa
    // undated" (updatedAt had not moved on). `after`: the first instant that the key's versions
    // leave free.
    Status FindVersions(Micros now) {
        const auto is_there = history_.keeps_vanished ? "n.\"biwa row\" IS NOT NULL AND " : "";
        return Execute(
            "comparing with the versions that are open",
            fmt::format(
                "CREATE OR REPLACE TEMP TABLE {versions} AS "
                "WITH moves AS MATERIALIZED (SELECT o.\"biwa row\" AS \"biwa old\", n.\"biwa row\" "
                "AS \"biwa new\", n.\"biwa since\" AS since, o.{from} + INTERVAL 1 MICROSECOND AS "
                "after FROM (SELECT rowid AS \"biwa row\", * FROM {target} WHERE {to} IS NULL) AS "
                "o "
                "FULL JOIN (SELECT rowid AS \"biwa row\", {since} AS \"biwa since\", * FROM "
                "{rows}) "
                "AS n ON {same} WHERE {is_there}(o.\"biwa row\" IS NULL OR n.\"biwa row\" IS NULL "
                "OR {differs})), "
                "ended AS (SELECT m.\"biwa new\" AS \"biwa new\", max(t.{to}) AS after FROM moves "
                "AS "
                "m JOIN {rows} AS n ON n.rowid = m.\"biwa new\" JOIN {target} AS t ON {same_t} "
                "WHERE m.\"biwa old\" IS NULL AND t.{to} IS NOT NULL GROUP BY 1) "
                "SELECT \"biwa old\", \"biwa new\", CASE WHEN since >= coalesce(after, since) THEN "
                "since ELSE greatest(make_timestamptz({now}), coalesce(after, "
                "make_timestamptz({now}))) END AS \"biwa at\", coalesce(since < after, false) AS "
                "\"biwa undated\" FROM (SELECT m.\"biwa old\", m.\"biwa new\", m.since, "
                "coalesce(m.after, e.after) AS after FROM moves AS m LEFT JOIN ended AS e ON "
                "e.\"biwa new\" = m.\"biwa new\")",
                fmt::arg("versions", kVersions), fmt::arg("from", kValidFrom),
                fmt::arg("to", kValidTo), fmt::arg("target", target_), fmt::arg("rows", rows_),
                fmt::arg("since", since_.empty() ? "NULL::TIMESTAMPTZ" : since_),
                fmt::arg("same", SameKey("o")), fmt::arg("same_t", SameKey("t")),
                fmt::arg("is_there", is_there), fmt::arg("differs", Differs()),
                fmt::arg("now", now)));
    }

    Status Count() {
        const auto stream = BIWA_TRY(transaction_.Query(fmt::format(
            "SELECT count(*) FILTER (\"biwa old\" IS NULL)::VARCHAR, count(*) FILTER (\"biwa old\" "
            "IS NOT NULL AND \"biwa new\" IS NOT NULL)::VARCHAR, count(*) FILTER (\"biwa new\" IS "
            "NULL)::VARCHAR, count(*) FILTER (\"biwa undated\" AND \"biwa old\" IS NOT "
            "NULL)::VARCHAR FROM {}",
            kVersions)));
        const auto counts = BIWA_TRY(ReadTexts(*stream)).at(0);
        std::vector<std::string> parts;
        constexpr const char* kWords[] = {"new", "changed", "gone"};
        for (std::size_t i = 0; i < 3; ++i) {
            const auto count = std::stoll(*counts[i]);
            if (count > 0) parts.push_back(fmt::format("{} {}", HumanCount(count), kWords[i]));
        }
        if (!parts.empty()) notes_.push_back("rows: " + Join(parts, ", "));
        const auto undated = std::stoll(*counts[3]);
        if (undated > 0) {
            notes_.push_back(
                fmt::format("{} changed rows have a {} that has not moved on: their versions begin "
                            "with this run",
                            HumanCount(undated), history_.updated_at));
        }
        return {};
    }

    WriteTransaction& transaction_;
    const Action& action_;
    const ModelHistory& history_;
    const std::string target_;
    const std::string rows_;
    std::vector<TableColumn> got_;    // the query's
    std::vector<TableColumn> table_;  // the table's, once it fits
    std::vector<std::string> insert_;
    std::string since_;  // updatedAt as an instant; empty: there is none
    std::vector<std::string> notes_;
};

}  // namespace

std::string TableSql(const Action& action) {
    if (!action.RecordsHistory()) return action.full.query.sql;
    const auto& column = action.history->updated_at;
    const auto since = column.empty() ? "NULL" : QuoteIdentifier(column);
    return fmt::format(
        "SELECT *, CAST({} AS TIMESTAMPTZ) AS {}, NULL::TIMESTAMPTZ AS {} FROM (\n{}\n)", since,
        kValidFrom, kValidTo, action.full.query.sql);
}

std::vector<TableColumn> WithoutValidity(const Action& action, std::vector<TableColumn> columns) {
    if (action.RecordsHistory())
        std::erase_if(columns, [](const auto& column) { return IsValidity(column.name); });
    return columns;
}

Status CreateHistory(WriteTransaction& transaction, const Action& action, const std::string& rows) {
    return VersionWriter(transaction, action, rows).Create();
}

Result<std::vector<std::string>> RecordVersions(WriteTransaction& transaction, const Action& action,
                                                const std::string& rows, Micros now) {
    return VersionWriter(transaction, action, rows).Record(now);
}

}  // namespace biwa::transform
