#include "replication/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "replication/history_view.h"
#include "replication/row_sql.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

struct MetaColumn {
    const char* name;
    const char* type;
};
constexpr std::array<MetaColumn, 5> kMeta = {{{"_op", "VARCHAR"},
                                              {"_commit", "BIGINT"},
                                              {"_committed_at", "TIMESTAMPTZ"},
                                              {"_sequence", "BIGINT"},
                                              {"_epoch", "INTEGER"}}};

std::string MetaList() {
    std::string list;
    for (const auto& meta : kMeta) list += std::string(list.empty() ? "" : ", ") + meta.name;
    return list;
}

std::string OfTable(const std::string& stream, const std::string& schema, const std::string& name) {
    return fmt::format("stream = {} AND source_schema = {} AND source_table = {}",
                       QuoteLiteral(stream), QuoteLiteral(schema), QuoteLiteral(name));
}
std::string OfTable(const HistoryTable& table) {
    return OfTable(table.stream, table.schema, table.name);
}

template <typename Each>
Status ForEachRow(WriteTransaction& transaction, const std::string& sql, const Each& each) {
    const auto rows = BIWA_TRY(transaction.Query(sql));
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return {};
        for (std::size_t row = 0; row < block->rows; ++row) each(block->columns, row);
    }
}

Result<std::int64_t> NumberOf(WriteTransaction& transaction, const std::string& sql) {
    std::int64_t number = 0;
    BIWA_TRY(ForEachRow(transaction, sql, [&](const std::vector<Cells>& cells, std::size_t row) {
        number = cells[0].Get<std::int64_t>(row);
    }));
    return number;
}

Result<bool> HasHistory(WriteTransaction& transaction, const HistoryTable& table) {
    const auto spans = BIWA_TRY(NumberOf(
        transaction, fmt::format("SELECT count(*) FROM _biwa.histories WHERE {}", OfTable(table))));
    return spans > 0;
}

HistoryKey ReadKey(const Cells& list_cells, const Cells& repeats, std::size_t row) {
    HistoryKey key;
    const auto list = list_cells.Get<ListCell>(row);
    for (auto i = list.offset; i < list.offset + list.length; ++i) {
        key.columns.emplace_back(list_cells.child->GetString(i));
    }
    key.repeats = repeats.Get<std::uint8_t>(row) != 0;
    return key;
}

struct ColumnFacts {
    std::string comment;
    std::string fill;  // an expression
};

Result<std::map<std::string, ColumnFacts>> FactsOf(WriteTransaction& transaction,
                                                   const TableName& table) {
    std::map<std::string, ColumnFacts> facts;
    BIWA_TRY(ForEachRow(
        transaction,
        fmt::format("SELECT column_name, coalesce(comment, ''), coalesce(column_default, '') FROM "
                    "duckdb_columns() WHERE database_name = current_database() AND "
                    "lower(schema_name) = lower({}) AND lower(table_name) = lower({})",
                    QuoteLiteral(table.dataset), QuoteLiteral(table.name)),
        [&](const std::vector<Cells>& cells, std::size_t row) {
            facts[std::string(cells[0].GetString(row))] = {std::string(cells[1].GetString(row)),
                                                           std::string(cells[2].GetString(row))};
        }));
    return facts;
}

Result<std::vector<Column>> ColumnsOf(WriteTransaction& transaction, const TableName& table) {
    return BIWA_TRY(transaction.Query(fmt::format("FROM {} LIMIT 0", table.ToSql())))->columns();
}

// The view depends on the columns and on the spans' keys.
Status MakeViews(WriteTransaction& transaction, const HistoryTable& table) {
    std::vector<HistoryKey> keys;
    BIWA_TRY(ForEachRow(
        transaction,
        fmt::format("SELECT key, key_repeats FROM _biwa.histories WHERE {} ORDER BY epoch DESC",
                    OfTable(table)),
        [&](const std::vector<Cells>& cells, std::size_t row) {
            auto key = ReadKey(cells[0], cells[1], row);
            if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
                keys.push_back(std::move(key));
            }
        }));
    auto columns = BIWA_TRY(ColumnsOf(transaction, ChangesTable(table.target)));
    std::erase_if(columns, [](const Column& one) { return IsHistoryColumn(one.name); });
    const auto view = HistoryView(table.target);
    BIWA_TRY(transaction.Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(view.dataset)));
    BIWA_TRY(transaction.Execute(HistoryViewSql(table, columns, keys)));
    return transaction.Execute(HistoryMacroSql(table, columns));
}

