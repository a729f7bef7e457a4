#include "replication/applier.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace biwa {

namespace {

std::string QuotedList(const std::vector<Column>& columns, std::string_view prefix = "") {
    std::string list;
    for (const auto& column : columns) {
        if (!list.empty()) list += ", ";
        list += prefix;
        list += QuoteIdentifier(column.name);
    }
    return list;
}

}  // namespace

TableName TargetTable(const std::string& dataset, const std::string& source_schema,
                      const std::string& source_table) {
    return {dataset,
            source_schema == "public" ? source_table : source_schema + "__" + source_table};
}

Status PrepareTargetTable(WriteTransaction& transaction, const TableName& target,
                          const TableSchema& columns) {
    std::string definitions;
    for (const auto& column : columns.columns) {
        definitions += fmt::format("{}{} {}", definitions.empty() ? "" : ", ",
                                   QuoteIdentifier(column.name), ToSql(column.type));
    }
    BIWA_TRY(transaction.Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(target.dataset)));
    BIWA_TRY(transaction.Execute(
        fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", target.ToSql(), definitions)));
    std::map<std::string, Type> there;
    {
        const auto rows =
            BIWA_TRY(transaction.Query(fmt::format("SELECT * FROM {} LIMIT 0", target.ToSql())));
        for (const auto& column : rows->columns()) there[column.name] = column.type;
    }
    for (const auto& column : columns.columns) {
        const auto found = there.find(column.name);
        if (found == there.end()) {
            // The rows that are there are not sent again: they get here what they got at the
            // source. As a plain literal: a default that has to be calculated makes DuckDB change a
            // setting, and settings are locked.
            const auto fill =
                column.fill ? " DEFAULT " + QuoteLiteral(*column.fill) : std::string();
            BIWA_TRY(transaction.Execute(fmt::format("ALTER TABLE {} ADD COLUMN {} {}{}",
                                                     target.ToSql(), QuoteIdentifier(column.name),
                                                     ToSql(column.type), fill)));
        } else if (!(found->second == column.type)) {
            return Fail(
                ErrorKind::kConflict,
                fmt::format(
                    "column {} of {} is {} in the warehouse and has become {} at the source",
                    column.name, target.ToString(), ToSql(found->second), ToSql(column.type)),
                "Type changes are not followed yet: copy the table anew.");
        }
    }
    return {};
}

Applier::Applier(Warehouse& warehouse, std::string stream, std::string dataset,
                 const StreamState& state)
    : warehouse_(warehouse), stream_(std::move(stream)), known_until_(state.position.order) {
    for (const auto& table : state.tables) {
        tables_[table.ToString()] = {
            TargetTable(dataset, table.schema, table.name), table.overlap_until, nullptr, {}};
    }
}

Applier::~Applier() = default;

std::size_t Applier::bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, table] : tables_) {
        for (const auto& buffer : table.buffers) bytes += buffer->bytes();
    }
    return bytes;
}

Status Applier::Open() {
    if (!transaction_) transaction_ = BIWA_TRY(warehouse_.Begin());
    return {};
}

Status Applier::Add(ChangeBatch batch) {
    for (auto& part : batch.tables) {
        const auto found = tables_.find(part.schema + "." + part.name);
        if (found == tables_.end()) {
            return Corrupt(fmt::format("changes of {}.{}, which is not of stream {}", part.schema,
                                       part.name, stream_));
        }
        auto& table = found->second;
        if (!table.prepared || table.prepared->columns != part.columns->columns) {
            BIWA_TRY(Prepare(table, part.columns));
            // A buffer holds rows of one kind.
            table.buffers.push_back(std::make_unique<ChangeBuffer>(part.columns));
        }
        if (table.buffers.empty()) {
            table.buffers.push_back(std::make_unique<ChangeBuffer>(part.columns));
        }
        // A batch that lies across the end of the overlap is treated as inside it: slower, as
        // right.
        table.buffers.back()->Add(std::move(part), known_until_ >= table.overlap_until);
    }
    changes_ += batch.changes;
    at_commit_ = batch.commit.has_value();
    if (batch.commit) {
        position_ = batch.commit;
        known_until_ = batch.commit->order;
        if (batch.commit_time != 0) commit_time_ = batch.commit_time;
    }
    if (!at_commit_ && bytes() > kBytesMax) {
        // A transaction that does not fit into memory is applied in parts, unseen until its end.
        BIWA_TRY(Open());
        BIWA_TRY(FlushAll());
    }
    return {};
}

