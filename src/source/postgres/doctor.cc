#include "source/postgres/doctor.h"

#include <fmt/format.h>

#include "base/text.h"
#include "source/postgres/catalog.h"
#include "source/postgres/published_part.h"
#include "source/postgres/rights.h"
#include "source/postgres/standby.h"
#include "source/postgres/stream_source.h"

namespace biwa::postgres {

namespace {

using Level = Finding::Level;

class Examination {
  public:
    Examination(const Connection& connection, const StreamToExamine& stream)
        : connection_(connection),
          stream_(stream),
          slot_(SlotName(stream.name)),
          inserts_(InsertsName(stream.name)) {}

    Status Run() {
        BIWA_TRY(Server());
        BIWA_TRY(Role());
        BIWA_TRY(Publications());
        BIWA_TRY(Slots());
        BIWA_TRY(WhatItMade());
        BIWA_TRY(Tables());
        return {};
    }
    Status Standby(const ConnectionParameters& parameters) {
        const auto standby = OpenStandby(parameters, connection_);
        if (!standby) {
            Add(Level::kProblem, standby.error().message, "tables are to be copied there",
                standby.error().hint);
            return {};
        }
        const auto feedback =
            BIWA_TRY(standby->Query("SELECT current_setting('hot_standby_feedback')")).Text(0, 0);
        if (feedback == "on") {
            Add(Level::kGood, "the standby of snapshot_from has replayed what the primary wrote");
        } else {
            Add(Level::kWarning, "the standby's hot_standby_feedback is " + feedback,
                "it may cut off a copy for the sake of the log that it replays; the copy then goes "
                "on where it was",
                "ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();  -- there");
        }
        return {};
    }
    std::vector<Finding> TakeFindings() { return std::move(findings_); }

  private:
    void Add(Level level, std::string what, std::string why = "", std::string mend = "") {
        findings_.push_back({level, std::move(what), std::move(why), std::move(mend)});
    }
    Result<std::string> Show(const std::string& setting) {
        return BIWA_TRY(connection_.Query("SELECT current_setting($1)", {setting})).Text(0, 0);
    }

    Status Server() {
        const int version = connection_.server_version();
        Add(version >= 100'000 ? Level::kGood : Level::kProblem,
            fmt::format("PostgreSQL {}.{}", version / 10'000, version % 10'000),
            version >= 140'000 ? ""
                               : "before 14 tables are copied by one connection each, and changes "
                                 "come as text: slower");
        const auto recovery =
            BIWA_TRY(connection_.Query("SELECT pg_catalog.pg_is_in_recovery()")).Boolean(0, 0);
        if (recovery) {
            Add(Level::kProblem, "the server is a standby",
                "before PostgreSQL 16 changes can only be followed at the primary",
                "Point the connection at the primary.");
        }
        const auto level = BIWA_TRY(Show("wal_level"));
        if (level == "logical") {
            Add(Level::kGood, "wal_level is logical");
        } else {
            Add(Level::kProblem, "wal_level is " + level,
                "changes can be followed only with wal_level = logical",
                "ALTER SYSTEM SET wal_level = logical;  -- then restart the server");
        }
        const auto keep = BIWA_TRY(Show("max_slot_wal_keep_size"));
        if (keep == "-1") {
            Add(Level::kWarning, "max_slot_wal_keep_size is -1 (no limit)",
                "while Biwa is stopped the server keeps its log for it, no wal_guard can act, and "
                "the "
                "disk may fill",
                "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();");
        } else {
            Add(Level::kGood, "max_slot_wal_keep_size is " + keep);
        }
        const auto encoding = BIWA_TRY(Show("server_encoding"));
        if (encoding == "SQL_ASCII") {
            Add(Level::kWarning, "the database's encoding is SQL_ASCII",
                "its text may not be UTF-8, and a row with such text would stop the stream");
        }
        return {};
    }

    Status Role() {
        const auto role = BIWA_TRY(connection_.Query(
            "SELECT current_user, r.rolsuper, r.rolreplication, "
            "pg_catalog.has_database_privilege(current_database(), 'CREATE'), current_database(), "
            "EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g "
            "        ON g.oid = m.roleid WHERE m.member = r.oid AND g.rolname = 'rds_replication') "
            "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"));
        const auto name = role.Text(0, 0);
        const bool may_replicate = role.Boolean(0, 1) || role.Boolean(0, 2) || role.Boolean(0, 5);
        if (may_replicate) {
            Add(Level::kGood, fmt::format("role {} may replicate", name));
        } else {
            Add(Level::kProblem, fmt::format("role {} may not replicate", name),
                "following changes needs it",
                fmt::format("ALTER ROLE {} REPLICATION;", QuoteIdentifier(name)));
        }
        if (!role.Boolean(0, 3)) {
            Add(Level::kProblem,
                fmt::format("role {} may not create a publication in {}", name, role.Text(0, 4)),
                "a stream needs one",
                fmt::format("GRANT CREATE ON DATABASE {} TO {};", QuoteIdentifier(role.Text(0, 4)),
                            QuoteIdentifier(name)));
        }
        return {};
    }

    // The stream's own may have been made as another role, as which the connection was opened then.
    Status Publications() {
        for (const auto& [name, other] :
             BIWA_TRY(OthersPublications(connection_, {slot_, inserts_}))) {
            Add(Level::kProblem, other.refusal, "tables that come and go cannot be published",
                other.mend_sql);
        }
        return {};
    }

