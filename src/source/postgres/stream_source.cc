#include "source/postgres/stream_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "base/text.h"
#include "source/lost.h"
#include "source/postgres/catalog.h"
#include "source/postgres/change_source.h"
#include "source/postgres/history.h"
#include "source/postgres/keyed_rows.h"
#include "source/postgres/partitions.h"
#include "source/postgres/pgoutput.h"
#include "source/postgres/published_part.h"
#include "source/postgres/rights.h"
#include "source/postgres/snapshot.h"
#include "source/postgres/standby.h"
#include "source/silence.h"

namespace biwa::postgres {

namespace {

// The first with slots that standbys have too.
constexpr int kFailoverVersion = 170'000;

// What a publication has: number, name, whether a part; one row of NULLs where it has none. In
// each, whether the publication is as it was made.
std::string MembersSql() {
    return fmt::format(R"(
SELECT r.prrelid,
       'ONLY ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       {}, {}
FROM pg_catalog.pg_publication p
LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
LEFT JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = $1)",
                       kIsPartSql, IsAsMade("$2"));
}

tl::unexpected<Error> Lost(std::string what) {
    return Fail(ErrorKind::kConflict, std::move(what),
                std::string("Changes were lost. ") + kCopyAllAnew);
}

Result<StreamAtServer> ReadAtServer(const Connection& connection, const std::string& slot_name,
                                    const std::string& inserts) {
    StreamAtServer found;
    const auto slot = BIWA_TRY(connection.Query(
        "SELECT confirmed_flush_lsn, wal_status = 'lost', pg_catalog.pg_current_wal_lsn() "
        "FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
        {slot_name}));
    if (slot.empty()) {
        found.loss = fmt::format("replication slot {} is gone from the server", slot_name);
        return found;
    }
    found.confirmed = slot.Text(0, 0);
    found.head = slot.Text(0, 2);
    // One that is made again does not serve for the log from before that.
    const auto publications = BIWA_TRY(
        connection.Query("SELECT count(*) FROM pg_catalog.pg_publication WHERE pubname IN ($1, $2)",
                         {slot_name, inserts}));
    if (publications.Number(0, 0) < 2) {
        found.loss =
            fmt::format("publication {} or {} is gone from the server", slot_name, inserts);
    } else if (!slot.IsNull(0, 1) && slot.Boolean(0, 1)) {
        found.loss = fmt::format(
            "the server has thrown away the log that slot {} needed (max_slot_wal_keep_size)",
            slot_name);
    }
    return found;
}

class PostgresStreamSource final : public StreamSource {
  public:
    PostgresStreamSource(ConnectionParameters parameters,
                         std::optional<ConnectionParameters> standby, const std::string& stream,
                         TableParts only)
        : parameters_(std::move(parameters)),
          standby_(std::move(standby)),
          only_(std::move(only)),
          name_(SlotName(stream)),
          inserts_(InsertsName(stream)),
          filled_parts_({name_, inserts_}),
          parts_({name_, inserts_}) {}

    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>& patterns,
                                            IfMissing if_missing) override;
    Status CheckStart() override;
    Result<StreamStart> Start(const std::vector<SourceTable>& tables, bool replace) override;
    Status Publish(const std::vector<SourceTable>& tables,
                   const std::set<std::string>& as_they_are) override;
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override;
    Result<std::string> CheckHistory(const std::string& known, const Position& from) override;
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>& tables,
                                                 const Position& from,
                                                 std::chrono::milliseconds idle_every) override;
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) override;
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable& table,
                                                const KeyRange& range) override;
    Result<Position> Head() override;
    Result<SourceProgress> Progress() override;
    Status Remove() override;
    Status CheckReach() override {
        BIWA_TRY(Asking());
        return {};
    }

  private:
    // A connection for questions, kept open; opened anew when it broke.
    Result<const Connection*> Asking();
    Status DropSlot(const Connection& connection);
    // kUser when somebody else reads the slot, kUnavailable when that is not sure.
    Status CheckFree(const Connection& connection);
    Status MakePublications(const Connection& connection, const std::vector<SourceTable>& tables);
    std::string Published(const SourceTable& table) const;
    std::string Options(const Connection& connection, const std::string& publication) const;
    Result<std::string> ChangesOf(const Connection& connection, const std::string& publication,
                                  const std::vector<const SourceTable*>& tables,
                                  const std::set<std::string>& as_they_are) const;

    const ConnectionParameters parameters_;
    const std::optional<ConnectionParameters> standby_;
    const TableParts only_;
    const std::string name_;     // of the slot and of the publication
    const std::string inserts_;  // of the publication of tables whose inserts alone are followed
    FilledParts filled_parts_;
    std::optional<Connection> asking_;
    PartExaminer parts_;  // behind the names above
};

