#include "source/postgres/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/text.h"
#include "source/postgres/copy_rows.h"
#include "source/postgres/partitions.h"
#include "source/postgres/published_part.h"

namespace biwa::postgres {

namespace {

// Small enough that a few threads share a table evenly and a restart repeats little, large enough
// that starting a COPY does not count: 16 MB of PostgreSQL's usual pages.
constexpr std::int64_t kPagesPerRange = 2048;
// Reading by ranges of ctid without passing over the rest came with PostgreSQL 14.
constexpr int kRangeScanVersion = 140'000;

class NoRows final : public RowReader {
    Result<std::size_t> Fill(RowBlock&) override { return std::size_t{0}; }
};

// The range of a partitioned table that is all of it, read through the root.
constexpr const char* kWholeTree = "*";

Error GoneSince(const SourceTable& table) {
    return {ErrorKind::kUnavailable,
            fmt::format("{} has gone since the copy began", table.ToString()),
            {}};
}

// Locks what a range is read from, until the connection is given back, and tells the number of its
// file. The server looks a name up as of now, not as of the snapshot: what has it has to be the
// relation that is meant.
Result<std::string> LockAndTellFile(const Connection& connection, const SourceTable& table,
                                    const std::string& name, const std::string& oid) {
    const auto rows = BIWA_TRY(connection.Query(
        fmt::format("SELECT pg_catalog.pg_relation_filenode($1::regclass), $1::regclass::oid, "
                    "(SELECT true FROM ONLY {} LIMIT 0)",
                    name),
        {name}));
    if (rows.Text(0, 1) != oid) return tl::unexpected(GoneSince(table));
    return rows.Text(0, 0);
}

// What the server refuses of a table that could be read when the copy began: a name has gone, or a
// right. The next attempt finds out.
tl::unexpected<Error> ChangedSince(Error error, const SourceTable& table) {
    if (error.kind != ErrorKind::kUser) return tl::unexpected(std::move(error));
    error.kind = ErrorKind::kUnavailable;
    return Within(fmt::format("{} cannot be read as it could be before", table.ToString()),
                  std::move(error));
}

// What a range is read from: "0-2048@16384", pages of the table, the end not of the range and
// absent from the last, of the file with that number, which is another one when the table was
// rewritten; "16423:0-2048@16384", of the leaf with that OID. Empty where the leaf is no longer the
// table's.
Result<std::string> FromClause(const Connection& connection, const SourceTable& table,
                               const std::string& range, const TablePart& part) {
    auto name = QualifiedName(table), oid = table.id;
    if (range == kWholeTree) return name + " WHERE true" + AndWhere(part);
    auto pages = range;
    if (const auto colon = range.find(':'); colon != std::string::npos) {
        pages = range.substr(colon + 1);
        oid = range.substr(0, colon);
        name = BIWA_TRY(NameOfLeaf(connection, name, oid));
        if (name.empty()) return name;
    }
    const auto at = pages.find('@');
    if (at != std::string::npos &&
        BIWA_TRY(LockAndTellFile(connection, table, name, oid)) != pages.substr(at + 1)) {
        return Unavailable(fmt::format("{} was rewritten since the copy began", table.ToString()));
    }
    pages = pages.substr(0, at);
    const auto dash = pages.find('-');
    // A condition may name the table in front of its columns.
    auto from = fmt::format("ONLY {} AS {} WHERE ctid >= '({},0)'::tid", name,
                            QuoteIdentifier(table.name), pages.substr(0, dash));
    if (const auto end = pages.substr(dash + 1); !end.empty()) {
        from += fmt::format(" AND ctid < '({},0)'::tid", end);
    }
    return from + AndWhere(part);
}

}  // namespace

PostgresSnapshot::PostgresSnapshot(ConnectionParameters parameters, Connection exporter,
                                   std::string snapshot_name, TypeCatalog types, TableParts only)
    : parameters_(std::move(parameters)),
      snapshot_name_(std::move(snapshot_name)),
      types_(std::move(types)),
      only_(std::move(only)),
      exporter_(std::move(exporter)) {}

Result<std::vector<SnapshotRange>> PostgresSnapshot::Split(const SourceTable& table) {
    auto connection = BIWA_TRY(TakeConnection());
    const auto name = QualifiedName(table);
    const bool whole = connection.server_version() < kRangeScanVersion;
    std::vector<SnapshotRange> ranges;
    const auto add = [&](const std::string& leaf, std::int64_t pages, const std::string& file) {
        std::int64_t begin = 0;
        for (; !whole && begin + kPagesPerRange < pages; begin += kPagesPerRange) {
            ranges.push_back(
                {fmt::format("{}{}-{}@{}", leaf, begin, begin + kPagesPerRange, file), 0});
        }
        // The last range has no end, should the table have grown since.
        ranges.push_back({fmt::format("{}{}-@{}", leaf, begin, file), 0});
    };
    const auto leaves = BIWA_TRY(LeavesOf(connection, name));
    if (leaves.empty()) {
        const auto rows = BIWA_TRY(connection.Query(
            "SELECT pg_catalog.pg_relation_size($1::regclass) / "
            "current_setting('block_size')::bigint, "
            "relkind = 'p', pg_catalog.pg_relation_filenode(oid) FROM pg_catalog.pg_class "
            "WHERE oid = $1::regclass AND oid = $2::oid",
            {name, table.id}));
        // Another table has the name now, perhaps one that the snapshot does not have.
        if (rows.empty()) return tl::unexpected(GoneSince(table));
        if (rows.Boolean(0, 1)) {
            ranges.push_back({kWholeTree, 0});
        } else {
            add("", rows.Number(0, 0), rows.Text(0, 2));
        }
    } else if (std::all_of(leaves.begin(), leaves.end(),
                           [](const Leaf& leaf) { return leaf.readable; })) {
        for (const auto& leaf : leaves) add(leaf.oid + ":", leaf.pages, leaf.file);
    } else {
        // Whoever may read the root may read all through it, but not a partition by its own name.
        ranges.push_back({kWholeTree, 0});
    }
    GiveBack(std::move(connection));
    const auto each = table.rows_estimate / static_cast<std::int64_t>(ranges.size());
    for (auto& range : ranges) range.rows_estimate = each;
    return ranges;
}

Result<CatalogTable> PostgresSnapshot::Describe(const SourceTable& table) {
    {
        std::lock_guard lock(mutex_);
        const auto found = described_.find(table.ToString());
        if (found != described_.end()) return found->second;
    }
    auto connection = BIWA_TRY(TakeConnection());
    auto tables =
        BIWA_TRY(ReadTables(connection, types_, {table.ToString()}, IfMissing::kPassOver, only_));
    GiveBack(std::move(connection));
    if (tables.empty()) return tl::unexpected(GoneSince(table));
    auto& now = tables.front();
    if (now.table.columns.columns != table.columns.columns) {
        // The next attempt begins with the columns that there are then, and goes on with the copy.
        return Unavailable(
            fmt::format("the columns of {} have changed since the copy began", table.ToString()));
    }
    std::lock_guard lock(mutex_);
    return described_[table.ToString()] = std::move(now);
}

// The columns are by name what they were when the table was described, and at the first look also
// by their numbers: one name may have been given to another column.
Status PostgresSnapshot::CompareColumns(const Connection& connection, const SourceTable& table) {
    std::string names, types;
    for (const auto& column : table.columns.columns) {
        names += (names.empty() ? "" : ", ") + QuoteIdentifier(column.name);
    }
    const auto found = BIWA_TRY(connection.Query(
        fmt::format("SELECT {} FROM ONLY {} LIMIT 0", names, QualifiedName(table))));
    bool same = true;
    for (std::size_t i = 0; i < table.columns.columns.size(); ++i) {
        const auto column = static_cast<int>(i);
        const auto number = table.columns.columns[i].number;
        same = same && (number == 0 || number == found.ColumnNumber(column));
        types += found.TypeText(column) + " ";
    }
    {
        std::lock_guard lock(mutex_);
        same = same && types_seen_.try_emplace(table.ToString(), types).first->second == types;
    }
    if (same) return {};
    return Unavailable(
        fmt::format("the columns of {} have changed since the copy began", table.ToString()));
}

Result<bool> PostgresSnapshot::AreCurrent(const SourceTable& table,
                                          const std::vector<SnapshotRange>& ranges) {
    std::set<std::string> checked;
    auto connection = BIWA_TRY(TakeConnection());
    const auto there = BIWA_TRY(
        connection.Query("SELECT pg_catalog.to_regclass($1) IS NOT NULL", {QualifiedName(table)}));
    if (!there.Boolean(0, 0)) return tl::unexpected(GoneSince(table));
    BIWA_TRY(CompareColumns(connection, table));
    for (const auto& range : ranges) {
        const auto at = range.text.find('@');
        if (at == std::string::npos) continue;
        const auto file = range.text.substr(at + 1);
        if (!checked.insert(file).second) continue;
        auto name = QualifiedName(table), oid = table.id;
        if (const auto colon = range.text.find(':'); colon != std::string::npos) {
            oid = range.text.substr(0, colon);
            name = BIWA_TRY(NameOfLeaf(connection, name, oid));
            if (name.empty()) continue;
        }
        if (BIWA_TRY(LockAndTellFile(connection, table, name, oid)) != file) {
            GiveBack(std::move(connection));
            return false;
        }
    }
    GiveBack(std::move(connection));
    return true;
}

Result<std::unique_ptr<RowReader>> PostgresSnapshot::Read(const SourceTable& table,
                                                          const SnapshotRange& range) {
    auto described = BIWA_TRY(Describe(table));
    auto connection = BIWA_TRY(TakeConnection());
    std::string select;
    for (std::size_t i = 0; i < table.columns.columns.size(); ++i) {
        select += (i == 0 ? "" : ", ") +
                  Selected(table.columns.columns[i].name, described.decoders[i].text_only);
    }
    if (auto checked = CompareColumns(connection, table); !checked) {
        return ChangedSince(std::move(checked).error(), table);
    }
    const auto clause = FromClause(connection, table, range.text, described.table.part);
    if (!clause) return ChangedSince(clause.error(), table);
    const auto& from = *clause;
    if (from.empty()) {
        GiveBack(std::move(connection));
        return std::make_unique<NoRows>();
    }
    BIWA_TRY(connection.BeginCopy(
        fmt::format("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)", select, from)));
    return ReadCopy(std::move(connection), std::move(described), &unrepresentable_,
                    [this](Connection used) { GiveBack(std::move(used)); });
}

Result<Connection> PostgresSnapshot::TakeConnection() {
    {
        std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    auto connection = BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kSql));
    BIWA_TRY(
        connection.Execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                           "SET LOCAL lc_monetary = 'C'"));
    auto joined = connection.Execute("SET TRANSACTION SNAPSHOT " + QuoteLiteral(snapshot_name_));
    if (!joined) {
        // The connection that holds it open is gone; the copy goes on with another snapshot.
        joined.error().kind = ErrorKind::kUnavailable;
        return Within("joining the snapshot", std::move(joined).error());
    }
    BIWA_TRY(connection.Execute("SAVEPOINT biwa"));
    return connection;
}

void PostgresSnapshot::GiveBack(Connection connection) {
    // Locks go with the savepoint that they were taken after. Where that fails, the connection
    // goes.
    if (!connection.Execute("ROLLBACK TO SAVEPOINT biwa")) return;
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(connection));
}

}  // namespace biwa::postgres
