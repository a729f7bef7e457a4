#include "source/postgres/rights.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace biwa::postgres {

namespace {

// By their numbers: the name of a table in a schema that may not be used cannot be said. A right to
// read may be one to some of the columns, which may be all that are wanted.
constexpr const char* kRightsSql = R"(
SELECT c.oid, pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'),
       CASE WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN '{}' ELSE ARRAY(
            SELECT a.attnum FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')) END::text,
       pg_catalog.pg_has_role(c.relowner, 'USAGE'), current_user,
       owner.rolname, owner.rolsuper, pg_catalog.row_security_active(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles owner ON owner.oid = c.relowner
WHERE c.oid = ANY ($1::oid[]))";

constexpr const char* kPublishedSql = R"(
SELECT r.prrelid
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
WHERE p.pubname = ANY ($1::name[]))";

// `unreadable`: numbers, as "{1,2}".
bool MayRead(const TableSchema& wanted, const std::string& unreadable) {
    const auto numbers = "," + unreadable.substr(1, unreadable.size() - 2) + ",";
    return std::none_of(wanted.columns.begin(), wanted.columns.end(), [&](const Column& column) {
        return numbers.find(fmt::format(",{},", column.number)) != std::string::npos;
    });
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
        const auto schema = QuoteIdentifier(table.schema), name = QuoteIdentifier(table.name);
        const auto role = rights.Text(row, 4), quoted = QuoteIdentifier(role);
        if (!rights.Boolean(row, 1)) {
            missing[place] = {
                fmt::format("is in schema {}, which role {} may not use", table.schema, role),
                fmt::format("GRANT USAGE ON SCHEMA {} TO {};", schema, quoted)};
        } else if (!MayRead(table.columns, rights.Text(row, 2))) {
            missing[place] = {fmt::format("may not be read by role {}", role),
                              fmt::format("GRANT SELECT ON {}.{} TO {};", schema, name, quoted)};
        } else if (!rights.Boolean(row, 3)) {
            const auto owner = rights.Text(row, 5);
            missing[place] = {
                fmt::format("is owned by {}: only its owner may publish it, and role {} is not one",
                            owner, role),
                // Nobody is to be made a superuser for this.
                rights.Boolean(row, 6)
                    ? fmt::format("ALTER TABLE {}.{} OWNER TO {};", schema, name, quoted)
                    : fmt::format("GRANT {} TO {};", QuoteIdentifier(owner), quoted)};
        } else if (rights.Boolean(row, 7)) {
            missing[place] = {
                fmt::format("has policies that may hide rows from role {}: a copy would lack them",
                            role),
                fmt::format("ALTER ROLE {} BYPASSRLS;", quoted)};
        }
    }
    return missing;
}

Status RefuseWithoutRights(const Connection& connection,
                           const std::vector<std::string>& publications,
                           std::vector<CatalogTable>& tables) {
    auto missing = BIWA_TRY(MissingRights(connection, tables));
    std::set<std::string> published;
    const auto rows = BIWA_TRY(
        connection.Query(kPublishedSql, {fmt::format("{{{}}}", fmt::join(publications, ","))}));
    for (int row = 0; row < rows.size(); ++row) published.insert(rows.Text(row, 0));
    for (std::size_t i = 0; i < tables.size(); ++i) {
        auto& table = tables[i].table;
        if (missing[i].refusal.empty() || !table.refusal.empty() || published.contains(table.id)) {
            continue;
        }
        table.refusal = std::move(missing[i].refusal);
        table.mend_sql = std::move(missing[i].mend_sql);
    }
    return {};
}

}  // namespace biwa::postgres
