#include "replication/backfill.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "replication/row_sql.h"
#include "replication/stream_tables.h"

namespace biwa {

namespace {

constexpr std::uint64_t kKeysPerRepair = 5'000;

Status Execute(Workbench& workbench, const std::string& sql) {
    auto transaction = BIWA_TRY(workbench.Begin());
    BIWA_TRY(transaction->Execute(sql));
    return transaction->Commit();
}

// "a > 1 OR (a = 1 AND b >= 2)": DuckDB knows no range of rows. `order`: > or <.
std::string Beyond(const std::vector<Column>& key, const std::vector<std::string>& end,
                   const char* order) {
    std::string condition;
    for (auto i = end.size(); i-- > 0;) {
        const auto name = QuoteIdentifier(key[i].name), value = FromText(key[i], end[i]);
        condition = condition.empty() ? fmt::format("{} {}= {}", name, order, value)
                                      : fmt::format("({0} {1} {2} OR ({0} = {2} AND {3}))", name,
                                                    order, value, condition);
    }
    return condition.empty() ? "true" : condition;
}

// The range as a condition on the warehouse's rows. As at the source: in the order of the type.
std::string Condition(const std::vector<Column>& key, const KeyRange& range) {
    return Beyond(key, range.from, ">") + " AND " + Beyond(key, range.to, "<");
}

// The keys of both sides, numbered from 1, in biwa_backfill; how many there are.
Result<std::uint64_t> GatherKeys(Workbench& workbench, StreamSource& source,
                                 const SourceTable& table, const TableName& target,
                                 const KeyRange& range) {
    const auto key = KeyColumns(table.columns);
    const auto list = KeyList(table.columns);
    std::string definitions;
    for (const auto& column : key) {
        definitions += fmt::format("{}{} {}", definitions.empty() ? "" : ", ",
                                   QuoteIdentifier(column.name), ToSql(column.type));
    }
    BIWA_TRY(Execute(workbench,
                     fmt::format("CREATE OR REPLACE TEMP TABLE biwa_keys ({})", definitions)));
    auto transaction = BIWA_TRY(workbench.Begin());
    ReaderSource there(key, BIWA_TRY(source.ReadKeys(table, range)));
    BIWA_TRY(
        transaction->ExecuteWith("INSERT INTO biwa_keys SELECT * FROM $rows", {{"rows", there}}));
    BIWA_TRY(transaction->Execute(
        fmt::format("INSERT INTO biwa_keys SELECT {} FROM {} WHERE {}; "
                    "CREATE OR REPLACE TEMP TABLE biwa_backfill AS SELECT row_number() OVER (ORDER "
                    "BY {}) AS biwa_number, * FROM (SELECT DISTINCT {} FROM biwa_keys); "
                    "DROP TABLE biwa_keys",
                    list, target.ToSql(), Condition(key, range), list, list)));
    std::uint64_t count = 0;
    {
        const auto rows =
            BIWA_TRY(transaction->Query("SELECT count(*)::BIGINT FROM biwa_backfill"));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            count = block->columns[0].Get<std::uint64_t>(0);
        }
    }
    BIWA_TRY(transaction->Commit());
    return count;
}

// Those from number `first` on, as texts.
Result<std::vector<std::vector<std::string>>> KeysFrom(Workbench& workbench,
                                                       const SourceTable& table,
                                                       std::uint64_t first) {
    std::string texts;
    for (const auto& column : KeyColumns(table.columns)) {
        texts += (texts.empty() ? "" : ", ") + AsText(column);
    }
    std::vector<std::vector<std::string>> keys;
    auto transaction = BIWA_TRY(workbench.Begin());
    const auto rows = BIWA_TRY(transaction->Query(
        fmt::format("SELECT {} FROM biwa_backfill WHERE biwa_number BETWEEN {} AND {}", texts,
                    first, first + kKeysPerRepair - 1)));
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            auto& key = keys.emplace_back();
            for (const auto& cells : block->columns) key.emplace_back(cells.GetString(row));
        }
    }
    return keys;
}

}  // namespace

Result<std::uint64_t> Backfill(Warehouse& warehouse, StreamSource& source, ReconciledStream& stream,
                               const SourceTable& table, const TableName& target,
                               const KeyRange& range, std::stop_token stop) {
    if (NeedsOneMoment(table.columns)) {
        return UserError(
            fmt::format("{} has no key, so there is no range of keys", table.ToString()),
            "`biwa stream recopy` reads all of it anew.");
    }
    if (range.from.size() > table.columns.key.size() ||
        range.to.size() > table.columns.key.size()) {
        return UserError(fmt::format("the key of {} has {} columns", table.ToString(),
                                     table.columns.key.size()));
    }
    const auto workbench = BIWA_TRY(warehouse.OpenWorkbench());
    const auto count = BIWA_TRY(GatherKeys(*workbench, source, table, target, range));
    const auto parts = (count + kKeysPerRepair - 1) / kKeysPerRepair;
    for (std::uint64_t part = 0; part < parts; ++part) {
        if (stop.stop_requested()) return Unavailable("stopped");
        stream.OnParts(part, parts);
        BIWA_TRY(
            stream.Repair(table, BIWA_TRY(KeysFrom(*workbench, table, part * kKeysPerRepair + 1))));
    }
    stream.OnParts(parts, parts);
    return count;
}

}  // namespace biwa