// Gives the target its columns before any change that waits is applied, in a transaction of its
// own: DuckDB cannot commit one that deletes rows of a table and then alters it. A column that
// comes too early does no harm.
Status Applier::Prepare(Table& table, const std::shared_ptr<const TableSchema>& columns) {
    const bool is_written = transaction_ && touched_.contains(table.target);
    if (is_written) transaction_.reset();
    if (transaction_) {
        BIWA_TRY(PrepareTargetTable(*transaction_, table.target, *columns));
    } else {
        const auto transaction = BIWA_TRY(warehouse_.Begin());
        BIWA_TRY(PrepareTargetTable(*transaction, table.target, *columns));
        BIWA_TRY(transaction->Commit());
    }
    table.prepared = columns;
    if (!is_written) return {};
    return Unavailable(
        fmt::format("the columns of {} changed within a transaction that is larger than memory",
                    table.target.ToString()),
        "The transaction is read again; its columns are there by then.");
}

Status Applier::FlushAll() {
    for (auto& [name, table] : tables_) BIWA_TRY(Flush(table));
    return {};
}

Status Applier::Flush(Table& table) {
    const auto buffers = std::move(table.buffers);
    table.buffers.clear();
    for (const auto& buffer : buffers) BIWA_TRY(FlushBuffer(table, *buffer));
    return {};
}

Status Applier::FlushBuffer(const Table& table, const ChangeBuffer& buffer) {
    const auto& columns = buffer.columns();
    const auto target = table.target.ToSql();
    touched_[table.target] = true;

    if (buffer.truncated()) BIWA_TRY(transaction_->Execute("DELETE FROM " + target));
    const auto key_name = QuoteIdentifier(columns.columns[columns.key[0]].name);
    std::string on_key, on_origin, on_new, new_key;
    for (std::size_t i = 0; i < columns.key.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[columns.key[i]].name);
        on_key += fmt::format("{}{}.{} = k.{}", i == 0 ? "" : " AND ", target, name, name);
        on_origin += fmt::format("{}t.{} = p.\"origin {}\"", i == 0 ? "" : " AND ", name, i);
        new_key += fmt::format("{}p.{}", i == 0 ? "" : ", ", name);
        on_new += fmt::format("{}n.{} = p.{}", i == 0 ? "" : " AND ", name, name);
    }
    const auto partial_rows = buffer.PartialRows();
    if (partial_rows) {
        const auto missing = buffer.partial_columns();
        std::string values;
        for (std::size_t i = 0; i < columns.columns.size(); ++i) {
            const auto name = QuoteIdentifier(columns.columns[i].name);
            values += i == 0 ? "" : ", ";
            values += std::binary_search(missing.begin(), missing.end(), i)
                          ? fmt::format(
                                "CASE WHEN NOT p.\"keep {0}\" THEN p.{1} WHEN t.{2} IS NOT "
                                "NULL THEN t.{1} ELSE n.{1} END AS {1}",
                                i, name, key_name)
                          : "p." + name;
        }
        // The values that the source left out are taken from where they are, before it is deleted.
        // A copy that overlaps with the changes may have the row under its new key already, or
        // twice: as it was in an early range and as it is in a late one.
        BIWA_TRY(transaction_->ExecuteWith(
            fmt::format(
                "CREATE OR REPLACE TEMP TABLE biwa_completed AS SELECT DISTINCT ON ({0}) {1} "
                "FROM $rows AS p LEFT JOIN {2} AS t ON {3} LEFT JOIN {2} AS n ON {4}",
                new_key, values, target, on_origin, on_new),
            {{"rows", *partial_rows}}));
    }
    if (const auto keys = buffer.DeletedKeys()) {
        BIWA_TRY(transaction_->ExecuteWith(
            fmt::format("DELETE FROM {} USING $keys AS k WHERE {}", target, on_key),
            {{"keys", *keys}}));
    }
    const auto names = QuotedList(columns.columns);
    if (const auto rows = buffer.Rows()) {
        BIWA_TRY(transaction_->ExecuteWith(
            fmt::format("INSERT INTO {} ({}) SELECT * FROM $rows", target, names),
            {{"rows", *rows}}));
    }
    if (partial_rows) {
        BIWA_TRY(transaction_->Execute(fmt::format(
            "INSERT INTO {} ({}) SELECT {} FROM biwa_completed; DROP TABLE biwa_completed", target,
            names, names)));
    }
    return {};
}

Result<Applier::Applied> Applier::Commit() {
    BIWA_TRY(Open());
    BIWA_TRY(FlushAll());
    BIWA_TRY(SavePosition(*transaction_, stream_, *position_, commit_time_));
    BIWA_TRY(transaction_->Commit());
    transaction_.reset();
    Applied applied;
    applied.position = *position_;
    applied.commit_time = commit_time_;
    applied.changes = changes_;
    for (const auto& [name, is_touched] : touched_) applied.tables.push_back(name);
    touched_.clear();
    changes_ = 0;
    return applied;
}

}  // namespace biwa