Status AddEpoch(WriteTransaction& transaction, const HistoryTable& table, const HistoryEpoch& epoch,
                const ChangeOrigin& at) {
    BIWA_TRY(transaction.Execute(fmt::format(
        "UPDATE _biwa.histories SET ended_at = greatest(began_at, make_timestamptz({})) WHERE {} "
        "AND ended_at IS NULL",
        at.commit_time, OfTable(table))));
    std::string key;
    for (const auto& column : epoch.key.columns) {
        key += (key.empty() ? "" : ", ") + QuoteLiteral(column);
    }
    return transaction.Execute(fmt::format(
        "INSERT INTO _biwa.histories VALUES ({}, {}, {}, {}, {}, {}, [{}]::VARCHAR[], {}, {}, "
        "make_timestamptz({}), NULL)",
        QuoteLiteral(table.stream), QuoteLiteral(table.schema), QuoteLiteral(table.name),
        QuoteLiteral(table.target.dataset), QuoteLiteral(table.target.name), epoch.number, key,
        epoch.key.repeats, at.commit, at.commit_time));
}

Result<HistoryEpoch> NextEpoch(WriteTransaction& transaction, const HistoryTable& table,
                               const HistoryKey& key, const ChangeOrigin& at) {
    HistoryEpoch epoch;
    epoch.number = static_cast<int>(BIWA_TRY(
        NumberOf(transaction, fmt::format("SELECT coalesce(max(epoch), 0)::BIGINT + 1 FROM "
                                          "_biwa.histories WHERE {}",
                                          OfTable(table)))));
    epoch.key = key;
    // No moment is of two spans: the one before may have ended with the last commit that there is.
    const auto ended_at = BIWA_TRY(NumberOf(
        transaction,
        fmt::format("SELECT coalesce(max(epoch_us(ended_at)), 0)::BIGINT FROM _biwa.histories "
                    "WHERE {}",
                    OfTable(table))));
    auto from = at;
    from.commit_time = epoch.began_at = std::max(at.commit_time, ended_at);
    BIWA_TRY(AddEpoch(transaction, table, epoch, from));
    return epoch;
}

}  // namespace

HistoryKey HistoryKey::Of(const TableSchema& columns) {
    HistoryKey key;
    key.repeats = columns.key_repeats;
    for (const auto column : columns.key) key.columns.push_back(columns.columns[column].name);
    // Their order is of no meaning.
    std::sort(key.columns.begin(), key.columns.end());
    return key;
}

TableName ChangesTable(const TableName& target) {
    return {target.dataset + "_changes", target.name};
}

TableName HistoryView(const TableName& target) {
    return {target.dataset + "_history", target.name};
}

bool IsHistoryColumn(const std::string& column) {
    const auto name = SmallLetters(column);
    return std::any_of(kMeta.begin(), kMeta.end(),
                       [&](const MetaColumn& meta) { return name == meta.name; });
}

std::string HistoryClash(const TableSchema& columns) {
    for (const auto& column : columns.columns) {
        if (!IsHistoryColumn(column.name)) continue;
        return fmt::format("has a column {}, as its history has: none is kept", column.name);
    }
    return "";
}

Result<std::map<std::string, HistoryEpoch>> OpenEpochs(WriteTransaction& transaction,
                                                       const std::string& stream) {
    std::map<std::string, HistoryEpoch> epochs;
    BIWA_TRY(ForEachRow(
        transaction,
        fmt::format("SELECT source_schema || '.' || source_table, epoch, key, key_repeats, "
                    "epoch_us(began_at) FROM _biwa.histories WHERE stream = {} AND ended_at IS "
                    "NULL",
                    QuoteLiteral(stream)),
        [&](const std::vector<Cells>& cells, std::size_t row) {
            auto& epoch = epochs[std::string(cells[0].GetString(row))];
            epoch.number = cells[1].Get<std::int32_t>(row);
            epoch.key = ReadKey(cells[2], cells[3], row);
            epoch.began_at = cells[4].Get<std::int64_t>(row);
        }));
    return epochs;
}

