#include "source/postgres/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"

namespace biwa::postgres {

namespace {

// Ordinary tables, leaf partitions among them, that are not the server's own. Their sizes as the
// server last counted them: to measure one takes a lock, and would wait for whoever alters a table.
constexpr const char* kTablesSql = R"(
SELECT c.oid, n.nspname, c.relname, c.relreplident, c.relpersistence,
       greatest(c.reltuples, 0)::bigint,
       c.relpages * pg_catalog.current_setting('block_size')::bigint
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp\_%'
ORDER BY 2, 3)";

constexpr const char* kColumnsSql = R"(
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attnum,
       a.attgenerated <> '', (a.attmissingval::text::text[])[1],
       a.atthasmissing OR a.atthasdef OR a.attidentity <> ''
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum)";

// Keys in their own order of columns, and whether one is the replica identity by USING INDEX.
constexpr const char* kKeysSql = R"(
SELECT i.indrelid, i.indisprimary, i.indisreplident, k.attnum, i.indimmediate
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisprimary OR i.indisreplident)
  AND k.place <= i.indnkeyatts
ORDER BY i.indrelid, i.indexrelid, k.place)";

// What ADD COLUMN … DEFAULT put into the rows that were there, where the warehouse reads its text
// alike: lists only when empty; no bytes, intervals and years before Christ.
std::optional<std::string> Fill(const Type& type, std::string text) {
    switch (type.id) {
        case TypeId::kList:
            return text == "{}" ? std::optional<std::string>("[]") : std::nullopt;
        case TypeId::kBytes:
        case TypeId::kInterval:
            return std::nullopt;
        case TypeId::kDecimal:
            if (text == "NaN") return std::nullopt;
            return text;
        case TypeId::kDate:
        case TypeId::kTimestamp:
        case TypeId::kTimestampTz:
            if (text.ends_with("BC")) return std::nullopt;
            return text;
        default:
            return text;
    }
}

struct FoundTable {
    CatalogTable table;
    char replica_identity = 'd';
    bool unlogged = false;
    bool key_deferrable = false;
    std::map<std::int64_t, std::size_t> column_of;  // attnum -> place in columns
    std::vector<std::size_t> identity_index;
};

// By what its rows are told apart in the stream of changes, and what hinders it.
void Judge(FoundTable& found) {
    auto& table = found.table.table;
    const auto name = QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
    if (table.columns.columns.empty()) {
        table.refusal = "has no columns";
        table.mend_sql = "ALTER TABLE " + name + " ADD COLUMN …;";
        return;
    }
    if (found.unlogged) {
        table.refusal = "is unlogged: its changes are not in the log";
        table.mend_sql = "ALTER TABLE " + name + " SET LOGGED;";
        return;
    }
    auto& key = table.columns.key;
    // A deferrable key is no replica identity, and two rows may have the same for a while.
    if (found.key_deferrable) key.clear();
    if (found.replica_identity == 'f') {
        if (!key.empty()) return;
        for (std::size_t i = 0; i < table.columns.columns.size(); ++i) key.push_back(i);
        table.columns.key_repeats = true;
        table.notes.push_back(
            "has no key: its rows are told apart by all of their columns, which takes a look at "
            "the whole table for each batch of updates and deletes");
        return;
    }
    if (found.replica_identity == 'i') {
        const auto& index = found.identity_index;
        const bool covers_key =
            !key.empty() && std::all_of(key.begin(), key.end(), [&](std::size_t column) {
                return std::find(index.begin(), index.end(), column) != index.end();
            });
        if (!covers_key) key = index;
        if (!key.empty()) return;
    }
    if (found.replica_identity == 'n') key.clear();
    if (!key.empty()) return;
    // Published with all changes, it would make the application's own updates and deletes fail.
    table.notes.push_back(fmt::format(
        "has no key that changes could be told by: only its inserts are followed. ALTER TABLE {} "
        "{}",
        name,
        found.replica_identity == 'd' && !found.key_deferrable
            ? "ADD PRIMARY KEY (…), or REPLICA IDENTITY FULL, would have all changes followed"
            : "REPLICA IDENTITY FULL would have all changes followed"));
}

}  // namespace