Result<const Connection*> PostgresStreamSource::Asking() {
    if (!asking_ || !asking_->is_good()) {
        asking_.reset();
        asking_ = BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kSql));
        asking_->LimitSilence(SilenceMax());
    }
    return &*asking_;
}

Result<std::vector<SourceTable>> PostgresStreamSource::Tables(
    const std::vector<std::string>& patterns, IfMissing if_missing) {
    const auto& connection = *BIWA_TRY(Asking());
    const auto types = BIWA_TRY(ReadTypes(connection));
    auto all = BIWA_TRY(ReadTables(connection, types, patterns, if_missing, only_));
    BIWA_TRY(filled_parts_.Note(connection, all));
    BIWA_TRY(JudgeRights(connection, {name_, inserts_}, all));
    std::vector<SourceTable> tables;
    for (auto& found : all) {
        BIWA_TRY(parts_.Examine(connection, found.table));
        if (standby_) RefuseWithoutKey(found.table);
        tables.push_back(std::move(found.table));
    }
    return tables;
}

Status PostgresStreamSource::DropSlot(const Connection& connection) {
    // A connection that just broke may hold the slot for a moment more.
    for (int attempt = 0;; ++attempt) {
        const auto slot = BIWA_TRY(connection.Query(
            "SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", {name_}));
        if (slot.empty()) return {};
        if (!slot.Boolean(0, 0)) break;
        if (attempt == 50) {
            // The server holds on to a broken connection for as long as wal_sender_timeout.
            return Unavailable(
                fmt::format("replication slot {} is in use by another process", name_),
                "Is another Biwa running for this stream? Stop it first.");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    BIWA_TRY(connection.Query("SELECT pg_catalog.pg_drop_replication_slot($1)", {name_}));
    return {};
}

// "ONLY schema.name", with the part of it that is wanted.
std::string PostgresStreamSource::Published(const SourceTable& table) const {
    const auto part = only_.find(table.ToString());
    return fmt::format("ONLY {}.{}{}", QuoteIdentifier(table.schema), QuoteIdentifier(table.name),
                       part == only_.end() ? "" : PublishedPart(part->second));
}

std::string PostgresStreamSource::Options(const Connection& connection,
                                          const std::string& publication) const {
    return fmt::format(
        "publish = '{}'{}",
        publication == inserts_ ? "insert, truncate" : "insert, update, delete, truncate",
        connection.server_version() >= kPublishRootVersion ? ", publish_via_partition_root = true"
                                                           : "");
}

// Both publications are there from the stream's beginning, tables or not: changes from before a
// publication was made cannot be read with it.
Status PostgresStreamSource::MakePublications(const Connection& connection,
                                              const std::vector<SourceTable>& tables) {
    std::string all, inserts;
    for (const auto& table : tables) {
        auto& list = table.columns.key.empty() ? inserts : all;
        list += (list.empty() ? " FOR TABLE " : ", ") + Published(table);
    }
    const auto statement = [&](const std::string& publication, const std::string& list) {
        return fmt::format("CREATE PUBLICATION {}{} WITH ({});", QuoteIdentifier(publication), list,
                           Options(connection, publication));
    };
    // Both in one message, which the server carries out as one transaction.
    return connection.Execute(statement(name_, all) + statement(inserts_, inserts));
}

// What makes a publication one of these tables; empty when it is. Those that stay as they are are
// not named: that takes a lock on each, for which a long VACUUM would have a new table wait, and
// the right to publish them, which may have been taken away.
Result<std::string> PostgresStreamSource::ChangesOf(
    const Connection& connection, const std::string& publication,
    const std::vector<const SourceTable*>& tables, const std::set<std::string>& as_they_are) const {
    const auto rows = BIWA_TRY(connection.Query(MembersSql(), {publication, name_}));
    if (rows.empty()) {
        return Lost(fmt::format("publication {} is gone from the server", publication));
    }
    struct Member {
        std::string name;
        bool has_part;
    };
    std::map<std::string, Member> members;
    std::string removed, added;
    for (int i = 0; i < rows.size(); ++i) {
        if (!rows.IsNull(i, 0)) members[rows.Text(i, 0)] = {rows.Text(i, 1), rows.Boolean(i, 2)};
    }
    const auto add = [](std::string& list, const std::string& one) {
        list += (list.empty() ? "" : ", ") + one;
    };
    for (const auto* table : tables) {
        const auto member = members.find(table->id);
        if (member != members.end()) {
            const bool has_part = only_.contains(table->ToString());
            const bool stays = member->second.has_part == has_part &&
                               (!has_part || as_they_are.contains(table->ToString()));
            const auto name = member->second.name;
            members.erase(member);
            if (stays) continue;
            add(removed, name);
        }
        add(added, Published(*table));
    }
    for (const auto& [id, member] : members) add(removed, member.name);
    std::string statements;
    if (!rows.Boolean(0, 3)) {
        statements = fmt::format("ALTER PUBLICATION {} SET ({});", QuoteIdentifier(publication),
                                 Options(connection, publication));
    }
    for (const auto& [verb, list] : {std::pair("DROP", removed), std::pair("ADD", added)}) {
        if (list.empty()) continue;
        statements += fmt::format("ALTER PUBLICATION {} {} TABLE {};", QuoteIdentifier(publication),
                                  verb, list);
    }
    return statements;
}

Status PostgresStreamSource::CheckStart() {
    const auto& connection = *BIWA_TRY(Asking());
    const auto level = BIWA_TRY(connection.Query("SHOW wal_level")).Text(0, 0);
    if (level != "logical") {
        return UserError(
            fmt::format("PostgreSQL's wal_level is {}: its changes cannot be followed", level),
            "ALTER SYSTEM SET wal_level = logical; then restart the server. (`biwa doctor` checks "
            "the rest.)");
    }
    if (standby_) BIWA_TRY(OpenStandby(*standby_, connection));
    const auto slot = BIWA_TRY(connection.Query(
        "SELECT 1 FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", {name_}));
    if (!slot.empty()) {
        return UserError(
            fmt::format(
                "the server has a replication slot {} already, which this instance did not make",
                name_),
            fmt::format("If nothing else uses it: SELECT pg_drop_replication_slot('{}');", name_));
    }
    const auto publication = BIWA_TRY(
        connection.Query("SELECT pubname FROM pg_catalog.pg_publication WHERE pubname IN ($1, $2)",
                         {name_, inserts_}));
    if (publication.empty()) return {};
    return UserError(
        fmt::format("the database has a publication {} already, which this instance did not make",
                    publication.Text(0, 0)),
        fmt::format("If nothing else uses it: DROP PUBLICATION {};", publication.Text(0, 0)));
}

Result<StreamStart> PostgresStreamSource::Start(const std::vector<SourceTable>& tables,
                                                bool replace) {
    const auto& connection = *BIWA_TRY(Asking());
    if (replace) {
        BIWA_TRY(Remove());
    }
    BIWA_TRY(CheckStart());
    // A role that may not replicate is refused here, and leaves nothing behind.
    auto exporter = BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kReplication));
    // The publication has to be there before the slot: the slot's first change is read with it.
    BIWA_TRY(MakePublications(connection, tables));
    // The grammar with parentheses came with PostgreSQL 15; the other is understood by all. A
    // standby may hold a copy of the slot, and so be gone on from when it takes over.
    const auto made = BIWA_TRY(exporter.Query(fmt::format(
        "CREATE_REPLICATION_SLOT {} LOGICAL pgoutput {}", QuoteIdentifier(name_),
        connection.server_version() >= kFailoverVersion ? "(SNAPSHOT 'export', FAILOVER true)"
                                                        : "EXPORT_SNAPSHOT")));
    const auto lsn = BIWA_TRY(ParseLsn(made.Text(0, 1)));
    StreamStart start;
    start.position = Position{lsn, made.Text(0, 1)};
    const auto time = BIWA_TRY(connection.Query(
        "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint"));
    start.time = time.Number(0, 0);
    if (standby_) {
        start.snapshot = BIWA_TRY(ResumeSnapshot());
        start.is_later = true;
        return start;
    }
    auto types = BIWA_TRY(ReadTypes(connection));
    start.snapshot = std::make_unique<PostgresSnapshot>(parameters_, std::move(exporter),
                                                        made.Text(0, 2), std::move(types), only_);
    return start;
}

