#include "replication/stream_state.h"

#include <fmt/format.h>

#include "base/text.h"
#include "replication/history.h"

namespace biwa {

namespace {

// Of what kTables makes: raised with every change of it.
constexpr std::int64_t kBooksVersion = 2;

constexpr const char* kTables = R"(
CREATE SCHEMA IF NOT EXISTS _biwa;
CREATE TABLE IF NOT EXISTS _biwa.stream_books (version BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS _biwa.streams (
    stream VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    position VARCHAR NOT NULL,
    position_order UBIGINT NOT NULL,
    commit_time TIMESTAMPTZ,
    paused BOOLEAN NOT NULL DEFAULT false,
    history VARCHAR NOT NULL DEFAULT '');
ALTER TABLE _biwa.streams ADD COLUMN IF NOT EXISTS paused BOOLEAN DEFAULT false;
ALTER TABLE _biwa.streams ADD COLUMN IF NOT EXISTS history VARCHAR DEFAULT '';
CREATE TABLE IF NOT EXISTS _biwa.stream_tables (
    stream VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    source_table VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    key_repeats BOOLEAN NOT NULL,
    overlap_until UBIGINT NOT NULL,
    from_order UBIGINT NOT NULL,
    inserts_only BOOLEAN NOT NULL DEFAULT false,
    shape VARCHAR NOT NULL DEFAULT '',
    part VARCHAR NOT NULL DEFAULT '',
    until_order UBIGINT NOT NULL DEFAULT 0);
ALTER TABLE _biwa.stream_tables ADD COLUMN IF NOT EXISTS inserts_only BOOLEAN DEFAULT false;
ALTER TABLE _biwa.stream_tables ADD COLUMN IF NOT EXISTS shape VARCHAR DEFAULT '';
ALTER TABLE _biwa.stream_tables ADD COLUMN IF NOT EXISTS part VARCHAR DEFAULT '';
ALTER TABLE _biwa.stream_tables ADD COLUMN IF NOT EXISTS until_order UBIGINT DEFAULT 0;
CREATE TABLE IF NOT EXISTS _biwa.stream_columns (
    dataset VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    type VARCHAR NOT NULL,
    place INTEGER NOT NULL DEFAULT 0,
    type_at_source VARCHAR NOT NULL DEFAULT '',
    is_withheld BOOLEAN NOT NULL DEFAULT false,
    mask_before VARCHAR);
ALTER TABLE _biwa.stream_columns ADD COLUMN IF NOT EXISTS place INTEGER DEFAULT 0;
ALTER TABLE _biwa.stream_columns ADD COLUMN IF NOT EXISTS type_at_source VARCHAR DEFAULT '';
ALTER TABLE _biwa.stream_columns ADD COLUMN IF NOT EXISTS is_withheld BOOLEAN DEFAULT false;
ALTER TABLE _biwa.stream_columns ADD COLUMN IF NOT EXISTS mask_before VARCHAR;
CREATE TABLE IF NOT EXISTS _biwa.heard_columns (
    stream VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    column_name VARCHAR NOT NULL,
    mask VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS _biwa.snapshot_ranges (
    stream VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    source_table VARCHAR NOT NULL,
    range VARCHAR NOT NULL,
    rows_estimate BIGINT NOT NULL,
    done BOOLEAN NOT NULL);
CREATE TABLE IF NOT EXISTS _biwa.reconciliations (
    stream VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    source_table VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    compared_at TIMESTAMPTZ NOT NULL,
    seconds DOUBLE NOT NULL,
    rows BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    extra BIGINT NOT NULL,
    different BIGINT NOT NULL,
    changing BIGINT NOT NULL,
    repaired BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS _biwa.histories (
    stream VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    source_table VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    epoch INTEGER NOT NULL,
    key VARCHAR[] NOT NULL,
    key_repeats BOOLEAN NOT NULL,
    began UBIGINT NOT NULL,
    began_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ);
CREATE TABLE IF NOT EXISTS _biwa.differing_rows (
    stream VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    source_table VARCHAR NOT NULL,
    key VARCHAR[] NOT NULL,
    difference VARCHAR NOT NULL);
)";

const char* PhaseName(StreamPhase phase) {
    switch (phase) {
        case StreamPhase::kNew:
            return "new";
        case StreamPhase::kStarting:
            return "starting";
        case StreamPhase::kSnapshot:
            return "snapshot";
        case StreamPhase::kStreaming:
            return "streaming";
        case StreamPhase::kLeaving:
            return "leaving";
    }
    return "new";
}

Result<StreamPhase> ParsePhase(std::string_view name) {
    for (const auto phase : {StreamPhase::kNew, StreamPhase::kStarting, StreamPhase::kSnapshot,
                             StreamPhase::kStreaming, StreamPhase::kLeaving}) {
        if (name == PhaseName(phase)) return phase;
    }
    return Corrupt(fmt::format("_biwa.streams has an unknown phase \"{}\"", name),
                   "Was the warehouse written by a newer Biwa?");
}

Result<TablePhase> ParseTablePhase(std::string_view name) {
    for (const auto phase : {TablePhase::kCopying, TablePhase::kLive, TablePhase::kWaiting,
                             TablePhase::kPaused, TablePhase::kGone}) {
        if (name == ToString(phase)) return phase;
    }
    return Corrupt(fmt::format("_biwa.stream_tables has an unknown phase \"{}\"", name),
                   "Was the warehouse written by a newer Biwa?");
}

std::string OfTable(const std::string& stream, const StreamState::Table& table) {
    return fmt::format("stream = {} AND source_schema = {} AND source_table = {}",
                       QuoteLiteral(stream), QuoteLiteral(table.schema), QuoteLiteral(table.name));
}

// Calls `each` for every row of a query.
template <typename Each>
Status ForEachRow(ReadSession& session, const std::string& sql, const Each& each) {
    const auto rows = BIWA_TRY(session.Query(sql));
    for (;;) {
        const auto* block = BIWA_TRY(rows->Next());
        if (block == nullptr) return {};
        for (std::size_t row = 0; row < block->rows; ++row) each(block->columns, row);
    }
}

}  // namespace

std::string_view ToString(TablePhase phase) {
    switch (phase) {
        case TablePhase::kCopying:
            return "copying";
        case TablePhase::kLive:
            return "live";
        case TablePhase::kWaiting:
            return "waiting";
        case TablePhase::kPaused:
            return "paused";
        case TablePhase::kGone:
            return "gone";
    }
    return "unknown";
}

StreamState::Table* StreamState::Find(const std::string& source_name) {
    for (auto& table : tables) {
        if (table.ToString() == source_name) return &table;
    }
    return nullptr;
}

namespace {

// 0: from before they had one, or there are none.
Result<std::int64_t> ReadBooksVersion(Warehouse& warehouse) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    std::int64_t version = 0;
    const auto read = ForEachRow(*session, "SELECT version FROM _biwa.stream_books",
                                 [&](const std::vector<Cells>& columns, std::size_t row) {
                                     version = columns[0].Get<std::int64_t>(row);
                                 });
    if (!read && read.error().kind != ErrorKind::kUser) return tl::unexpected(read.error());
    return version;
}

}  // namespace

Status PrepareStateTables(Warehouse& warehouse) {
    const auto version = BIWA_TRY(ReadBooksVersion(warehouse));
    if (version > kBooksVersion) {
        return UserError(
            fmt::format("the warehouse's books of streams are a newer Biwa's: of version {}, and "
                        "this one knows {}",
                        version, kBooksVersion),
            "Run that one, or go back to a copy of the warehouse from before it.");
    }
    // Each stream asks, whenever it connects.
    if (version == kBooksVersion) return {};
    auto transaction = BIWA_TRY(warehouse.Begin());
    // As it was before tables had phases.
    const auto old =
        BIWA_TRY(BIWA_TRY(transaction->Query(
                              "SELECT 1 FROM duckdb_columns() WHERE schema_name = '_biwa' AND "
                              "table_name = 'stream_tables' AND column_name = 'copied'"))
                     ->Next());
    if (old != nullptr) {
        BIWA_TRY(transaction->Execute("ALTER TABLE _biwa.stream_tables RENAME TO old_tables"));
    }
    BIWA_TRY(transaction->Execute(kTables));
    if (old != nullptr) {
        BIWA_TRY(transaction->Execute(
            "INSERT INTO _biwa.stream_tables SELECT stream, source_schema, source_table, '', "
            "CASE WHEN copied THEN 'live' ELSE 'copying' END, '', false, overlap_until, 0, false, "
            "'', '', 0 "
            "FROM _biwa.old_tables; DROP TABLE _biwa.old_tables"));
    }
    BIWA_TRY(transaction->Execute(
        fmt::format("DELETE FROM _biwa.stream_books; INSERT INTO _biwa.stream_books VALUES ({})",
                    kBooksVersion)));
    return transaction->Commit();
}

Result<StreamState> ReadStreamState(Warehouse& warehouse, const std::string& stream) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    StreamState state;
    std::string phase = PhaseName(StreamPhase::kNew);
    BIWA_TRY(ForEachRow(*session,
                        fmt::format("SELECT phase, position, position_order::HUGEINT, "
                                    "coalesce(epoch_us(commit_time), 0), paused, history FROM "
                                    "_biwa.streams WHERE stream = {}",
                                    QuoteLiteral(stream)),
                        [&](const std::vector<Cells>& columns, std::size_t row) {
                            phase = columns[0].GetString(row);
                            state.position.text = columns[1].GetString(row);
                            state.position.order = columns[2].Get<Int128>(row).low;
                            state.commit_time = columns[3].Get<std::int64_t>(row);
                            state.is_paused = columns[4].Get<std::uint8_t>(row) != 0;
                            state.history = columns[5].GetString(row);
                        }));
    state.phase = BIWA_TRY(ParsePhase(phase));
    // What a line has is written down after its phase, and goes with it.
    if (state.phase == StreamPhase::kNew) return state;
    Status read;
    BIWA_TRY(ForEachRow(
        *session,
        fmt::format("SELECT source_schema, source_table, source_id, phase, reason, key_repeats, "
                    "overlap_until::HUGEINT, from_order::HUGEINT, inserts_only, shape, part, "
                    "until_order::HUGEINT FROM _biwa.stream_tables WHERE stream = {} ORDER BY 1, 2",
                    QuoteLiteral(stream)),
        [&](const std::vector<Cells>& columns, std::size_t row) {
            auto& table = state.tables.emplace_back();
            table.schema = columns[0].GetString(row);
            table.name = columns[1].GetString(row);
            table.id = columns[2].GetString(row);
            const auto phase_there = ParseTablePhase(columns[3].GetString(row));
            if (phase_there) {
                table.phase = *phase_there;
            } else {
                read = tl::unexpected(phase_there.error());
            }
            table.reason = columns[4].GetString(row);
            table.key_repeats = columns[5].Get<std::uint8_t>(row) != 0;
            table.overlap_until = columns[6].Get<Int128>(row).low;
            table.from = columns[7].Get<Int128>(row).low;
            table.inserts_only = columns[8].Get<std::uint8_t>(row) != 0;
            table.shape = columns[9].GetString(row);
            table.part = columns[10].GetString(row);
            table.until = columns[11].Get<Int128>(row).low;
        }));
    BIWA_TRY(read);
    BIWA_TRY(ForEachRow(
        *session,
        fmt::format("SELECT source_schema, source_table, range, rows_estimate "
                    "FROM _biwa.snapshot_ranges WHERE stream = {} AND NOT done ORDER BY rowid",
                    QuoteLiteral(stream)),
        [&](const std::vector<Cells>& columns, std::size_t row) {
            for (auto& table : state.tables) {
                if (table.schema == columns[0].GetString(row) &&
                    table.name == columns[1].GetString(row)) {
                    table.ranges_left.push_back({std::string(columns[2].GetString(row)),
                                                 columns[3].Get<std::int64_t>(row)});
                }
            }
        }));
    return state;
}

Status SavePhase(WriteTransaction& transaction, const std::string& stream, StreamPhase phase) {
    const auto changed = BIWA_TRY(transaction.ExecuteWith(
        fmt::format("UPDATE _biwa.streams SET phase = '{}' WHERE stream = {}", PhaseName(phase),
                    QuoteLiteral(stream)),
        {}));
    if (changed > 0) return {};
    return transaction.Execute(
        fmt::format("INSERT INTO _biwa.streams VALUES ({}, '{}', '', 0, NULL, false, '')",
                    QuoteLiteral(stream), PhaseName(phase)));
}

Status SavePaused(WriteTransaction& transaction, const std::string& stream, bool is_paused) {
    const auto set = fmt::format("UPDATE _biwa.streams SET paused = {} WHERE stream = {}",
                                 is_paused, QuoteLiteral(stream));
    if (BIWA_TRY(transaction.ExecuteWith(set, {})) > 0) return {};
    // Nothing was done for it yet.
    BIWA_TRY(SavePhase(transaction, stream, StreamPhase::kNew));
    return transaction.Execute(set);
}

Status SavePosition(WriteTransaction& transaction, const std::string& stream,
                    const Position& position, Micros commit_time) {
    return transaction.Execute(fmt::format(
        "UPDATE _biwa.streams SET position = {}, position_order = {}{} WHERE stream = {}",
        QuoteLiteral(position.text), position.order,
        commit_time == 0 ? "" : fmt::format(", commit_time = make_timestamptz({})", commit_time),
        QuoteLiteral(stream)));
}

Status SaveHistory(WriteTransaction& transaction, const std::string& stream,
                   const std::string& history) {
    return transaction.Execute(
        fmt::format("UPDATE _biwa.streams SET history = {} WHERE stream = {}",
                    QuoteLiteral(history), QuoteLiteral(stream)));
}

Status SaveTable(WriteTransaction& transaction, const std::string& stream,
                 const StreamState::Table& table) {
    BIWA_TRY(ForgetTable(transaction, stream, table));
    if (table.phase == TablePhase::kLive) BIWA_TRY(ForgetHeard(transaction, stream, table));
    // From here on there are changes that it is not told.
    if (!table.is_followed()) {
        BIWA_TRY(EndEpoch(transaction, stream, table.schema, table.name));
    }
    BIWA_TRY(transaction.Execute(fmt::format(
        "INSERT INTO _biwa.stream_tables (stream, source_schema, source_table, source_id, phase, "
        "reason, key_repeats, overlap_until, from_order, inserts_only, shape, part, "
        "until_order) VALUES ({}, {}, {}, {}, '{}', {}, {}, {}, {}, {}, {}, {}, {})",
        QuoteLiteral(stream), QuoteLiteral(table.schema), QuoteLiteral(table.name),
        QuoteLiteral(table.id), ToString(table.phase), QuoteLiteral(table.reason),
        table.key_repeats, table.overlap_until, table.from, table.inserts_only,
        QuoteLiteral(table.shape), QuoteLiteral(table.part), table.until)));
    std::string values;
    for (const auto& range : table.ranges_left) {
        values +=
            fmt::format("{}({}, {}, {}, {}, {}, false)", values.empty() ? "" : ", ",
                        QuoteLiteral(stream), QuoteLiteral(table.schema), QuoteLiteral(table.name),
                        QuoteLiteral(range.text), range.rows_estimate);
    }
    if (values.empty()) return {};
    return transaction.Execute("INSERT INTO _biwa.snapshot_ranges VALUES " + values);
}

Status SaveHeard(WriteTransaction& transaction, const std::string& stream,
                 const StreamState::Table& table,
                 const std::vector<TableChanges::HeardColumn>& columns) {
    for (const auto& column : columns) {
        BIWA_TRY(transaction.Execute(
            fmt::format("INSERT INTO _biwa.heard_columns SELECT {}, {}, {}, {}, {} EXCEPT FROM "
                        "_biwa.heard_columns",
                        QuoteLiteral(stream), QuoteLiteral(table.id), column.number,
                        QuoteLiteral(column.name), QuoteLiteral(column.mask))));
    }
    return {};
}

Status SaveShape(WriteTransaction& transaction, const std::string& stream,
                 const StreamState::Table& table) {
    return transaction.Execute(fmt::format("UPDATE _biwa.stream_tables SET shape = {} WHERE {}",
                                           QuoteLiteral(table.shape), OfTable(stream, table)));
}

Status SaveOverlap(WriteTransaction& transaction, const std::string& stream,
                   const std::string& schema, const std::string& name,
                   std::uint64_t overlap_until) {
    StreamState::Table table;
    table.schema = schema;
    table.name = name;
    return transaction.Execute(
        fmt::format("UPDATE _biwa.stream_tables SET overlap_until = {} WHERE {}", overlap_until,
                    OfTable(stream, table)));
}

Status SaveRangesDone(WriteTransaction& transaction, const std::string& stream,
                      const StreamState::Table& table, const std::vector<SnapshotRange>& ranges) {
    std::string list;
    for (const auto& range : ranges) {
        list += (list.empty() ? "" : ", ") + QuoteLiteral(range.text);
    }
    if (list.empty()) return {};
    return transaction.Execute(
        fmt::format("UPDATE _biwa.snapshot_ranges SET done = true WHERE {} AND range IN ({})",
                    OfTable(stream, table), list));
}

Status ForgetTable(WriteTransaction& transaction, const std::string& stream,
                   const StreamState::Table& table) {
    BIWA_TRY(transaction.Execute(
        fmt::format("DELETE FROM _biwa.snapshot_ranges WHERE {}", OfTable(stream, table))));
    return transaction.Execute(
        fmt::format("DELETE FROM _biwa.stream_tables WHERE {}", OfTable(stream, table)));
}

Status ForgetHeard(WriteTransaction& transaction, const std::string& stream,
                   const StreamState::Table& table) {
    return transaction.Execute(
        fmt::format("DELETE FROM _biwa.heard_columns WHERE stream = {} AND source_id = {}",
                    QuoteLiteral(stream), QuoteLiteral(table.id)));
}

Status ForgetStream(WriteTransaction& transaction, const std::string& stream) {
    BIWA_TRY(EndEpochs(transaction, stream));
    for (const auto* table : {"differing_rows", "heard_columns", "reconciliations",
                              "snapshot_ranges", "stream_tables", "streams"}) {
        BIWA_TRY(transaction.Execute(
            fmt::format("DELETE FROM _biwa.{} WHERE stream = {}", table, QuoteLiteral(stream))));
    }
    return {};
}

}  // namespace biwa