Result<HistoryEpoch> BeginEpoch(WriteTransaction& transaction, const HistoryTable& table,
                                const HistoryKey& key, const ChangeOrigin& at) {
    const auto changes = ChangesTable(table.target);
    const auto columns = BIWA_TRY(ColumnsOf(transaction, table.target));
    std::string definitions;
    for (const auto& meta : kMeta) {
        definitions +=
            fmt::format("{}{} {}", definitions.empty() ? "" : ", ", meta.name, meta.type);
    }
    for (const auto& column : columns) {
        definitions += fmt::format(", {} {}", QuoteIdentifier(column.name), ToSql(column.type));
    }
    BIWA_TRY(transaction.Execute(
        fmt::format("CREATE SCHEMA IF NOT EXISTS {}; CREATE TABLE IF NOT EXISTS {} ({})",
                    QuoteIdentifier(changes.dataset), changes.ToSql(), definitions)));
    const auto epoch = BIWA_TRY(NextEpoch(transaction, table, key, at));
    BIWA_TRY(FitHistory(transaction, table));
    const auto names = QuotedList(columns);
    BIWA_TRY(transaction.Execute(fmt::format(
        "INSERT INTO {} ({}, {}) SELECT 'copy', {}, make_timestamptz({}), 0, {}, {} FROM {}",
        changes.ToSql(), MetaList(), names, at.commit, epoch.began_at, epoch.number, names,
        table.target.ToSql())));
    return epoch;
}

Result<HistoryEpoch> BeginEmptyEpoch(WriteTransaction& transaction, const HistoryTable& table,
                                     const HistoryKey& key, bool is_another_key,
                                     const ChangeOrigin& truncated_at) {
    const auto epoch = BIWA_TRY(NextEpoch(transaction, table, key, truncated_at));
    if (is_another_key) BIWA_TRY(MakeViews(transaction, table));
    BIWA_TRY(transaction.Execute(
        fmt::format("INSERT INTO {} ({}) VALUES ('truncate', {}, make_timestamptz({}), {}, {})",
                    ChangesTable(table.target).ToSql(), MetaList(), truncated_at.commit,
                    epoch.began_at, truncated_at.sequence, epoch.number)));
    return epoch;
}

Status EndEpoch(WriteTransaction& transaction, const std::string& stream, const std::string& schema,
                const std::string& name, Micros at) {
    // That moment itself still is of the span.
    const auto end =
        at != 0 ? fmt::format("make_timestamptz({})", at)
                : fmt::format(
                      "coalesce((SELECT max(commit_time) FROM _biwa.streams WHERE stream = "
                      "{}), began_at)",
                      QuoteLiteral(stream));
    return transaction.Execute(
        fmt::format("UPDATE _biwa.histories SET ended_at = greatest(began_at, {}) + INTERVAL 1 "
                    "MICROSECOND WHERE {} AND ended_at IS NULL",
                    end, OfTable(stream, schema, name)));
}

Status EndEpochs(WriteTransaction& transaction, const std::string& stream) {
    return transaction.Execute(
        fmt::format("UPDATE _biwa.histories SET ended_at = greatest(began_at, coalesce((SELECT "
                    "max(commit_time) FROM _biwa.streams WHERE stream = {0}), began_at)) + "
                    "INTERVAL 1 MICROSECOND WHERE stream = {0} AND ended_at IS NULL",
                    QuoteLiteral(stream)));
}