Status PostgresStreamSource::Publish(const std::vector<SourceTable>& tables,
                                     const std::set<std::string>& as_they_are) {
    const auto& connection = *BIWA_TRY(Asking());
    std::vector<const SourceTable*> all, inserts;
    for (const auto& table : tables) {
        (table.columns.key.empty() ? inserts : all).push_back(&table);
    }
    const auto statements = BIWA_TRY(ChangesOf(connection, name_, all, as_they_are)) +
                            BIWA_TRY(ChangesOf(connection, inserts_, inserts, as_they_are));
    if (statements.empty()) return {};
    auto published = connection.Execute(statements);
    // By name: it is another table that is a member (42710), or is none (42704), as they were
    // renamed since they were looked for. The next look tells.
    const auto& state = connection.last_state();
    if (!published && (state == "42710" || state == "42704")) {
        published.error().kind = ErrorKind::kUnavailable;
    }
    return published;
}

Result<std::unique_ptr<SnapshotReader>> PostgresStreamSource::ResumeSnapshot() {
    if (standby_) {
        return SnapshotOf(*standby_, BIWA_TRY(OpenStandby(*standby_, *BIWA_TRY(Asking()))), only_);
    }
    return SnapshotOf(parameters_, BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kSql)),
                      only_);
}

Result<std::string> PostgresStreamSource::CheckHistory(const std::string& known,
                                                       const Position& from) {
    const auto& connection = *BIWA_TRY(Asking());
    const auto now = BIWA_TRY(ReadHistory(connection));
    if (const auto other = BIWA_TRY(OtherHistory(parameters_, known, now, from)); !other.empty()) {
        return Lost(other);
    }
    const auto made = BIWA_TRY(ReadAtServer(connection, name_, inserts_));
    if (!made.loss.empty()) return Lost(made.loss);
    const auto confirmed = BIWA_TRY(ParseLsn(made.confirmed));
    if (confirmed > from.order) {
        // Somebody else may be moving it: a second Biwa, whose place is not to be taken.
        BIWA_TRY(CheckFree(connection));
        return Lost(fmt::format("slot {} stands at {}, the warehouse only at {}", name_,
                                made.confirmed, from.text));
    }
    if (BIWA_TRY(ParseLsn(made.head)) < from.order) {
        return Lost(
            fmt::format("the server's log ends at {}, the warehouse is at {}: the server was "
                        "restored from a backup, or is another one",
                        made.head, from.text));
    }
    return now.ToString();
}

