#include "source/postgres/published_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace biwa::postgres {

namespace {

constexpr const char* kTrial = "biwa_trial_of_a_condition";

// Of the table or, of a partitioned one, of each of its leaves: by what it tells old rows.
constexpr const char* kIdentitiesSql = R"(
WITH RECURSIVE tree (oid) AS (
    SELECT $1::oid
    UNION ALL
    SELECT i.inhrelid FROM tree
    JOIN pg_catalog.pg_class above ON above.oid = tree.oid AND above.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
SELECT c.relname, c.relreplident, a.attname
FROM tree
JOIN pg_catalog.pg_class c ON c.oid = tree.oid AND c.relkind = 'r'
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
     AND CASE c.relreplident WHEN 'i' THEN i.indisreplident
                             WHEN 'd' THEN i.indisprimary AND i.indimmediate END
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
     AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
ORDER BY 1, a.attnum)";

// What a publication's condition uses is known by what it depends on.
constexpr const char* kConditionSql = R"(
SELECT r.oid, a.attname
FROM pg_catalog.pg_publication p
JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
LEFT JOIN pg_catalog.pg_depend d
     ON d.classid = 'pg_catalog.pg_publication_rel'::regclass AND d.objid = r.oid
     AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE p.pubname = ANY ($1::name[]))";

constexpr std::string_view kInsufficientPrivilege = "42501";

// A comment at the end of the condition must not take the parenthesis with it.
std::string Parenthesized(const std::string& where) { return "(" + where + "\n)"; }

}  // namespace

std::string PublishedPart(const TablePart& part) {
    std::string text;
    for (const auto& column : part.columns) {
        text += (text.empty() ? " (" : ", ") + QuoteIdentifier(column);
    }
    if (!text.empty()) text += ")";
    if (!part.where.empty()) text += " WHERE " + Parenthesized(part.where);
    return text;
}

std::string AndWhere(const TablePart& part) {
    return part.where.empty() ? "" : " AND " + Parenthesized(part.where);
}

Result<PartExaminer::Condition> PartExaminer::Try(const Connection& connection,
                                                  const SourceTable& table) const {
    Condition condition;
    BIWA_TRY(connection.Execute("BEGIN"));
    const auto made = connection.Execute(fmt::format(
        "CREATE PUBLICATION {} FOR TABLE ONLY {}.{}{} WITH (publish_via_partition_root = true)",
        kTrial, QuoteIdentifier(table.schema), QuoteIdentifier(table.name),
        PublishedPart({{}, table.part.where})));
    auto found = made ? connection.Query(kConditionSql, {fmt::format("{{{}}}", kTrial)})
                      : tl::unexpected(made.error());
    const bool is_refused = !found && connection.last_state().starts_with("42");
    const bool lacks_right = !found && connection.last_state() == kInsufficientPrivilege;
    BIWA_TRY(connection.Execute("ROLLBACK"));
    if (!found && !is_refused && found.error().kind != ErrorKind::kUser) {
        return tl::unexpected(found.error());
    }
    if (!found) {
        // What the server says of another table, or of none, is no judgement on the condition.
        const auto now = BIWA_TRY(connection.Query(
            "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
            "c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
            {table.schema, table.name}));
        if (now.empty() || now.Text(0, 0) != table.id) {
            return Unavailable(table.ToString() + " has changed since it was looked at");
        }
        condition.error = found.error().message;
        condition.lacks_right = lacks_right;
        return condition;
    }
    std::set<std::string> tables;
    for (int i = 0; i < found->size(); ++i) {
        tables.insert(found->Text(i, 0));
        if (!found->IsNull(i, 1)) condition.columns.push_back(found->Text(i, 1));
    }
    if (tables.size() != 1) condition.error = "it is more than one condition";
    return condition;
}

