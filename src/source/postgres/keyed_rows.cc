#include "source/postgres/keyed_rows.h"

#include <fmt/format.h>

#include "base/text.h"
#include "source/postgres/catalog.h"
#include "source/postgres/copy_rows.h"
#include "source/postgres/published_part.h"

namespace biwa::postgres {

namespace {

// These columns of the rows that `where` is true of.
Result<std::unique_ptr<RowReader>> ReadWhere(const ConnectionParameters& parameters,
                                             const SourceTable& table,
                                             const std::vector<Column>& columns,
                                             const std::string& where, const TableParts& only) {
    auto connection = BIWA_TRY(Connection::Open(parameters, Connection::Kind::kSql));
    const auto types = BIWA_TRY(ReadTypes(connection));
    const auto found =
        BIWA_TRY(ReadTables(connection, types, {table.ToString()}, IfMissing::kPassOver, only));
    if (found.empty()) {
        return Fail(ErrorKind::kConflict, fmt::format("{} has gone meanwhile", table.ToString()));
    }
    const auto& now = found.front();
    CatalogTable wanted{table, {}, now.is_partitioned};
    std::string select;
    for (const auto& column : columns) {
        const auto place = now.table.columns.Find(column.name);
        if (!place || !(now.table.columns.columns[*place].type == column.type)) {
            return Fail(
                ErrorKind::kConflict,
                fmt::format("column {} of {} has changed meanwhile", column.name, table.ToString()),
                "Ask again when the stream has seen it, which takes `discover_every`.");
        }
        const auto& decoder = now.decoders[*place];
        select += (select.empty() ? "" : ", ") + Selected(column.name, decoder.text_only);
        wanted.decoders.push_back(decoder);
    }
    BIWA_TRY(connection.BeginCopy(fmt::format(
        "COPY (SELECT {} FROM {}{} WHERE ({}){}) TO STDOUT (FORMAT binary)", select,
        now.is_partitioned ? "" : "ONLY ", QualifiedName(table), where, AndWhere(now.table.part))));
    return ReadCopy(std::move(connection), std::move(wanted), nullptr, [](Connection) {});
}

}  // namespace

// A literal takes the type of what it is compared with.
Result<std::unique_ptr<RowReader>> ReadRowsByKey(const ConnectionParameters& parameters,
                                                 const SourceTable& table,
                                                 const std::vector<std::vector<std::string>>& keys,
                                                 const TableParts& only) {
    std::string where;
    const auto name_of = [&](std::size_t place) {
        return QuoteIdentifier(table.columns.columns[table.columns.key[place]].name);
    };
    if (table.columns.key.size() == 1) {
        for (const auto& key : keys) where += (where.empty() ? "" : ", ") + QuoteLiteral(key[0]);
        if (!where.empty()) where = fmt::format("{} IN ({})", name_of(0), where);
    } else {
        for (const auto& key : keys) {
            where += where.empty() ? "(" : " OR (";
            for (std::size_t i = 0; i < key.size(); ++i) {
                where += (i == 0 ? "" : " AND ") + name_of(i) + " = " + QuoteLiteral(key[i]);
            }
            where += ")";
        }
    }
    return ReadWhere(parameters, table, table.columns.columns, where.empty() ? "false" : where,
                     only);
}

Result<std::unique_ptr<RowReader>> ReadKeysInRange(const ConnectionParameters& parameters,
                                                   const SourceTable& table, const KeyRange& range,
                                                   const TableParts& only) {
    std::vector<Column> key;
    std::vector<std::string> names, from, to;
    for (const auto place : table.columns.key) {
        const auto& column = table.columns.columns[place];
        const auto i = key.size();
        key.push_back(column);
        auto name = QuoteIdentifier(column.name);
        // In the order that the warehouse has, which knows no collation.
        if (column.type.id == TypeId::kText) name = fmt::format("{}::text COLLATE \"C\"", name);
        names.push_back(std::move(name));
        if (i < range.from.size()) from.push_back(QuoteLiteral(range.from[i]));
        if (i < range.to.size()) to.push_back(QuoteLiteral(range.to[i]));
    }
    return ReadWhere(parameters, table, key, InRange(names, from, to), only);
}

}  // namespace biwa::postgres
