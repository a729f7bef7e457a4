#include "source/postgres/partitions.h"

#include <fmt/format.h>

namespace biwa::postgres {

namespace {

constexpr const char* kLeavesSql = R"(
WITH RECURSIVE part (oid) AS (
    SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = $1::regclass
    UNION ALL
    SELECT i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid)
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
    SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = $2::oid
    UNION ALL
    SELECT i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $2::oid AND $1::regclass IN (SELECT oid FROM above))";

// Leaves that were attached since their root was published, by which transaction, by which of its
// commands (the row of the catalogue that says so was written by that), and whether it has made
// them too. (pg_attribute has a row for the column ctid, number -1, that nothing changes after the
// table was made.) One that is being detached is none any more.
constexpr const char* kAttachedSql = R"(
WITH RECURSIVE part (root, published, oid, attached, command) AS (
    SELECT r.prrelid, r.xmin, i.inhrelid, i.xmin, i.cmin::text::bigint
    FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid AND c.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = r.prrelid
    WHERE p.pubname = ANY ($1::name[])
      AND NOT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
    UNION ALL
    SELECT part.root, part.published, i.inhrelid,
           CASE WHEN pg_catalog.age(i.xmin) < pg_catalog.age(part.attached)
                THEN i.xmin ELSE part.attached END,
           CASE WHEN i.xmin = part.attached THEN greatest(part.command, i.cmin::text::bigint)
                WHEN pg_catalog.age(i.xmin) < pg_catalog.age(part.attached)
                THEN i.cmin::text::bigint ELSE part.command END
    FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid)
SELECT part.root, c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), part.attached::text,
       part.command, made.xmin = part.attached
FROM part
JOIN pg_catalog.pg_class c ON c.oid = part.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute made ON made.attrelid = part.oid AND made.attnum = -1
WHERE pg_catalog.age(part.attached) < pg_catalog.age(part.published)
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";

// Rows from before it was attached stand first, where there are any. Those of an older transaction
// are none where the table was made by the one that attached it: a transaction is younger than the
// one that it is a savepoint of, or than others that wrote once it was committed.
constexpr const char* kOlderRowsSql = R"(
SELECT EXISTS (SELECT FROM (SELECT xmin, cmin FROM ONLY {0} LIMIT 100) AS first
               WHERE (pg_catalog.age(xmin) > pg_catalog.age('{1}'::text::xid) AND NOT {3})
                  OR (xmin = '{1}'::text::xid AND cmin::text::bigint < {2})))";

}  // namespace

Result<std::vector<Leaf>> LeavesOf(const Connection& connection, const std::string& root) {
    const auto rows = BIWA_TRY(connection.Query(kLeavesSql, {root}));
    std::vector<Leaf> leaves;
    for (int i = 0; i < rows.size(); ++i) {
        leaves.push_back({rows.Text(i, 0), rows.Text(i, 1), rows.Number(i, 2), rows.Boolean(i, 3),
                          rows.Text(i, 4)});
    }
    return leaves;
}

Result<std::string> NameOfLeaf(const Connection& connection, const std::string& root,
                               const std::string& oid) {
    const auto rows = BIWA_TRY(connection.Query(kLeafSql, {root, oid}));
    return rows.empty() ? std::string() : rows.Text(0, 0);
}

Status FilledParts::Note(const Connection& connection, std::vector<CatalogTable>& tables) {
    std::map<std::string, CatalogTable*> roots;
    for (auto& table : tables) {
        if (table.is_partitioned) roots[table.table.id] = &table;
    }
    if (roots.empty()) return {};
    const auto names = fmt::format("{{{}}}", fmt::join(publications_, ","));
    const auto attached = BIWA_TRY(connection.Query(kAttachedSql, {names}));
    for (int i = 0; i < attached.size(); ++i) {
        const auto root = roots.find(attached.Text(i, 0));
        if (root == roots.end()) continue;
        const auto leaf = attached.Text(i, 2), by = attached.Text(i, 3);
        const auto attachment = attached.Text(i, 1) + "@" + by;
        const auto [known, is_new] = known_.try_emplace(attachment, false);
        if (is_new) {
            const auto older =
                connection.Query(fmt::format(kOlderRowsSql, leaf, by, attached.Number(i, 4),
                                             attached.Boolean(i, 5) ? "true" : "false"));
            // Dropped meanwhile, or locked by whoever alters it: at the next look.
            if (!older) {
                known_.erase(known);
                continue;
            }
            known->second = older->Boolean(0, 0);
        }
        if (known->second) root->second->table.shape.filled_parts[attachment] = leaf;
    }
    return {};
}

}  // namespace biwa::postgres