    Status Slots() {
        const auto counts = BIWA_TRY(
            connection_.Query("SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots), "
                              "current_setting('max_replication_slots')::bigint, "
                              "(SELECT count(*) FROM pg_catalog.pg_stat_replication), "
                              "current_setting('max_wal_senders')::bigint"));
        const auto mine =
            BIWA_TRY(connection_.Query("SELECT active, coalesce(wal_status, 'reserved'), "
                                       "pg_catalog.pg_current_wal_lsn() - restart_lsn "
                                       "FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                                       {slot_}));
        if (mine.empty()) {
            if (counts.Number(0, 0) >= counts.Number(0, 1)) {
                Add(Level::kProblem,
                    fmt::format("all {} replication slots are taken", counts.Number(0, 1)),
                    "the stream needs one",
                    fmt::format("ALTER SYSTEM SET max_replication_slots = {};  -- then restart, or "
                                "drop a slot that nobody needs: SELECT * FROM pg_replication_slots",
                                counts.Number(0, 1) + 10));
            } else if (!stream_.mend_of_loss) {
                Add(Level::kGood,
                    fmt::format("{} of {} replication slots are free",
                                counts.Number(0, 1) - counts.Number(0, 0), counts.Number(0, 1)));
            }
        } else if (mine.Text(0, 1) == "lost") {
            // Of a stream that follows it WhatItMade says so.
            if (!stream_.mend_of_loss) {
                Add(Level::kProblem, fmt::format("slot {} has lost the log it needed", slot_),
                    "the stream makes its own when it begins",
                    fmt::format("SELECT pg_drop_replication_slot('{}');", slot_));
            }
        } else {
            Add(Level::kGood, fmt::format("slot {} is there{} and keeps {} of log", slot_,
                                          mine.Boolean(0, 0) ? ", in use," : "",
                                          HumanBytes(static_cast<std::uint64_t>(
                                              std::max<std::int64_t>(0, mine.Number(0, 2))))));
        }
        if (counts.Number(0, 2) >= counts.Number(0, 3)) {
            Add(Level::kProblem, fmt::format("all {} WAL senders are busy", counts.Number(0, 3)),
                "the stream needs one",
                fmt::format("ALTER SYSTEM SET max_wal_senders = {};  -- then restart",
                            counts.Number(0, 3) + 10));
        }
        return {};
    }

    Status WhatItMade() {
        if (!stream_.mend_of_loss) return {};
        const auto made = BIWA_TRY(ReadStreamAtServer(connection_, stream_.name));
        if (!made.loss.empty()) {
            Add(Level::kProblem, made.loss, "changes were lost", *stream_.mend_of_loss);
        }
        return {};
    }

    Status Tables() {
        const auto types = BIWA_TRY(ReadTypes(connection_));
        auto tables =
            ReadTables(connection_, types, stream_.tables, IfMissing::kRefuse, stream_.only);
        if (!tables) {
            Add(Level::kProblem, tables.error().message, "", tables.error().hint);
            return {};
        }
        std::erase_if(*tables, [this](const auto& one) { return stream_.is_excluded(one.table); });
        const auto missing = BIWA_TRY(MissingRights(connection_, *tables));
        PartExaminer parts({slot_, inserts_});
        for (std::size_t i = 0; i < tables->size(); ++i) {
            auto& table = (*tables)[i].table;
            BIWA_TRY(parts.Examine(connection_, table));
            const auto name = table.ToString();
            if (!missing[i].refusal.empty()) {
                Add(Level::kProblem, fmt::format("table {} {}", name, missing[i].refusal), "",
                    missing[i].mend_sql);
            } else if (!table.refusal.empty()) {
                Add(Level::kProblem, fmt::format("table {} {}", name, table.refusal),
                    "it is left out of the stream until then",
                    table.mend_sql == kAskDoctor ? "" : table.mend_sql);
            } else {
                Add(Level::kGood, fmt::format("table {}{}", name, BIWA_TRY(SizeOf(table))));
                for (const auto& note : table.notes) {
                    Add(Level::kWarning, fmt::format("table {} {}", name, note));
                }
            }
            for (const auto& column : table.columns.columns) {
                if (column.note.empty()) continue;
                Add(Level::kWarning,
                    fmt::format("column {}.{}: {}", name, column.name, column.note));
            }
        }
        return {};
    }

    // " (5.0k rows, 1.2 MB)". Of a table that was not analyzed since it had rows the server knows
    // no number, and it is measured, with its partitions; empty where somebody alters it just now.
    Result<std::string> SizeOf(const SourceTable& table) {
        if (table.rows_estimate > 0) {
            return fmt::format(" ({} rows, {})", HumanCount(table.rows_estimate),
                               HumanBytes(static_cast<std::uint64_t>(table.bytes)));
        }
        BIWA_TRY(connection_.Execute("SET lock_timeout = '500ms'"));
        const auto measured = connection_.Query(
            "WITH RECURSIVE part (oid) AS (SELECT $1::oid UNION ALL SELECT i.inhrelid FROM part "
            "JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid) "
            "SELECT coalesce(sum(pg_catalog.pg_table_size(oid)), 0)::bigint FROM part",
            {table.id});
        BIWA_TRY(connection_.Execute("RESET lock_timeout"));
        if (!measured) return std::string();
        return fmt::format(" ({})", HumanBytes(static_cast<std::uint64_t>(measured->Number(0, 0))));
    }

    const Connection& connection_;
    const StreamToExamine& stream_;
    const std::string slot_;  // its name and that of the publication
    const std::string inserts_;
    std::vector<Finding> findings_;
};

}  // namespace

Result<std::vector<Finding>> Examine(const ConnectionParameters& parameters,
                                     const ConnectionParameters* standby,
                                     const StreamToExamine& stream) {
    const auto connection = BIWA_TRY(Connection::Open(parameters, Connection::Kind::kSql));
    Examination examination(connection, stream);
    BIWA_TRY(examination.Run());
    if (standby != nullptr) BIWA_TRY(examination.Standby(*standby));
    return examination.TakeFindings();
}

}  // namespace biwa::postgres
