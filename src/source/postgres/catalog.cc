#include "source/postgres/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "source/postgres/partitions.h"
#include "source/postgres/published_part.h"
#include "source/postgres/text_values.h"

namespace biwa::postgres {

namespace {

// Ordinary tables that are not the server's own, and partitioned ones as their root, with what its
// leaves add up to. (Where a root cannot be published: its leaves.) Their sizes, long values that
// are kept aside among them, as the server last counted them: to measure one takes a lock, and
// would wait for whoever alters a table.
constexpr const char* kTablesSql = R"(
WITH RECURSIVE part (root, oid) AS (
    SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
    WHERE c.relkind = 'p' AND NOT c.relispartition
    UNION ALL
    SELECT part.root, i.inhrelid FROM part
    JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid),
leaves AS (
    SELECT part.root, sum(greatest(c.reltuples, 0)) AS rows,
           sum(c.relpages::bigint + coalesce(aside.relpages, 0))::bigint AS pages,
           min(CASE WHEN c.relkind = 'f' OR c.relpersistence = 'u' THEN c.relname END) AS unlogged,
           bool_or(c.relreplident = 'n') AS no_identity, bool_and(c.relreplident = 'f') AS all_full,
           bool_or(c.relreplident = 'i') AS any_index
    FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind <> 'p'
    LEFT JOIN pg_catalog.pg_class aside ON aside.oid = c.reltoastrelid
    GROUP BY part.root)
SELECT c.oid, n.nspname, c.relname,
       -- Of a partitioned table what its leaves have counts: updates would fail by theirs.
       CASE WHEN leaves.no_identity THEN 'n'
            WHEN c.relreplident = 'f' AND NOT leaves.all_full THEN 'd' ELSE c.relreplident END,
       CASE WHEN c.relpersistence = 'u' THEN 'is unlogged'
            WHEN leaves.unlogged IS NOT NULL
            THEN 'has a partition that is unlogged or elsewhere, ' || leaves.unlogged END,
       coalesce(leaves.rows, greatest(c.reltuples, 0))::bigint,
       coalesce(leaves.pages, c.relpages::bigint + coalesce(aside.relpages, 0)) *
           pg_catalog.current_setting('block_size')::bigint,
       c.relkind = 'p', c.relispartition, leaves.any_index OR c.relreplident = 'i'
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class aside ON aside.oid = c.reltoastrelid
LEFT JOIN leaves ON leaves.root = c.oid
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp\_%'
)";

// The value of a column that was added later stands with what has pages: of a partitioned table
// with its leaves, which all have the same.
constexpr const char* kColumnsSql = R"(
WITH RECURSIVE part (root, oid) AS (
    SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
    WHERE i.inhparent = ANY ($1::oid[]) AND c.relkind = 'p'
    UNION ALL
    SELECT part.root, i.inhrelid FROM part
    JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid),
missing AS (
    SELECT part.root, a.attname, min(a.attmissingval::text) AS value
    FROM part JOIN pg_catalog.pg_attribute a ON a.attrelid = part.oid
    WHERE a.attmissingval IS NOT NULL
    GROUP BY part.root, a.attname)
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attnum,
       a.attgenerated <> '', coalesce(a.attmissingval::text, missing.value), a.attndims,
       a.atthasmissing OR a.atthasdef OR a.attidentity <> ''
FROM pg_catalog.pg_attribute a
LEFT JOIN missing ON missing.root = a.attrelid AND missing.attname = a.attname
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum)";

// TableShape, in one statement so that all of it is of one moment. Rows that were written anew are
// in another file; a partition that was attached anew is another one (FilledParts). Whoever
// describes a column otherwise (its type, a default) writes its row of the catalogue anew; what is
// done to a generated one is none of the stream's business.
constexpr const char* kShapeSql = R"(
WITH RECURSIVE part (root, oid, attached) AS (
    SELECT oid, oid, NULL::xid FROM unnest($1::oid[]) AS wanted (oid)
    UNION ALL
    SELECT part.root, i.inhrelid,
           CASE WHEN pg_catalog.age(i.xmin) >= pg_catalog.age(part.attached)
                THEN part.attached ELSE i.xmin END
    FROM part
    JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid)
SELECT part.root, true, c.oid::text || coalesce('@' || part.attached::text, ''),
       c.relfilenode::text
FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind = 'r'
UNION ALL
SELECT a.attrelid, false, a.attnum::text,
       CASE WHEN a.attisdropped THEN '' WHEN a.attgenerated <> '' THEN 'generated'
            ELSE a.xmin::text END
FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0)";

// Keys in their own order of columns, and whether one is the replica identity by USING INDEX.
constexpr const char* kKeysSql = R"(
SELECT i.indrelid, i.indisprimary, i.indisreplident, k.attnum, i.indimmediate
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisprimary OR i.indisreplident)
  AND k.place <= i.indnkeyatts
ORDER BY i.indrelid, i.indexrelid, k.place)";

// Of the leaves of partitioned tables: the columns by which each tells its old rows, where those
// are not all.
constexpr const char* kLeafIdentitiesSql = R"(
WITH RECURSIVE part (root, oid) AS (
    SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = ANY ($1::oid[])
    UNION ALL
    SELECT part.root, i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid)
SELECT part.root, pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname
FROM part
JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind = 'r' AND c.relreplident IN ('d', 'i')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
     AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
     AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))";

// Columns of which at least every second value is another one, by what ANALYZE has counted (nothing
// of a table that was not analyzed, nor of one that the user may not read). The view looks for the
// tables that it is told by name; by a join it would go through all of the database.
constexpr const char* kSeldomRepeatsSql = R"(
SELECT DISTINCT a.attrelid, a.attnum
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE c.oid = ANY ($1::oid[]) AND s.n_distinct <= -0.5
  AND s.tablename = ANY (pg_catalog.string_to_array($2, E'\n')::name[]))";