Result<std::optional<PartExaminer::Condition>> PartExaminer::Published(
    const Connection& connection, const SourceTable& table) const {
    const auto found = BIWA_TRY(
        connection.Query(std::string(kConditionSql) + " AND r.prrelid = $2::pg_catalog.oid",
                         {fmt::format("{{{}}}", fmt::join(publications_, ",")), table.id}));
    if (found.empty()) return std::nullopt;
    Condition condition;
    for (int i = 0; i < found.size(); ++i) {
        if (!found.IsNull(i, 1)) condition.columns.push_back(found.Text(i, 1));
    }
    return condition;
}

Status PartExaminer::Examine(const Connection& connection, SourceTable& table) {
    if (table.part.empty() || !table.refusal.empty()) return {};
    auto uses = table.part.columns;
    if (!table.part.where.empty()) {
        // A renamed column has another name in the condition too.
        const auto key = fmt::format("{}\x1f{}\x1f{}", table.id, table.part.where,
                                     fmt::join(table.columns.ColumnNames(), "\x1f"));
        auto known = known_.find(key);
        if (known == known_.end() || known->second.lacks_right) {
            known = known_.insert_or_assign(key, BIWA_TRY(Try(connection, table))).first;
        }
        auto condition = known->second;
        if (condition.lacks_right) {
            if (auto published = BIWA_TRY(Published(connection, table))) {
                condition = std::move(*published);
            }
        }
        if (!condition.error.empty()) {
            table.refusal =
                fmt::format("cannot be copied where `{}`: {}", table.part.where, condition.error);
            table.mend_sql = condition.lacks_right
                                 ? kAskDoctor
                                 : "write `where` as a condition that a publication may have";
            return {};
        }
        uses = condition.columns;
    }
    // Of a table whose inserts alone are published no old row is needed.
    if (table.columns.key.empty()) return {};
    const auto rows = BIWA_TRY(connection.Query(kIdentitiesSql, {table.id}));
    std::map<std::string, std::pair<char, std::set<std::string>>> identities;
    for (int i = 0; i < rows.size(); ++i) {
        auto& [kind, columns] = identities[rows.Text(i, 0)];
        kind = rows.Text(i, 1)[0];
        if (!rows.IsNull(i, 2)) columns.insert(rows.Text(i, 2));
    }
    const auto& listed = table.part.columns;
    for (const auto& [leaf, identity] : identities) {
        const auto& [kind, columns] = identity;
        const auto of_leaf = leaf == table.name ? "" : " of its partition " + leaf;
        const auto missing = std::find_if(columns.begin(), columns.end(), [&](const auto& column) {
            return std::find(listed.begin(), listed.end(), column) == listed.end();
        });
        if (!listed.empty() && (kind == 'f' || missing != columns.end())) {
            table.refusal = fmt::format(
                "cannot be copied in these columns: its updates would fail, as the replica "
                "identity{} has {}",
                of_leaf, kind == 'f' ? "all columns" : "column " + *missing);
            table.mend_sql = kind == 'f' ? "leave `columns` out, or set another REPLICA IDENTITY"
                                         : fmt::format("add {} to `columns`", *missing);
            return {};
        }
        if (kind == 'f' || table.part.where.empty()) continue;
        for (const auto& column : uses) {
            if (columns.contains(column)) continue;
            table.refusal = fmt::format(
                "cannot be copied where `{}`: its updates would fail, as column {} is not in the "
                "replica identity{}",
                table.part.where, column, of_leaf);
            const auto name = QuoteIdentifier(table.schema) + "." + QuoteIdentifier(leaf);
            // With FULL there can be no list of columns.
            table.mend_sql =
                listed.empty()
                    ? fmt::format(
                          "ALTER TABLE {} REPLICA IDENTITY FULL; (or USING INDEX of one that has "
                          "{})",
                          name, fmt::join(uses, ", "))
                    : fmt::format(
                          "ALTER TABLE {} REPLICA IDENTITY USING INDEX …; (a unique index on NOT "
                          "NULL columns that has {}, and none that `columns` leaves out)",
                          name, fmt::join(uses, ", "));
            return {};
        }
    }
    return {};
}

}  // namespace biwa::postgres
