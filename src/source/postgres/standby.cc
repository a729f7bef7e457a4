#include "source/postgres/standby.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "source/postgres/snapshot.h"

namespace biwa::postgres {

namespace {

constexpr std::chrono::seconds kReplayMax{20};

}  // namespace

Result<Connection> OpenStandby(const ConnectionParameters& standby, const Connection& primary) {
    auto opened = Connection::Open(standby, Connection::Kind::kSql);
    if (!opened) return Within("snapshot_from", opened.error());
    auto connection = std::move(*opened);
    constexpr const char* kSystem =
        "SELECT system_identifier, pg_catalog.pg_is_in_recovery() "
        "FROM pg_catalog.pg_control_system()";
    const auto here = BIWA_TRY(primary.Query(kSystem));
    const auto there = BIWA_TRY(connection.Query(kSystem));
    if (!there.Boolean(0, 1)) {
        return UserError("snapshot_from is no standby: it writes a log of its own",
                         "Name a standby of the connection's server, or take snapshot_from out.");
    }
    if (here.Text(0, 0) != there.Text(0, 0)) {
        return UserError("snapshot_from is a standby of another server",
                         "Name a standby of the connection's server, or take snapshot_from out.");
    }
    const auto wanted =
        BIWA_TRY(primary.Query("SELECT pg_catalog.pg_current_wal_lsn()")).Text(0, 0);
    const auto until = std::chrono::steady_clock::now() + kReplayMax;
    for (;;) {
        const auto at = BIWA_TRY(
            connection.Query("SELECT pg_catalog.pg_last_wal_replay_lsn() >= $1::pg_catalog.pg_lsn, "
                             "pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_in_recovery()",
                             {wanted}));
        if (!at.Boolean(0, 2)) return Unavailable("snapshot_from has just become a primary");
        if (at.Boolean(0, 0)) return connection;
        if (std::chrono::steady_clock::now() > until) {
            return Unavailable(
                fmt::format("the standby of snapshot_from is at {}, and the primary was at {} {}s "
                            "ago",
                            at.Text(0, 1), wanted, kReplayMax.count()),
                "Does it still get the log (pg_stat_wal_receiver)? Else take snapshot_from out.");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

Result<std::unique_ptr<SnapshotReader>> SnapshotOf(const ConnectionParameters& parameters,
                                                   Connection exporter, const TableParts& only) {
    BIWA_TRY(exporter.Execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    const auto name = BIWA_TRY(exporter.Query("SELECT pg_catalog.pg_export_snapshot()"));
    auto types = BIWA_TRY(ReadTypes(exporter));
    return std::make_unique<PostgresSnapshot>(parameters, std::move(exporter), name.Text(0, 0),
                                              std::move(types), only);
}

void RefuseWithoutKey(SourceTable& table) {
    const auto& columns = table.columns;
    if (!table.refusal.empty() || (!columns.key.empty() && !columns.key_repeats)) return;
    table.refusal = "has no key, so it cannot be read from the standby of snapshot_from";
    table.mend_sql =
        "ADD PRIMARY KEY, or a stream of its own over a connection without snapshot_from";
}

}  // namespace biwa::postgres
