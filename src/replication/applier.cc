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

// The warehouse finds names whatever their capitals.
std::string SmallLetters(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

// Columns are altered only where a comment is not there yet: DuckDB cannot commit a transaction
// that writes a table and alters it.
Status CommentMasks(WriteTransaction& transaction, const TableName& target,
                    const TableSchema& columns) {
    std::map<std::string, std::string> comments;
    const bool any = std::any_of(columns.columns.begin(), columns.columns.end(),
                                 [](const Column& column) { return !column.mask.empty(); });
    if (!any) return {};
    {
        const auto rows = BIWA_TRY(transaction.Query(
            fmt::format("SELECT column_name, coalesce(comment, '') FROM duckdb_columns() WHERE "
                        "schema_name = {} AND table_name = {}",
                        QuoteLiteral(target.dataset), QuoteLiteral(target.name))));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            for (std::size_t row = 0; row < block->rows; ++row) {
                comments[std::string(block->columns[0].GetString(row))] =
                    block->columns[1].GetString(row);
            }
        }
    }
    for (const auto& column : columns.columns) {
        const auto comment = std::string(kMaskComment) + column.mask;
        if (column.mask.empty() || comments[column.name] == comment) continue;
        BIWA_TRY(
            transaction.Execute(fmt::format("COMMENT ON COLUMN {}.{} IS {}", target.ToSql(),
                                            QuoteIdentifier(column.name), QuoteLiteral(comment))));
    }
    return {};
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
        for (const auto& column : rows->columns()) there[SmallLetters(column.name)] = column.type;
    }
    for (const auto& column : columns.columns) {
        const auto found = there.find(SmallLetters(column.name));
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
    return CommentMasks(transaction, target, columns);
}