Status FitHistory(WriteTransaction& transaction, const HistoryTable& table) {
    const auto changes = ChangesTable(table.target);
    const auto mirror = BIWA_TRY(ColumnsOf(transaction, table.target));
    const auto there = BIWA_TRY(ColumnsOf(transaction, changes));
    const auto mirror_facts = BIWA_TRY(FactsOf(transaction, table.target));
    const auto there_facts = BIWA_TRY(FactsOf(transaction, changes));
    std::string clear;  // values of columns that are masked by now
    for (const auto& column : mirror) {
        const auto name = QuoteIdentifier(column.name);
        const auto found = std::find_if(there.begin(), there.end(), [&](const Column& one) {
            return SmallLetters(one.name) == SmallLetters(column.name);
        });
        const auto facts = mirror_facts.find(column.name);
        const auto comment = facts == mirror_facts.end() ? std::string() : facts->second.comment;
        std::string comment_there;
        if (found == there.end()) {
            // Rows that were there get what they got in the mirror.
            const bool has_fill = facts != mirror_facts.end() && !facts->second.fill.empty();
            BIWA_TRY(transaction.Execute(fmt::format(
                "ALTER TABLE {} ADD COLUMN {} {}{}", changes.ToSql(), name, ToSql(column.type),
                has_fill ? " DEFAULT " + facts->second.fill : std::string())));
        } else {
            if (!Widens(column.type, found->type)) {
                // Values of types that have nothing in common are kept as they read.
                const auto type =
                    Widens(found->type, column.type) ? column.type : Type{TypeId::kText};
                BIWA_TRY(transaction.Execute(fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {}",
                                                         changes.ToSql(), name, ToSql(type))));
            }
            const auto facts_there = there_facts.find(found->name);
            if (facts_there != there_facts.end()) comment_there = facts_there->second.comment;
            const auto mask = MaskOfComment(comment);
            if (!mask.empty() && mask != MaskOfComment(comment_there)) {
                clear += fmt::format("{}{} = NULL", clear.empty() ? "" : ", ", name);
            }
        }
        if (comment != comment_there) {
            BIWA_TRY(transaction.Execute(fmt::format(
                "COMMENT ON COLUMN {}.{} IS {}", changes.ToSql(), name, QuoteLiteral(comment))));
        }
    }
    if (!clear.empty()) {
        BIWA_TRY(transaction.Execute(fmt::format("UPDATE {} SET {}", changes.ToSql(), clear)));
    }
    return MakeViews(transaction, table);
}

std::string RenameInHistory(const TableName& target, const HistoryEpoch& epoch,
                            const std::string& from, const std::string& to) {
    // In spans before, the new name may have been that of another column.
    return fmt::format("UPDATE {} SET {} = CASE WHEN _epoch = {} THEN {} ELSE coalesce({}, {}) END",
                       ChangesTable(target).ToSql(), QuoteIdentifier(to), epoch.number,
                       QuoteIdentifier(from), QuoteIdentifier(to), QuoteIdentifier(from));
}

Status WriteHistory(WriteTransaction& transaction, const TableName& target,
                    const HistoryEpoch& epoch, const ChangeBuffer& buffer, Micros not_before) {
    const auto& columns = buffer.columns();
    const auto changes = ChangesTable(target).ToSql();
    const auto& meta_columns = ChangeBuffer::HistoryColumns();
    const auto insert =
        fmt::format("INSERT INTO {} ({}, {})", changes, MetaList(), QuotedList(columns.columns));
    if (const auto rows = buffer.History(not_before)) {
        BIWA_TRY(transaction.ExecuteWith(fmt::format("{} SELECT {}, {}, {} FROM $rows AS r", insert,
                                                     QuotedList(meta_columns, "r."), epoch.number,
                                                     QuotedList(columns.columns, "r.")),
                                         {{"rows", *rows}}));
    }
    const auto partial = buffer.PartialHistory(not_before);
    if (!partial) return {};
    const auto lacking = buffer.partial_columns();
    std::string values, on_origin;
    for (std::size_t i = 0; i < columns.columns.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[i].name);
        values += std::binary_search(lacking.begin(), lacking.end(), i)
                      ? fmt::format(", CASE WHEN r.\"{}\" THEN t.{} ELSE r.{} END",
                                    ChangeBuffer::KeepName(i), name, name)
                      : ", r." + name;
    }
    for (std::size_t i = 0; i < columns.key.size(); ++i) {
        on_origin += fmt::format("{}t.{} = r.\"{}\"", i == 0 ? "" : " AND ",
                                 QuoteIdentifier(columns.columns[columns.key[i]].name),
                                 ChangeBuffer::OriginName(i));
    }
    BIWA_TRY(transaction.ExecuteWith(
        fmt::format("{} SELECT {}, {}{} FROM $rows AS r LEFT JOIN {} AS t ON {}", insert,
                    QuotedList(meta_columns, "r."), epoch.number, values, target.ToSql(),
                    on_origin),
        {{"rows", *partial}}));
    return {};
}