// int2vector and oidvector (22, 30) are called arrays and written otherwise.
Result<TypeCatalog> ReadTypes(const Connection& connection) {
    const auto rows = BIWA_TRY(connection.Query(R"(
SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod,
       CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.oid NOT IN (22, 30)
            THEN t.typelem ELSE 0 END
FROM pg_catalog.pg_type t
WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm', 'c'))"));
    TypeCatalog types;
    for (int i = 0; i < rows.size(); ++i) {
        TypeInfo info;
        info.oid = static_cast<Oid>(rows.Number(i, 0));
        info.name = rows.Text(i, 1);
        info.kind = rows.Text(i, 2)[0];
        info.base = static_cast<Oid>(rows.Number(i, 3));
        info.base_modifier = static_cast<std::int32_t>(rows.Number(i, 4));
        info.element = static_cast<Oid>(rows.Number(i, 5));
        types[info.oid] = std::move(info);
    }
    return types;
}

bool MatchesPattern(const std::string& pattern, const std::string& schema,
                    const std::string& table) {
    if (pattern == "*") return true;
    const auto full = schema + "." + table;
    const auto wanted = pattern.find('.') == std::string::npos ? "public." + pattern : pattern;
    if (wanted.ends_with('*')) {
        return full.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1));
    }
    return full == wanted;
}

Result<std::vector<CatalogTable>> ReadTables(const Connection& connection, const TypeCatalog& types,
                                             const std::vector<std::string>& patterns,
                                             IfMissing if_missing) {
    const auto rows = BIWA_TRY(connection.Query(kTablesSql));
    std::map<std::int64_t, FoundTable> found;
    std::vector<std::int64_t> order;
    std::vector<std::string> all_names;
    std::set<std::string> used;
    std::string oids = "{";
    for (int i = 0; i < rows.size(); ++i) {
        const auto schema = rows.Text(i, 1), name = rows.Text(i, 2);
        all_names.push_back(schema + "." + name);
        bool wanted = false;
        for (const auto& pattern : patterns) {
            if (!MatchesPattern(pattern, schema, name)) continue;
            wanted = true;
            used.insert(pattern);
        }
        if (!wanted) continue;
        auto& one = found[rows.Number(i, 0)];
        one.table.table.schema = schema;
        one.table.table.name = name;
        one.table.table.id = rows.Text(i, 0);
        one.replica_identity = rows.Text(i, 3)[0];
        one.unlogged = rows.Text(i, 4) == "u";
        one.table.table.rows_estimate = rows.Number(i, 5);
        one.table.table.bytes = rows.Number(i, 6);
        order.push_back(rows.Number(i, 0));
        oids += (oids.size() > 1 ? "," : "") + rows.Text(i, 0);
    }
    oids += "}";
    for (const auto& pattern : patterns) {
        if (used.contains(pattern) || if_missing == IfMissing::kPassOver) continue;
        const auto full = pattern.find('.') == std::string::npos ? "public." + pattern : pattern;
        const auto meant = DidYouMean(full, all_names);
        return UserError(
            fmt::format("table \"{}\" is not in database {}", pattern, PQdb(connection.raw())),
            meant.empty() ? "Check the name, and that the connection's user may see it."
                          : fmt::format("Did you mean \"{}\"?", meant));
    }

    const auto columns = BIWA_TRY(connection.Query(kColumnsSql, {oids}));
    for (int i = 0; i < columns.size(); ++i) {
        auto& one = found.at(columns.Number(i, 0));
        // Generated columns are not in the stream of changes (before PostgreSQL 18).
        if (columns.Boolean(i, 6)) continue;
        auto decoder = DecoderFor(static_cast<Oid>(columns.Number(i, 2)),
                                  static_cast<std::int32_t>(columns.Number(i, 3)), types);
        auto& schema = one.table.table.columns;
        one.column_of[columns.Number(i, 5)] = schema.columns.size();
        schema.columns.push_back(
            {columns.Text(i, 1), decoder.type, !columns.Boolean(i, 4), decoder.note});
        schema.columns.back().number = static_cast<std::int32_t>(columns.Number(i, 5));
        if (!columns.IsNull(i, 7)) {
            schema.columns.back().fill = Fill(schema.columns.back().type, columns.Text(i, 7));
        }
        // A default that differs from row to row is written into the rows, and one that does not
        // is too once the table is rewritten: then the catalogue tells no value.
        schema.columns.back().fill_unknown = columns.Boolean(i, 8) && !schema.columns.back().fill;
        one.table.decoders.push_back(std::move(decoder));
    }
    const auto keys = BIWA_TRY(connection.Query(kKeysSql, {oids}));
    for (int i = 0; i < keys.size(); ++i) {
        auto& one = found.at(keys.Number(i, 0));
        const auto column = one.column_of.find(keys.Number(i, 3));
        if (column == one.column_of.end()) continue;
        if (keys.Boolean(i, 1)) {
            one.table.table.columns.key.push_back(column->second);
            one.key_deferrable = !keys.Boolean(i, 4);
        }
        if (keys.Boolean(i, 2)) one.identity_index.push_back(column->second);
    }
    std::vector<CatalogTable> tables;
    for (const auto oid : order) {
        auto& one = found.at(oid);
        Judge(one);
        tables.push_back(std::move(one.table));
    }
    return tables;
}

}  // namespace biwa::postgres
