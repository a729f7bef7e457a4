#include "source/postgres/partitions.h"

#include <fmt/format.h>

namespace biwa::postgres {

namespace {

// Of pg_inherits as `i`. A partition that is being detached concurrently, or was until that was cut
// off, is none any more. (The column is there from PostgreSQL 14 on.)
constexpr const char* kIsAttached =
    "NOT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::boolean, false)";

// The texts of all three have kIsAttached put in.
constexpr const char* kLeavesSql = R"(
WITH RECURSIVE part (oid) AS (
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i
    WHERE i.inhparent = $1::regclass AND {is_attached}
    UNION ALL
    SELECT i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
    WHERE {is_attached})
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::bigint,
       pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.pg_relation_filenode(c.oid)
FROM pg_catalog.pg_class root
CROSS JOIN part
JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE root.oid = $1::regclass AND root.relkind = 'p'
ORDER BY c.oid)";

constexpr const char* kLeafSql = R"(
WITH RECURSIVE above (oid) AS (
    SELECT i.inhparent FROM pg_catalog.pg_inherits i
    WHERE i.inhrelid = $2::oid AND {is_attached}
    UNION ALL
    SELECT i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid
    WHERE {is_attached})
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $2::oid AND $1::regclass IN (SELECT oid FROM above))";

// Leaves that were attached since their root was published, by the last link that was missing: by
// which transaction, by which of its commands (the row of the catalogue that says so was written by
// that), and whether that transaction has made the leaf too, and by which. (pg_attribute has a row
// for the column ctid, number -1, that nothing changes after the table was made.) Not those that
// were made as partitions: ATTACH writes the rows of all columns anew, and a partition that is made
// has those from before it is linked.
constexpr const char* kAttachedSql = R"(
WITH RECURSIVE part (root, published, oid, attached, command, linked) AS (
    SELECT r.prrelid, r.xmin, i.inhrelid, i.xmin, i.cmin::text::bigint, i.inhrelid
    FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid AND c.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = r.prrelid
    WHERE p.pubname = ANY ($1::name[]) AND {is_attached}
    UNION ALL
    SELECT part.root, part.published, i.inhrelid,
           CASE WHEN is_last THEN i.xmin ELSE part.attached END,
           CASE WHEN is_last THEN i.cmin::text::bigint ELSE part.command END,
           CASE WHEN is_last THEN i.inhrelid ELSE part.linked END
    FROM part
    JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
    CROSS JOIN LATERAL (SELECT
        CASE WHEN i.xmin = part.attached THEN i.cmin::text::bigint > part.command
             ELSE pg_catalog.age(i.xmin) < pg_catalog.age(part.attached) END) AS one (is_last)
    WHERE {is_attached})
SELECT part.root, c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), part.attached::text,
       part.command, made.xmin = part.attached, made.cmin
FROM part
JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute made ON made.attrelid = part.oid AND made.attnum = -1
WHERE pg_catalog.age(part.attached) < pg_catalog.age(part.published)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = part.linked AND a.attnum > 0 AND a.xmin = part.attached
                    AND a.cmin::text::bigint < part.command)
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";

// Whether there may be rows from before the leaf {leaf} was attached. A row is surely younger where
// the transaction {by} that attached it wrote it by a command behind {command}; and, where that has
// made the leaf too, which nobody else saw until then, by its command {made}: where another wrote
// it, unless that may be a savepoint of the same, whose commands are counted together, in between.
// Nothing else tells: a number says when a transaction began to write, and not when it wrote this
// row. Who has locked or changed a row has left his own command there.
//
// Rows of a new leaf stand as they came, so the first tell; of one that was there before, the room
// of others may have been used again.
constexpr std::int64_t kRowsLookedAt = 100'000;
constexpr const char* kOlderRowsSql = R"(
SELECT NOT coalesce(bool_and(is_younger), true) OR (NOT {is_new} AND count(*) = {looked_at})
FROM (SELECT CASE WHEN xmax::text <> '0' THEN false
                  WHEN xmin::text = '{by}' THEN cmin::text::bigint > {command}
                  ELSE {is_new} AND NOT (cmin::text::bigint > {made}
                                         AND cmin::text::bigint < {command})
             END AS is_younger
      FROM ONLY {leaf} LIMIT {looked_at}) AS first)";

std::string WithLinks(const char* sql) {
    return fmt::format(fmt::runtime(sql), fmt::arg("is_attached", kIsAttached));
}

}  // namespace

Result<std::vector<Leaf>> LeavesOf(const Connection& connection, const std::string& root) {
    const auto rows = BIWA_TRY(connection.Query(WithLinks(kLeavesSql), {root}));
    std::vector<Leaf> leaves;
    for (int i = 0; i < rows.size(); ++i) {
        leaves.push_back({rows.Text(i, 0), rows.Text(i, 1), rows.Number(i, 2), rows.Boolean(i, 3),
                          rows.Text(i, 4)});
    }
    return leaves;
}

Result<std::string> NameOfLeaf(const Connection& connection, const std::string& root,
                               const std::string& oid) {
    const auto rows = BIWA_TRY(connection.Query(WithLinks(kLeafSql), {root, oid}));
    return rows.empty() ? std::string() : rows.Text(0, 0);
}

Status FilledParts::Note(const Connection& connection, std::vector<CatalogTable>& tables) {
    std::map<std::string, CatalogTable*> roots;
    for (auto& table : tables) {
        if (table.is_partitioned) roots[table.table.id] = &table;
    }
    if (roots.empty()) return {};
    const auto names = fmt::format("{{{}}}", fmt::join(publications_, ","));
    const auto attached = BIWA_TRY(connection.Query(WithLinks(kAttachedSql), {names}));
    for (int i = 0; i < attached.size(); ++i) {
        const auto root = roots.find(attached.Text(i, 0));
        if (root == roots.end()) continue;
        const auto leaf = attached.Text(i, 2), by = attached.Text(i, 3);
        const auto attachment = attached.Text(i, 1) + "@" + by;
        const auto [known, is_new] = known_.try_emplace(attachment, false);
        if (is_new) {
            const auto older = connection.Query(fmt::format(
                kOlderRowsSql, fmt::arg("leaf", leaf), fmt::arg("by", by),
                fmt::arg("command", attached.Number(i, 4)),
                fmt::arg("is_new", attached.Boolean(i, 5) ? "true" : "false"),
                fmt::arg("made", attached.Number(i, 6)), fmt::arg("looked_at", kRowsLookedAt)));
            // Dropped meanwhile, or locked by whoever alters it: at the next look. Until then it is
            // none that was seen.
            if (!older) {
                known_.erase(known);
                root->second->table.shape.parts.erase(attachment);
                continue;
            }
            known->second = older->Boolean(0, 0);
        }
        if (known->second) root->second->table.shape.filled_parts[attachment] = leaf;
    }
    return {};
}

}  // namespace biwa::postgres