Status PostgresStreamSource::CheckFree(const Connection& connection) {
    // A connection of ours that just broke may hold the slot until the server misses us; it hears
    // nothing from there. What somebody reads moves.
    constexpr std::chrono::milliseconds kLook{500}, kShortLook{50};
    constexpr int kLooks = 12, kShortLooks = 4, kMovesMin = 2;
    std::string reader, seen;
    for (int look = 0, moves = 0; look < kLooks; ++look) {
        // One that was closed just now takes a moment to be gone.
        if (look > 0) std::this_thread::sleep_for(look <= kShortLooks ? kShortLook : kLook);
        const auto slot = BIWA_TRY(connection.Query(
            "SELECT s.active_pid, coalesce(pg_catalog.host(a.client_addr), 'the same machine'), "
            "coalesce(a.application_name, ''), "
            "concat_ws(' ', s.confirmed_flush_lsn, pg_catalog.to_jsonb(r) ->> 'reply_time') "
            "FROM pg_catalog.pg_replication_slots s "
            "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid "
            "LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid "
            "WHERE s.slot_name = $1 AND s.active_pid IS NOT NULL",
            {name_}));
        if (slot.empty()) return {};
        const auto now = slot.Text(0, 0) + " " + slot.Text(0, 3);
        if (look > 0 && now != seen && reader == slot.Text(0, 0)) ++moves;
        if (reader != slot.Text(0, 0)) moves = 0;
        reader = slot.Text(0, 0);
        seen = now;
        if (moves < kMovesMin) continue;
        return UserError(
            fmt::format("replication slot {} is read by another program: process {} of the server, "
                        "from {}, application \"{}\"",
                        name_, reader, slot.Text(0, 1), slot.Text(0, 2)),
            "Two that read one slot each lose what the other gets. Is another Biwa running for "
            "this stream? Stop it, or give this one's stream another name, and start again.");
    }
    return Unavailable(
        fmt::format("replication slot {} is in use by process {} of the server", name_, reader),
        "A connection that broke is let go of after wal_sender_timeout. If it stays so: is another "
        "Biwa running for this stream?");
}

