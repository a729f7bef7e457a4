#include "source/postgres/rights.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/text.h"
#include "source/postgres/published_part.h"

namespace biwa::postgres {

namespace {

// The first in which a membership says whether it gives its rights.
constexpr int kGrantWithInheritVersion = 160'000;

// By their numbers: the name of a table in a schema that may not be used cannot be said. Each is
// NULL of a table that was dropped meanwhile. To read a part of a table takes its rows' places
// (ctid), which no right to some columns gives.
constexpr const char* kRightsSql = R"(
SELECT c.oid, pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'),
       pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.pg_has_role(c.relowner, 'MEMBER'),
       pg_catalog.row_security_active(c.oid), current_user, owner.rolname, owner.rolsuper
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles owner ON owner.oid = c.relowner
WHERE c.oid = ANY ($1::oid[]))";

// Of publications that nobody has changed: number, name, whether a part.
std::string PublishedSql() {
    return fmt::format(R"(
SELECT r.prrelid, p.pubname, {}
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
WHERE p.pubname IN ($1, $2) AND {})",
                       kIsPartSql, IsAsMade("$1"));
}

// Of a role that is not the owner, nor has its rights.
std::string MendOfOwner(const Connection& connection, const QueryRows& rights, int row,
                        const std::string& table) {
    const auto owner = QuoteIdentifier(rights.Text(row, 7));
    const auto role = QuoteIdentifier(rights.Text(row, 6));
    // Nobody is to be made a superuser for this.
    if (rights.Boolean(row, 8)) return fmt::format("ALTER TABLE {} OWNER TO {};", table, role);
    if (!rights.Boolean(row, 4)) return fmt::format("GRANT {} TO {};", owner, role);
    // It is a member, without having its rights.
    return connection.server_version() >= kGrantWithInheritVersion
               ? fmt::format("GRANT {} TO {} WITH INHERIT TRUE;", owner, role)
               : fmt::format("ALTER ROLE {} INHERIT;", role);
}

}  // namespace

Result<std::vector<MissingRight>> MissingRights(const Connection& connection,
                                                const std::vector<CatalogTable>& tables) {
    std::vector<MissingRight> missing(tables.size());
    std::map<std::string, std::size_t> by_id;
    std::string ids;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        by_id[tables[i].table.id] = i;
        ids += (ids.empty() ? "" : ",") + tables[i].table.id;
    }
    const auto rights = BIWA_TRY(connection.Query(kRightsSql, {"{" + ids + "}"}));
    for (int row = 0; row < rights.size(); ++row) {
        const auto place = by_id.at(rights.Text(row, 0));
        const auto& table = tables[place].table;
        const auto name = QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
        const auto role = rights.Text(row, 6), quoted = QuoteIdentifier(role);
        if (rights.IsNull(row, 1) || rights.IsNull(row, 2) || rights.IsNull(row, 5)) continue;
        if (!rights.Boolean(row, 1)) {
            missing[place] = {
                fmt::format("is in schema {}, which role {} may not use", table.schema, role),
                fmt::format("GRANT USAGE ON SCHEMA {} TO {};", QuoteIdentifier(table.schema),
                            quoted)};
        } else if (!rights.Boolean(row, 2)) {
            missing[place] = {fmt::format("may not be read by role {}", role),
                              fmt::format("GRANT SELECT ON {} TO {};", name, quoted)};
        } else if (!rights.Boolean(row, 3)) {
            missing[place] = {
                fmt::format("is owned by {}: only its owner may publish it, and role {} is not one",
                            rights.Text(row, 7), role),
                MendOfOwner(connection, rights, row, name)};
        } else if (rights.Boolean(row, 5)) {
            missing[place] = {
                fmt::format("has policies that may hide rows from role {}: a copy would lack them",
                            role),
                fmt::format("ALTER ROLE {} BYPASSRLS;", quoted)};
        }
    }
    return missing;
}

std::string IsAsMade(const std::string& all) {
    return fmt::format(
        "p.pubinsert AND p.pubupdate = (p.pubname = {0}) AND p.pubdelete = (p.pubname = {0}) AND "
        "coalesce((pg_catalog.to_jsonb(p) ->> 'pubtruncate')::boolean, true) AND "
        "coalesce((pg_catalog.to_jsonb(p) ->> 'pubviaroot')::boolean, true)",
        all);
}

Result<std::map<std::string, MissingRight>> OthersPublications(const Connection& connection,
                                                               const Publications& publications) {
    const auto rows = BIWA_TRY(connection.Query(
        "SELECT p.pubname, r.rolname, current_user FROM pg_catalog.pg_publication p "
        "JOIN pg_catalog.pg_roles r ON r.oid = p.pubowner WHERE p.pubname IN ($1, $2) AND NOT "
        "pg_catalog.pg_has_role(p.pubowner, 'USAGE')",
        {publications.all, publications.inserts}));
    std::map<std::string, MissingRight> others;
    for (int row = 0; row < rows.size(); ++row) {
        const auto name = rows.Text(row, 0), role = rows.Text(row, 2);
        others[name] = {fmt::format("publication {} is owned by {}: only its owner may change it, "
                                    "and role {} is not one",
                                    name, rows.Text(row, 1), role),
                        fmt::format("ALTER PUBLICATION {} OWNER TO {};", QuoteIdentifier(name),
                                    QuoteIdentifier(role))};
    }
    return others;
}

Status JudgeRights(const Connection& connection, const Publications& publications,
                   std::vector<CatalogTable>& tables) {
    auto missing = BIWA_TRY(MissingRights(connection, tables));
    const auto rows =
        BIWA_TRY(connection.Query(PublishedSql(), {publications.all, publications.inserts}));
    std::map<std::pair<std::string, bool>, std::set<std::string>> published;  // number, is a part
    for (int row = 0; row < rows.size(); ++row) {
        published[{rows.Text(row, 0), rows.Boolean(row, 2)}].insert(rows.Text(row, 1));
    }
    const auto others = BIWA_TRY(OthersPublications(connection, publications));
    for (std::size_t i = 0; i < tables.size(); ++i) {
        auto& table = tables[i].table;
        const auto there = published.find({table.id, !table.part.ToString().empty()});
        table.is_published = there != published.end();
        if (!table.refusal.empty()) continue;
        // From the one to the other takes the right again.
        const auto& needed = table.columns.key.empty() ? publications.inserts : publications.all;
        if (*table.is_published && there->second.contains(needed)) continue;
        if (missing[i].refusal.empty()) {
            const auto another = others.find(needed);
            if (another == others.end()) continue;
            missing[i] = another->second;
            missing[i].refusal = "cannot be published: " + missing[i].refusal;
        }
        table.refusal = std::move(missing[i].refusal);
        table.mend_sql = std::move(missing[i].mend_sql);
    }
    return {};
}

}  // namespace biwa::postgres