// What ADD COLUMN … DEFAULT put into the rows that were there: `array` holds it as its only element
// (pg_attribute.attmissingval). Nothing where the warehouse does not read its text alike: lists
// only when empty; no bytes, intervals, years before Christ.
std::optional<std::string> Fill(const ColumnDecoder& decoder, std::string_view array) {
    auto rest = array.substr(1, array.size() - 2);  // without the braces
    std::string text;
    if (rest.starts_with('"')) {
        rest = rest.substr(1, rest.size() - 2);
        for (std::size_t i = 0; i < rest.size(); ++i) {
            if (rest[i] == '\\') ++i;
            text += rest[i];
        }
    } else if (rest == "NULL") {
        return std::nullopt;
    } else {
        text = rest;
    }
    switch (decoder.type.id) {
        case TypeId::kList:
            return text == "{}" ? std::optional<std::string>("[]") : std::nullopt;
        case TypeId::kBytes:
        case TypeId::kInterval:
            return std::nullopt;
        case TypeId::kDecimal:
            // NaN, and money, which is written in the locale's way.
            if (text == "NaN" || decoder.text != TextDecimal) return std::nullopt;
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
    std::string not_in_log;  // why its changes are not
    bool key_deferrable = false;
    std::map<std::int64_t, std::size_t> column_of;  // attnum -> place in columns
    std::vector<std::size_t> identity_index;
    // Of a partitioned table: by leaf, the columns that tell its old rows.
    std::map<std::string, std::set<std::string>> leaf_identities;
    std::map<std::int64_t, std::string> left_out;  // columns not of the part that is wanted
    std::string left_out_of_key;                   // one of those
};

// What hinders the part of a table that is wanted, as far as the table's columns say.
void JudgePart(FoundTable& found, int server_version) {
    auto& table = found.table.table;
    const auto& part = table.part;
    if (part.empty() || !table.refusal.empty()) return;
    const auto name = QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
    if (server_version < kPublishPartVersion) {
        table.refusal =
            fmt::format("cannot be copied in part: that takes PostgreSQL 15, and this is {}",
                        server_version / 10'000);
        table.mend_sql = "take it out of `only`; a mask `drop` leaves columns out of the warehouse";
        return;
    }
    for (const auto& column : part.columns) {
        if (table.columns.Find(column)) continue;
        table.refusal =
            fmt::format("has no column {} that could be copied, which `only` names", column);
        table.mend_sql = "write `only` as the table has it (a generated column is not published)";
        return;
    }
    if (part.columns.empty()) return;
    if (!found.left_out_of_key.empty()) {
        table.refusal =
            fmt::format("has column {} in its key, which `only` leaves out", found.left_out_of_key);
        table.mend_sql = fmt::format("add {} to its columns in `only`", found.left_out_of_key);
    } else if (found.replica_identity == 'f') {
        table.refusal =
            "has REPLICA IDENTITY FULL: PostgreSQL then publishes all of its columns or none";
        table.mend_sql = fmt::format("ALTER TABLE {} REPLICA IDENTITY DEFAULT;", name);
    }
}

// A leaf whose old rows lack a column of the key; empty: none.
std::string LeafWithoutKey(const FoundTable& found) {
    const auto& schema = found.table.table.columns;
    for (const auto& [leaf, columns] : found.leaf_identities) {
        for (const auto column : schema.key) {
            if (!columns.contains(schema.columns[column].name)) return leaf;
        }
    }
    return "";
}

// By what its rows are told apart in the stream of changes, and what hinders it.
void Judge(FoundTable& found) {
    auto& table = found.table.table;
    const auto name = QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
    if (table.columns.columns.empty()) {
        table.refusal = "has no columns";
        table.mend_sql = "ALTER TABLE " + name + " ADD COLUMN …;";
        return;
    }
    if (!found.not_in_log.empty()) {
        table.refusal = found.not_in_log + ": its changes are not in the log";
        table.mend_sql = found.table.is_partitioned ? "detach it, or make it a table of the log's"
                                                    : "ALTER TABLE " + name + " SET LOGGED;";
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
    }
    if (found.replica_identity == 'n') key.clear();
    if (const auto leaf = LeafWithoutKey(found); !leaf.empty()) {
        key.clear();
        table.notes.push_back(fmt::format(
            "has a partition {0} whose replica identity lacks its key: only its inserts are "
            "followed. ALTER TABLE {0} REPLICA IDENTITY DEFAULT (or FULL) would have all changes "
            "followed",
            leaf));
        return;
    }
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

namespace {

// The row type of a table counts only where a column is of it: there are as many as tables.
// int2vector and oidvector (22, 30) are called arrays and written otherwise. A function of the
// server itself is named alone, one of a library "library.symbol".
constexpr const char* kTypesSql = R"(
WITH used AS (SELECT DISTINCT atttypid AS oid FROM pg_catalog.pg_attribute WHERE attnum > 0)
SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod,
       CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.oid NOT IN (22, 30)
            THEN t.typelem ELSE 0 END,
       t.typndims, t.typdelim,
       coalesce(substring(send.probin FROM '[^/]*$') || '.', '') || send.prosrc,
       coalesce(substring(output.probin FROM '[^/]*$') || '.', '') || output.prosrc,
       CASE WHEN t.typtype = 'c' THEN ARRAY(
            SELECT a.atttypid FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum)::text END
FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_proc send ON send.oid = t.typsend
JOIN pg_catalog.pg_proc output ON output.oid = t.typoutput
LEFT JOIN pg_catalog.pg_class relation ON relation.oid = t.typrelid
WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm', 'c')
  AND (t.typtype <> 'c' OR relation.relkind = 'c' OR t.oid IN (SELECT oid FROM used)
       OR t.typarray IN (SELECT oid FROM used)))";

// Multiranges came with PostgreSQL 14.
constexpr int kMultirangeVersion = 140'000;

std::vector<Oid> ReadOids(std::string_view array) {
    std::vector<Oid> oids;
    Oid number = 0;
    bool any = false;
    for (const char c : array) {
        if (c >= '0' && c <= '9') {
            number = number * 10 + static_cast<Oid>(c - '0');
            any = true;
        } else if (any) {
            oids.push_back(std::exchange(number, 0));
            any = false;
        }
    }
    return oids;
}

}  // namespace

Result<TypeCatalog> ReadTypes(const Connection& connection) {
    const auto rows = BIWA_TRY(connection.Query(kTypesSql));
    TypeCatalog types;
    for (int i = 0; i < rows.size(); ++i) {
        TypeInfo info;
        info.oid = static_cast<Oid>(rows.Number(i, 0));
        info.name = rows.Text(i, 1);
        info.kind = rows.Text(i, 2)[0];
        info.base = static_cast<Oid>(rows.Number(i, 3));
        info.base_modifier = static_cast<std::int32_t>(rows.Number(i, 4));
        info.element = static_cast<Oid>(rows.Number(i, 5));
        info.dimensions = static_cast<int>(rows.Number(i, 6));
        info.delimiter = rows.Text(i, 7)[0];
        info.send = rows.Text(i, 8);
        info.output = rows.Text(i, 9);
        info.fields = ReadOids(rows.Text(i, 10));
        types[info.oid] = std::move(info);
    }
    const auto ranges = BIWA_TRY(connection.Query(
        fmt::format("SELECT rngtypid, rngsubtype, {} FROM pg_catalog.pg_range",
                    connection.server_version() >= kMultirangeVersion ? "rngmultitypid" : "0")));
    for (int i = 0; i < ranges.size(); ++i) {
        const auto range = static_cast<Oid>(ranges.Number(i, 0));
        const auto set_element = [&](Oid type, Oid element) {
            if (const auto found = types.find(type); found != types.end()) {
                found->second.element = element;
            }
        };
        set_element(range, static_cast<Oid>(ranges.Number(i, 1)));
        set_element(static_cast<Oid>(ranges.Number(i, 2)), range);
    }
    // One of the currency in its smallest unit, eight bytes in hex: "\\x0000000000000064" is 100.
    const auto one = BIWA_TRY(
        connection.Query("SELECT pg_catalog.cash_send(1::pg_catalog.numeric::pg_catalog.money)"));
    if (const auto money = types.find(kMoneyOid); money != types.end()) {
        money->second.money_digits = 0;
        for (auto unit = std::strtoll(one.Text(0, 0).c_str() + 2, nullptr, 16); unit >= 10;
             unit /= 10) {
            ++money->second.money_digits;
        }
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

namespace {

// The names in any schema that the tables of these patterns may have, as an array's text; nothing
// where they may have any.
std::optional<std::string> NamesOf(const std::vector<std::string>& patterns) {
    std::string array = "{";
    for (const auto& pattern : patterns) {
        if (pattern.ends_with('*')) return std::nullopt;
        // Schemas may have dots too.
        for (std::size_t at = 0; at != std::string::npos;) {
            array += array.size() > 1 ? ",\"" : "\"";
            for (const char c : pattern.substr(at)) {
                if (c == '"' || c == '\\') array += '\\';
                array += c;
            }
            array += '"';
            const auto dot = pattern.find('.', at);
            at = dot == std::string::npos ? dot : dot + 1;
        }
    }
    return array + "}";
}

// With all of the others, where one that is missing has to be told.
Result<QueryRows> FindTables(const Connection& connection, const std::vector<std::string>& patterns,
                             IfMissing if_missing) {
    const std::string sql(kTablesSql), order = " ORDER BY 2, 3";
    const auto names = if_missing == IfMissing::kPassOver ? NamesOf(patterns) : std::nullopt;
    if (!names) return connection.Query(sql + order);
    return connection.Query(sql + " AND c.relname = ANY ($1::name[])" + order, {*names});
}

}  // namespace

Result<std::vector<CatalogTable>> ReadTables(const Connection& connection, const TypeCatalog& types,
                                             const std::vector<std::string>& patterns,
                                             IfMissing if_missing, const TableParts& only) {
    const auto rows = BIWA_TRY(FindTables(connection, patterns, if_missing));
    const bool by_root = connection.server_version() >= kPublishRootVersion;
    std::map<std::int64_t, FoundTable> found;
    std::vector<std::int64_t> order;
    std::vector<std::string> all_names;
    std::set<std::string> used, parts;
    std::string oids = "{", indexed = "{", names;
    for (int i = 0; i < rows.size(); ++i) {
        const auto schema = rows.Text(i, 1), name = rows.Text(i, 2);
        const bool is_partitioned = rows.Boolean(i, 7), is_partition = rows.Boolean(i, 8);
        if (by_root ? is_partition : is_partitioned) {
            parts.insert(schema + "." + name);
            continue;
        }
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
        if (const auto part = only.find(schema + "." + name); part != only.end()) {
            one.table.table.part = part->second;
        }
        one.replica_identity = rows.Text(i, 3)[0];
        one.not_in_log = rows.Text(i, 4);
        one.table.is_partitioned = is_partitioned;
        if (is_partitioned && rows.Boolean(i, 9)) {
            indexed += (indexed.size() > 1 ? "," : "") + rows.Text(i, 0);
        }
        one.table.table.rows_estimate = rows.Number(i, 5);
        one.table.table.bytes = rows.Number(i, 6);
        order.push_back(rows.Number(i, 0));
        oids += (oids.size() > 1 ? "," : "") + rows.Text(i, 0);
        names += (names.empty() ? "" : "\n") + name;
    }
    oids += "}";
    for (const auto& pattern : patterns) {
        if (used.contains(pattern) || if_missing == IfMissing::kPassOver) continue;
        const auto full = pattern.find('.') == std::string::npos ? "public." + pattern : pattern;
        if (parts.contains(full)) {
            return by_root
                       ? UserError(fmt::format("table \"{}\" is a partition", pattern),
                                   "Name the table that it is a part of: that is streamed as one.")
                       : UserError(fmt::format("table \"{}\" is partitioned", pattern),
                                   "Name its partitions: PostgreSQL 13 is the first that can "
                                   "publish it as one.");
        }
        const auto meant = DidYouMean(full, all_names);
        return UserError(
            fmt::format("table \"{}\" is not in database {}", pattern, PQdb(connection.raw())),
            meant.empty() ? "Check the name, and that the connection's user may see it."
                          : fmt::format("Did you mean \"{}\"?", meant));
    }

    const auto columns = BIWA_TRY(connection.Query(kColumnsSql, {oids}));
    for (int i = 0; i < columns.size(); ++i) {
        auto& one = found.at(columns.Number(i, 0));
        const auto& wanted = one.table.table.part.columns;
        if (!wanted.empty() &&
            std::find(wanted.begin(), wanted.end(), columns.Text(i, 1)) == wanted.end()) {
            one.left_out[columns.Number(i, 5)] = columns.Text(i, 1);
            continue;
        }
        // Generated columns are not in the stream of changes (before PostgreSQL 18).
        if (columns.Boolean(i, 6)) {
            one.table.table.notes.push_back(
                fmt::format("has a generated column {}, which is left out: PostgreSQL does not "
                            "send its changes",
                            columns.Text(i, 1)));
            continue;
        }
        auto decoder = DecoderFor(static_cast<Oid>(columns.Number(i, 2)),
                                  static_cast<std::int32_t>(columns.Number(i, 3)), types,
                                  static_cast<int>(columns.Number(i, 8)));
        auto& schema = one.table.table.columns;
        one.column_of[columns.Number(i, 5)] = schema.columns.size();
        schema.columns.push_back(
            {columns.Text(i, 1), decoder.type, !columns.Boolean(i, 4), decoder.note});
        schema.columns.back().number = static_cast<std::int32_t>(columns.Number(i, 5));
        if (!columns.IsNull(i, 7)) {
            schema.columns.back().fill = Fill(decoder, columns.Text(i, 7));
        }
        // A default that differs from row to row is written into the rows, and one that does not
        // is too once the table is rewritten: then the catalogue tells no value.
        schema.columns.back().fill_unknown = columns.Boolean(i, 9) && !schema.columns.back().fill;
        one.table.decoders.push_back(std::move(decoder));
    }
    const auto seldom = BIWA_TRY(connection.Query(kSeldomRepeatsSql, {oids, names}));
    for (int i = 0; i < seldom.size(); ++i) {
        auto& one = found.at(seldom.Number(i, 0));
        const auto column = one.column_of.find(seldom.Number(i, 1));
        if (column == one.column_of.end()) continue;
        one.table.table.columns.columns[column->second].seldom_repeats = true;
    }
    const auto shapes = BIWA_TRY(connection.Query(kShapeSql, {oids}));
    for (int i = 0; i < shapes.size(); ++i) {
        auto& shape = found.at(shapes.Number(i, 0)).table.table.shape;
        if (shapes.Boolean(i, 1)) {
            shape.parts[shapes.Text(i, 2)] = shapes.Text(i, 3);
        } else {
            shape.columns[static_cast<std::int32_t>(shapes.Number(i, 2))] = shapes.Text(i, 3);
        }
    }
    const auto keys = BIWA_TRY(connection.Query(kKeysSql, {oids}));
    for (int i = 0; i < keys.size(); ++i) {
        auto& one = found.at(keys.Number(i, 0));
        if (const auto left_out = one.left_out.find(keys.Number(i, 3));
            left_out != one.left_out.end()) {
            one.left_out_of_key = left_out->second;
        }
        const auto column = one.column_of.find(keys.Number(i, 3));
        if (column == one.column_of.end()) continue;
        if (keys.Boolean(i, 1)) {
            one.table.table.columns.key.push_back(column->second);
            one.key_deferrable = !keys.Boolean(i, 4);
        }
        if (keys.Boolean(i, 2)) one.identity_index.push_back(column->second);
    }
    if (indexed.size() > 1) {
        const auto leaves = BIWA_TRY(connection.Query(kLeafIdentitiesSql, {indexed + "}"}));
        for (int i = 0; i < leaves.size(); ++i) {
            auto& identity = found.at(leaves.Number(i, 0)).leaf_identities[leaves.Text(i, 1)];
            if (!leaves.IsNull(i, 2)) identity.insert(leaves.Text(i, 2));
        }
    }
    std::vector<CatalogTable> tables;
    for (const auto oid : order) {
        auto& one = found.at(oid);
        Judge(one);
        // What is done to whole partitions is in no change.
        auto& schema = one.table.table.columns;
        schema.rows_vanish = one.table.is_partitioned && !schema.key.empty();
        JudgePart(one, connection.server_version());
        tables.push_back(std::move(one.table));
    }
    return tables;
}

}  // namespace biwa::postgres
