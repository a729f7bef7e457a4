#include "source/mysql/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/log.h"
#include "source/mysql/key_ranges.h"
#include "source/mysql/result_rows.h"
#include "source/mysql/text_sample.h"

namespace biwa::mysql {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kConnections = 4;
constexpr std::chrono::seconds kAgreeWithin{3};
constexpr const char* kBeginSnapshot = "START TRANSACTION WITH CONSISTENT SNAPSHOT";

// "file:offset" of the transaction's view; empty where the server does not say (MySQL).
Result<std::string> PlaceOfView(const Connection& connection) {
    const auto rows = BIWA_TRY(connection.Query(
        "SHOW STATUS WHERE Variable_name IN ('binlog_snapshot_file', 'binlog_snapshot_position')"));
    if (rows.size() != 2) return std::string();
    const bool file_first = rows.Text(0, 0).ends_with("file");
    return rows.Text(file_first ? 0 : 1, 1) + ":" + rows.Text(file_first ? 1 : 0, 1);
}

// All at once: sent first, answered after.
Status BeginAll(std::vector<Connection>& connections) {
    const std::string_view sql = kBeginSnapshot;
    for (auto& connection : connections) {
        if (mysql_send_query(connection.raw(), sql.data(),
                             static_cast<unsigned long>(sql.size())) != 0) {
            return tl::unexpected(connection.LastError("beginning the snapshot"));
        }
    }
    for (auto& connection : connections) {
        if (mysql_read_query_result(connection.raw()) != 0) {
            return tl::unexpected(connection.LastError("beginning the snapshot"));
        }
    }
    return {};
}

constexpr std::chrono::seconds kPreparedEndWithin{10};

// Leaves those connections that have the same view, the most that there were.
Result<std::string> BeginTogether(std::vector<Connection>& connections) {
    const auto deadline = steady_clock::now() + kAgreeWithin;
    for (;;) {
        BIWA_TRY(BeginAll(connections));
        std::vector<std::string> places;
        for (const auto& connection : connections) {
            places.push_back(BIWA_TRY(PlaceOfView(connection)));
        }
        const auto agreeing = [&](const std::string& place) {
            return std::count(places.begin(), places.end(), place);
        };
        const auto best = *std::max_element(
            places.begin(), places.end(),
            [&](const std::string& a, const std::string& b) { return agreeing(a) < agreeing(b); });
        const auto count = static_cast<std::size_t>(agreeing(best));
        if (count < connections.size() && steady_clock::now() < deadline) continue;
        if (count < connections.size()) {
            LogInfo(
                "the server commits too often for {} connections to see the same: the copy "
                "uses {}",
                connections.size(), count);
        }
        std::vector<Connection> kept;
        for (std::size_t i = 0; i < connections.size(); ++i) {
            if (places[i] == best) kept.push_back(std::move(connections[i]));
        }
        connections = std::move(kept);
        return best;
    }
}

// XA transactions that are prepared and not ended. Their rows stand in the log where they were
// prepared, and are in no view before they are committed: a copy that begins between would have
// neither.
Result<std::size_t> PreparedTransactions(const Connection& connection) {
    const auto rows = connection.Query("XA RECOVER");
    if (rows) return rows->size();
    if (rows.error().kind != ErrorKind::kUser) return tl::unexpected(rows.error());
    LogWarn(
        "the server's user may not see XA transactions: what one has changed that is prepared "
        "now, and committed later, is missing in the copy. GRANT XA_RECOVER_ADMIN ON *.* to it "
        "mends that");
    return std::size_t{0};
}

Result<std::string> BeginUnderLock(std::vector<Connection>& connections, std::size_t& prepared) {
    auto& locking = connections.front();
    auto locked = locking.Execute("FLUSH TABLES WITH READ LOCK");
    if (!locked) {
        if (locked.error().kind == ErrorKind::kUser) {
            locked.error().hint = "GRANT RELOAD ON *.* TO the connection's user.";
        }
        return Within("locking the tables for the moment of the snapshot",
                      std::move(locked).error());
    }
    // The lock goes with the connection, should anything of this fail.
    auto begun = BeginAll(connections);
    if (begun) prepared = BIWA_TRY(PreparedTransactions(locking));
    auto head = begun ? ReadHead(locking) : tl::unexpected(begun.error());
    BIWA_TRY(locking.Execute("UNLOCK TABLES"));
    if (!head) return tl::unexpected(std::move(head).error());
    return head->ToPosition().text;
}

// With no XA transaction between being prepared and being ended.
Result<std::string> BeginViews(std::vector<Connection>& connections, bool under_lock) {
    const auto deadline = steady_clock::now() + kPreparedEndWithin;
    for (;;) {
        std::size_t before = 0, prepared = 0;
        std::string text;
        if (under_lock) {
            text = BIWA_TRY(BeginUnderLock(connections, prepared));
        } else {
            // Before and behind, as one may end between.
            before = BIWA_TRY(PreparedTransactions(connections.front()));
            text = BIWA_TRY(BeginTogether(connections));
            prepared = BIWA_TRY(PreparedTransactions(connections.front()));
        }
        if (before + prepared == 0) return text;
        if (steady_clock::now() > deadline) {
            return Unavailable(
                fmt::format(
                    "{} XA transactions are prepared at the server and have not ended: what "
                    "they have changed would be missing in the copy",
                    std::max(before, prepared)),
                "XA RECOVER lists them. The copy begins once they are committed or rolled back.");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

std::string ColumnList(const TableSchema& columns) {
    std::string list;
    for (const auto& column : columns.columns) {
        list += (list.empty() ? "" : ", ") + QuoteName(column.name);
    }
    return list;
}

std::string TableText(const SourceTable& table) {
    return QuoteName(table.schema) + "." + QuoteName(table.name);
}

// DuckDB's text of a value as a literal of the server.
std::string KeyLiteral(const Connection& connection, const Type& type, const std::string& text) {
    switch (type.id) {
        case TypeId::kBool:
            return text == "true" ? "1" : "0";
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kInt128:
        case TypeId::kDouble:
        case TypeId::kDecimal:
            return text.find_first_not_of("0123456789+-.eE") == std::string::npos
                       ? text
                       : connection.Literal(text);
        case TypeId::kFloat: {
            // The server compares as doubles, and 0.1 is another one than the float next to it.
            float value = 0;
            const auto* const end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, value);
            return read.ec == std::errc() && read.ptr == end
                       ? fmt::format("{:.17e}", static_cast<double>(value))
                       : connection.Literal(text);
        }
        case TypeId::kBytes:
            return "X" + connection.Literal(text.substr(std::min<std::size_t>(2, text.size())));
        case TypeId::kTimestampTz: {
            // "2026-11-25 10:00:00.5+09", in the warehouse's zone.
            const auto sign = text.find_last_of("+-");
            auto zone = sign != std::string::npos && sign > 10 ? text.substr(sign) : "";
            if (zone.empty()) return connection.Literal(text);
            if (zone.find(':') == std::string::npos) zone += ":00";
            return fmt::format("CONVERT_TZ({}, {}, '+00:00')",
                               connection.Literal(text.substr(0, sign)), connection.Literal(zone));
        }
        default:
            return connection.Literal(text);
    }
}

}  // namespace

Result<BinlogPlace> ReadHead(const Connection& connection) {
    const auto rows = BIWA_TRY(LogStatus(connection));
    if (rows.empty()) {
        return UserError("the server writes no binary log",
                         "Set log_bin in its configuration and restart it. (`biwa doctor` checks "
                         "the rest.)");
    }
    auto place =
        BIWA_TRY(BinlogPlace::Parse(fmt::format("{}:{}", rows.Text(0, 0), rows.Text(0, 1))));
    if (!connection.is_mariadb()) {
        place.gtids = BIWA_TRY(GtidSet::Parse(rows.Text(0, 4)));
    }
    return place;
}

Result<std::unique_ptr<MySqlSnapshot>> MySqlSnapshot::Begin(
    const ConnectionParameters& parameters) {
    std::vector<Connection> connections;
    for (std::size_t i = 0; i < kConnections; ++i) {
        connections.push_back(BIWA_TRY(Connection::Open(parameters)));
        BIWA_TRY(
            connections.back().Execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
    }
    const bool is_mariadb = connections.front().is_mariadb();
    for (const auto& connection : connections) {
        // With a binary log MariaDB (seen in 10.11) lets go of a table at ROLLBACK TO SAVEPOINT
        // only where the session writes none, which these do not anyway.
        if (!is_mariadb || connection.Execute("SET SESSION sql_log_bin = 0")) continue;
        LogWarn(
            "the server's user may not set sql_log_bin: no table that is copied can be altered "
            "until the copy of all ends. GRANT BINLOG ADMIN ON *.* to it mends that");
        break;
    }
    const auto text = BIWA_TRY(BeginViews(connections, !is_mariadb || parameters.snapshot_lock));
    auto place = BIWA_TRY(BinlogPlace::Parse(text));
    for (const auto& connection : connections) BIWA_TRY(connection.Execute("SAVEPOINT biwa"));
    if (is_mariadb) {
        const auto gtids = BIWA_TRY(connections.front().Query(
            fmt::format("SELECT BINLOG_GTID_POS({}, {})", connections.front().Literal(place.file),
                        place.offset)));
        place.gtids = BIWA_TRY(GtidSet::Parse(gtids.Text(0, 0)));
    }
    return std::unique_ptr<MySqlSnapshot>(
        new MySqlSnapshot(parameters, std::move(connections), std::move(place)));
}

MySqlSnapshot::MySqlSnapshot(ConnectionParameters parameters, std::vector<Connection> connections,
                             BinlogPlace place)
    : parameters_(std::move(parameters)),
      place_(std::move(place)),
      idle_(std::move(connections)),
      open_(idle_.size()) {}

Result<Connection> MySqlSnapshot::TakeConnection() {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [&] { return !idle_.empty() || open_ == 0; });
    if (idle_.empty()) {
        // The next attempt goes on with another moment.
        return Unavailable("all connections of the snapshot broke off");
    }
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
}

void MySqlSnapshot::GiveBack(std::optional<Connection> connection) {
    // Without this the table could not be altered until the copy of all tables ends; and whoever
    // waited for that would have all others wait behind.
    if (connection && !connection->Execute("ROLLBACK TO SAVEPOINT biwa")) connection.reset();
    std::lock_guard lock(mutex_);
    if (connection) {
        idle_.push_back(std::move(*connection));
    } else {
        --open_;
    }
    given_back_.notify_all();
}

Result<CatalogTable> MySqlSnapshot::Describe(const SourceTable& table) {
    const auto found = [&]() -> std::optional<CatalogTable> {
        std::lock_guard lock(mutex_);
        const auto known = described_.find(table.ToString());
        return known == described_.end() ? std::nullopt : std::optional(known->second);
    };
    if (auto described = found()) return *std::move(described);
    std::lock_guard describing(describing_mutex_);
    if (auto described = found()) return *std::move(described);
    auto now = BIWA_TRY(ReadAsDescribed(table));
    std::lock_guard lock(mutex_);
    return described_[table.ToString()] = std::move(now);
}

Status MySqlSnapshot::CheckColumns(const SourceTable& table) {
    std::lock_guard describing(describing_mutex_);
    BIWA_TRY(ReadAsDescribed(table));
    return {};
}

Result<CatalogTable> MySqlSnapshot::ReadAsDescribed(const SourceTable& table) {
    auto now = BIWA_TRY(ReadNow(table));
    if (now.table.columns.columns == table.columns.columns) return now;
    // The next attempt begins with the columns that there are then, and goes on with the copy.
    return Unavailable(
        fmt::format("the columns of {} have changed since the copy began", table.ToString()));
}

// The table as it is now, and not as the snapshot sees it.
Result<CatalogTable> MySqlSnapshot::ReadNow(const SourceTable& table) {
    for (;;) {
        const bool is_new = !describing_;
        if (is_new) describing_ = BIWA_TRY(Connection::Open(parameters_));
        auto tables = ReadTables(*describing_, parameters_.database, {table.ToString()});
        if (tables) return std::move(tables->front());
        // The server may have closed it while a table was copied for long.
        describing_.reset();
        if (is_new) return tl::unexpected(std::move(tables).error());
    }
}

Result<std::vector<SnapshotRange>> MySqlSnapshot::Split(const SourceTable& table) {
    const auto described = BIWA_TRY(Describe(table));
    if (table.columns.key_repeats) {
        return std::vector<SnapshotRange>{{"*", table.rows_estimate}};
    }
    auto connection = BIWA_TRY(TakeConnection());
    auto ranges = SplitByKey(connection, table, described.decoders[table.columns.key.front()].info);
    GiveBack(std::move(connection));
    return ranges;
}

Result<std::set<std::string>> MySqlSnapshot::TextsThatSeldomRepeat(
    const SourceTable& table, const std::vector<SnapshotRange>& ranges) {
    auto connection = BIWA_TRY(TakeConnection());
    auto found = mysql::TextsThatSeldomRepeat(connection, table, ranges);
    GiveBack(std::move(connection));
    if (found) return found;
    // Whatever it was, the copy will come upon it if it matters.
    LogInfo("the texts of {} could not be looked at, and are stored as if they repeat: {}",
            table.ToString(), found.error().message);
    return std::set<std::string>();
}

Result<std::unique_ptr<RowReader>> MySqlSnapshot::Read(const SourceTable& table,
                                                       const SnapshotRange& range) {
    const auto described = BIWA_TRY(Describe(table));
    const auto& key = table.columns.columns[table.columns.key.front()].name;
    const auto condition = BIWA_TRY(RangeCondition(range.text, key));
    return BIWA_TRY(ResultRows::Open(
        BIWA_TRY(TakeConnection()),
        fmt::format("SELECT {} FROM {}{} WHERE {}", ColumnList(table.columns), TableText(table),
                    table.columns.key_repeats ? "" : " FORCE INDEX (PRIMARY)", condition),
        described.decoders, fmt::format("copying {}", table.ToString()),
        [this](std::optional<Connection> used) { GiveBack(std::move(used)); }, &unrepresentable_));
}

namespace {

// What reads these columns of the table as it is now.
Result<std::vector<ColumnDecoder>> DecodersOf(const Connection& connection,
                                              const ConnectionParameters& parameters,
                                              const SourceTable& table,
                                              const TableSchema& columns) {
    const auto tables = BIWA_TRY(ReadTables(connection, parameters.database, {table.ToString()}));
    const auto& now = tables.front();
    std::vector<ColumnDecoder> decoders;
    for (const auto& column : columns.columns) {
        const auto place = now.table.columns.Find(column.name);
        if (!place || !(now.table.columns.columns[*place].type == column.type)) {
            return Fail(
                ErrorKind::kConflict,
                fmt::format("column {} of {} has changed meanwhile", column.name, table.ToString()),
                "Ask again when the stream has seen it, which takes `discover_every`.");
        }
        decoders.push_back(now.decoders[*place]);
    }
    return decoders;
}

}  // namespace

Result<std::unique_ptr<RowReader>> ReadRowsByKey(
    const ConnectionParameters& parameters, const SourceTable& table,
    const std::vector<std::vector<std::string>>& keys) {
    auto connection = BIWA_TRY(Connection::Open(parameters));
    auto decoders = BIWA_TRY(DecodersOf(connection, parameters, table, table.columns));
    std::string where;
    for (const auto& key : keys) {
        where += where.empty() ? "(" : " OR (";
        for (std::size_t i = 0; i < key.size(); ++i) {
            const auto& column = table.columns.columns[table.columns.key[i]];
            where += (i == 0 ? "" : " AND ") + QuoteName(column.name) + " = " +
                     KeyLiteral(connection, column.type, key[i]);
        }
        where += ")";
    }
    const auto sql = fmt::format("SELECT {} FROM {} WHERE {}", ColumnList(table.columns),
                                 TableText(table), where.empty() ? "FALSE" : where);
    return BIWA_TRY(ResultRows::Open(std::move(connection), sql, std::move(decoders),
                                     fmt::format("reading rows of {}", table.ToString()),
                                     [](std::optional<Connection>) {}));
}

Result<std::unique_ptr<RowReader>> ReadKeysInRange(const ConnectionParameters& parameters,
                                                   const SourceTable& table,
                                                   const KeyRange& range) {
    auto connection = BIWA_TRY(Connection::Open(parameters));
    TableSchema key;
    std::vector<std::string> names, from, to;
    for (const auto place : table.columns.key) {
        const auto& column = table.columns.columns[place];
        const auto i = key.columns.size();
        key.columns.push_back(column);
        auto name = QuoteName(column.name);
        // In the order that the warehouse has, which knows no collation and no character set.
        if (column.type.id == TypeId::kText) {
            name = fmt::format("CAST(CONVERT({} USING utf8mb4) AS BINARY)", name);
        }
        names.push_back(std::move(name));
        if (i < range.from.size()) {
            from.push_back(KeyLiteral(connection, column.type, range.from[i]));
        }
        if (i < range.to.size()) to.push_back(KeyLiteral(connection, column.type, range.to[i]));
    }
    auto decoders = BIWA_TRY(DecodersOf(connection, parameters, table, key));
    const auto sql = fmt::format("SELECT {} FROM {} WHERE {}", ColumnList(key), TableText(table),
                                 InRange(names, from, to));
    return BIWA_TRY(ResultRows::Open(std::move(connection), sql, std::move(decoders),
                                     fmt::format("reading keys of {}", table.ToString()),
                                     [](std::optional<Connection>) {}));
}

}  // namespace biwa::mysql