Status RenameHistory(WriteTransaction& transaction, const HistoryTable& from,
                     const HistoryTable& to) {
    if (!BIWA_TRY(HasHistory(transaction, from))) return {};
    BIWA_TRY(transaction.Execute(fmt::format(
        "UPDATE _biwa.histories SET source_schema = {}, source_table = {}, table_name = "
        "{} WHERE {}",
        QuoteLiteral(to.schema), QuoteLiteral(to.name), QuoteLiteral(to.target.name),
        OfTable(from))));
    if (SmallLetters(from.target.name) == SmallLetters(to.target.name))
        return MakeViews(transaction, to);
    const auto view = HistoryView(from.target).ToSql();
    BIWA_TRY(transaction.Execute(fmt::format(
        "DROP VIEW IF EXISTS {}; DROP MACRO TABLE IF EXISTS {}; ALTER TABLE {} RENAME TO {}", view,
        view, ChangesTable(from.target).ToSql(), QuoteIdentifier(to.target.name))));
    return MakeViews(transaction, to);
}

Status NarrowHistory(WriteTransaction& transaction, const HistoryTable& table) {
    if (!BIWA_TRY(HasHistory(transaction, table))) return {};
    BIWA_TRY(EndEpoch(transaction, table.stream, table.schema, table.name));
    const auto changes = ChangesTable(table.target);
    const auto mirror = BIWA_TRY(ColumnsOf(transaction, table.target));
    for (const auto& column : BIWA_TRY(ColumnsOf(transaction, changes))) {
        const bool stays = IsHistoryColumn(column.name) ||
                           std::any_of(mirror.begin(), mirror.end(), [&](const Column& one) {
                               return SmallLetters(one.name) == SmallLetters(column.name);
                           });
        if (stays) continue;
        BIWA_TRY(transaction.Execute(fmt::format("ALTER TABLE {} DROP COLUMN {}", changes.ToSql(),
                                                 QuoteIdentifier(column.name))));
    }
    return FitHistory(transaction, table);
}

namespace {

Status DropKept(WriteTransaction& transaction, const TableName& target) {
    return transaction.Execute(fmt::format(
        "DROP VIEW IF EXISTS {0}; DROP MACRO TABLE IF EXISTS {0}; DROP TABLE IF EXISTS {1}",
        HistoryView(target).ToSql(), ChangesTable(target).ToSql()));
}

}  // namespace

Status DropHistory(WriteTransaction& transaction, const HistoryTable& table) {
    if (!BIWA_TRY(HasHistory(transaction, table))) return {};
    BIWA_TRY(DropKept(transaction, table.target));
    return transaction.Execute("DELETE FROM _biwa.histories WHERE " + OfTable(table));
}

Status DropHistories(WriteTransaction& transaction, const std::string& stream) {
    std::set<TableName> tables;
    std::set<std::string> datasets;
    BIWA_TRY(
        ForEachRow(transaction,
                   fmt::format("SELECT DISTINCT dataset, table_name FROM _biwa.histories WHERE "
                               "stream = {}",
                               QuoteLiteral(stream)),
                   [&](const std::vector<Cells>& cells, std::size_t row) {
                       tables.insert({std::string(cells[0].GetString(row)),
                                      std::string(cells[1].GetString(row))});
                   }));
    for (const auto& table : tables) {
        BIWA_TRY(DropKept(transaction, table));
        datasets.insert({HistoryView(table).dataset, ChangesTable(table).dataset});
    }
    for (const auto& dataset : datasets) {
        // A model may have put something there.
        const auto left = BIWA_TRY(NumberOf(
            transaction,
            fmt::format("SELECT count(*) FROM information_schema.tables WHERE table_catalog = "
                        "current_database() AND table_schema = {}",
                        QuoteLiteral(dataset))));
        if (left > 0) continue;
        BIWA_TRY(transaction.Execute("DROP SCHEMA IF EXISTS " + QuoteIdentifier(dataset)));
    }
    return transaction.Execute("DELETE FROM _biwa.histories WHERE stream = " +
                               QuoteLiteral(stream));
}

}  // namespace biwa