Applier::Applier(Warehouse& warehouse, std::string stream, std::string dataset,
                 const StreamState& state, StreamSource& source)
    : warehouse_(warehouse),
      stream_(std::move(stream)),
      source_(source),
      known_until_(state.position.order) {
    for (const auto& table : state.tables) {
        tables_[table.ToString()] = {
            table.schema,        table.name, TargetTable(dataset, table.schema, table.name),
            table.overlap_until, nullptr,    {}};
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

Status Applier::FlushBuffer(Table& table, const ChangeBuffer& buffer) {
    const auto& columns = buffer.columns();
    const auto target = table.target.ToSql();
    touched_[table.target] = true;

    if (buffer.truncated()) BIWA_TRY(transaction_->Execute("DELETE FROM " + target));
    std::string on_key;
    for (std::size_t i = 0; i < columns.key.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[columns.key[i]].name);
        on_key += fmt::format("{}{}.{} = k.{}", i == 0 ? "" : " AND ", target, name, name);
    }
    const auto partial_rows = buffer.PartialRows();
    if (partial_rows) BIWA_TRY(Complete(table, buffer, *partial_rows));
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

// Makes biwa_completed: the rows with the values that the source left out, which are taken from
// where they are before it is deleted.
Status Applier::Complete(Table& table, const ChangeBuffer& buffer, RowSource& partial_rows) {
    const auto& columns = buffer.columns();
    const auto lacking = buffer.partial_columns();
    std::string values, keys, on_origin, moved;
    for (std::size_t i = 0; i < columns.columns.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[i].name);
        values += std::binary_search(lacking.begin(), lacking.end(), i)
                      ? fmt::format("CASE WHEN p.\"keep {}\" THEN t.{} ELSE p.{} END AS {}, ", i,
                                    name, name, name)
                      : "p." + name + ", ";
    }
    for (std::size_t i = 0; i < columns.key.size(); ++i) {
        const auto name = QuoteIdentifier(columns.columns[columns.key[i]].name);
        keys += (i == 0 ? "p." : ", p.") + name;
        on_origin += fmt::format("{}t.{} = p.\"origin {}\"", i == 0 ? "" : " AND ", name, i);
        moved += fmt::format("{}p.{} <> p.\"origin {}\"", i == 0 ? "" : " OR ", name, i);
    }
    // A copy that was cut off and went on later may have the row twice: as it was then and, moved
    // to another page by an update, as it was later. Either has the value, or a change that is
    // still to come brings it. Where the key has changed too, the old key may be that of another
    // row by then: only the source knows.
    const bool exact = buffer.exact();
    const auto first_key = QuoteIdentifier(columns.columns[columns.key[0]].name);
    BIWA_TRY(transaction_->ExecuteWith(
        fmt::format("CREATE OR REPLACE TEMP TABLE biwa_completed AS SELECT {}{}t.{} IS NULL{} AS "
                    "biwa_missing FROM $rows AS p LEFT JOIN {} AS t ON {}",
                    exact ? "" : fmt::format("DISTINCT ON ({}) ", keys), values, first_key,
                    exact ? "" : " OR " + moved, table.target.ToSql(), on_origin),
        {{"rows", partial_rows}}));
    return MendMissing(table, columns);
}

namespace {

// What a reader gives, as a source of rows.
class ReaderSource final : public RowSource {
  public:
    ReaderSource(const std::vector<Column>& columns, std::unique_ptr<RowReader> reader)
        : columns_(columns), reader_(std::move(reader)) {}
    const std::vector<Column>& columns() const override { return columns_; }
    std::size_t rows_estimate() const override { return 1; }
    Result<std::unique_ptr<RowReader>> Open() override {
        if (!reader_) return Corrupt("rows of the source were asked for twice");
        return std::move(reader_);
    }

  private:
    const std::vector<Column>& columns_;
    std::unique_ptr<RowReader> reader_;
};

// The value as text that the source reads too.
std::string AsText(const Column& column) {
    const auto name = QuoteIdentifier(column.name);
    return column.type.id == TypeId::kBytes ? fmt::format("'\\x' || hex({})", name)
                                            : fmt::format("CAST({} AS VARCHAR)", name);
}

}  // namespace

// Rows whose former selves are not in the warehouse, so that what the source left out is nowhere
// here. It happens after a copy that was cut off and went on later: a row that moved meanwhile into
// a part that was copied already is in neither copy. The source is asked for such rows as they are
// now; the changes that are still to come then find them, and end at the same.
//
// A row that is not there any more, or not under this key, is left out: a change that deletes it or
// changes its key is still to come, and finds it missing again.
Status Applier::MendMissing(Table& table, const TableSchema& columns) {
    std::string texts;
    for (const auto column : columns.key) {
        texts += (texts.empty() ? "" : ", ") + AsText(columns.columns[column]);
    }
    std::vector<std::vector<std::string>> keys;
    {
        const auto rows = BIWA_TRY(transaction_->Query(
            fmt::format("SELECT {} FROM biwa_completed WHERE biwa_missing", texts)));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            for (std::size_t row = 0; row < block->rows; ++row) {
                auto& key = keys.emplace_back();
                for (const auto& cells : block->columns) key.emplace_back(cells.GetString(row));
            }
        }
    }
    if (keys.empty()) return {};
    SourceTable source;
    source.schema = table.schema;
    source.name = table.name;
    source.columns = columns;
    BIWA_TRY(transaction_->Execute("DELETE FROM biwa_completed WHERE biwa_missing"));
    ReaderSource rows(columns.columns, BIWA_TRY(source_.ReadRows(source, keys)));
    BIWA_TRY(transaction_->ExecuteWith("INSERT INTO biwa_completed SELECT *, false FROM $rows",
                                       {{"rows", rows}}));
    // These rows are ahead of the changes: until those have caught up it is as after such a copy.
    table.overlap_until = BIWA_TRY(source_.Head()).order;
    return SaveOverlap(*transaction_, stream_, table.schema, table.name, table.overlap_until);
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