Result<std::unique_ptr<ChangeSource>> PostgresStreamSource::Follow(
    const std::vector<FollowedTable>& all, const Position& from,
    std::chrono::milliseconds idle_every) {
    // Of others nothing is said that their copies do not tell.
    std::vector<FollowedTable> tables;
    std::copy_if(all.begin(), all.end(), std::back_inserter(tables),
                 [](const FollowedTable& one) { return one.from != FollowedTable::kNotYet; });
    const auto& connection = *BIWA_TRY(Asking());
    BIWA_TRY(CheckFree(connection));
    auto types = BIWA_TRY(ReadTypes(connection));
    // Where the binary form of a column's type is not known, the whole stream comes as text.
    bool binary = true;
    std::vector<std::string> names;
    for (const auto& wanted : tables) {
        if (!wanted.names_only) names.push_back(wanted.table.ToString());
    }
    for (const auto& table :
         BIWA_TRY(ReadTables(connection, types, names, IfMissing::kPassOver, only_))) {
        for (const auto& decoder : table.decoders) binary = binary && !decoder.forces_text;
    }
    // Before PostgreSQL 14 there is no binary form.
    binary = binary && connection.server_version() >= 140'000;
    auto following = BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kReplication));
    BIWA_TRY(following.BeginCopy(fmt::format(
        "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names '{},{}'{})",
        QuoteIdentifier(name_), LsnText(from.order), QuoteIdentifier(name_),
        QuoteIdentifier(inserts_), binary ? ", binary 'true'" : "")));
    return std::make_unique<PostgresChangeSource>(
        std::move(following),
        std::make_unique<StreamResolver>(parameters_, std::move(types), tables, only_), from.order,
        idle_every);
}

Result<std::unique_ptr<RowReader>> PostgresStreamSource::ReadRows(
    const SourceTable& table, const std::vector<std::vector<std::string>>& keys) {
    return ReadRowsByKey(parameters_, table, keys, only_);
}

Result<std::unique_ptr<RowReader>> PostgresStreamSource::ReadKeys(const SourceTable& table,
                                                                  const KeyRange& range) {
    return ReadKeysInRange(parameters_, table, range, only_);
}

Result<Position> PostgresStreamSource::Head() {
    const auto& connection = *BIWA_TRY(Asking());
    const auto rows = BIWA_TRY(connection.Query("SELECT pg_catalog.pg_current_wal_insert_lsn()"));
    return Position{BIWA_TRY(ParseLsn(rows.Text(0, 0))), rows.Text(0, 0)};
}

Result<SourceProgress> PostgresStreamSource::Progress() {
    const auto& connection = *BIWA_TRY(Asking());
    const auto rows =
        BIWA_TRY(connection.Query("SELECT pg_catalog.pg_current_wal_lsn(), "
                                  "pg_catalog.pg_current_wal_lsn() - confirmed_flush_lsn, "
                                  "pg_catalog.pg_current_wal_lsn() - restart_lsn "
                                  "FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                                  {name_}));
    if (rows.empty()) {
        return Fail(ErrorKind::kConflict,
                    fmt::format("replication slot {} is gone from the server", name_));
    }
    SourceProgress progress;
    progress.head = Position{BIWA_TRY(ParseLsn(rows.Text(0, 0))), rows.Text(0, 0)};
    progress.lag_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, rows.Number(0, 1)));
    progress.retained_bytes =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, rows.Number(0, 2)));
    return progress;
}

Status PostgresStreamSource::Remove() {
    const auto& connection = *BIWA_TRY(Asking());
    // First of all, as it keeps the server's log.
    BIWA_TRY(DropSlot(connection));
    const auto others = BIWA_TRY(OthersPublications(connection, {name_, inserts_}));
    if (!others.empty()) {
        return UserError(others.begin()->second.refusal, others.begin()->second.mend_sql);
    }
    return connection.Execute(fmt::format("DROP PUBLICATION IF EXISTS {}, {}",
                                          QuoteIdentifier(name_), QuoteIdentifier(inserts_)));
}

}  // namespace

std::string InsertsName(const std::string& stream) { return SlotName(stream + "_inserts"); }

std::string SlotName(const std::string& stream) {
    std::string name = "biwa_";
    for (const char c : stream) {
        const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        name += (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ? lower : '_';
    }
    return name.substr(0, 63);
}

Result<StreamAtServer> ReadStreamAtServer(const Connection& connection, const std::string& stream) {
    return ReadAtServer(connection, SlotName(stream), InsertsName(stream));
}

Result<std::unique_ptr<StreamSource>> OpenStreamSource(const ConnectionParameters& parameters,
                                                       const ConnectionParameters* standby,
                                                       const std::string& stream,
                                                       const TableParts& only) {
    return std::make_unique<PostgresStreamSource>(
        parameters, standby == nullptr ? std::nullopt : std::optional(*standby), stream, only);
}

}  // namespace biwa::postgres
