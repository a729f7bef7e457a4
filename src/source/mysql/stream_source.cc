#include "source/mysql/stream_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "source/mysql/catalog.h"
#include "source/mysql/change_source.h"
#include "source/mysql/position.h"
#include "source/mysql/snapshot.h"

namespace biwa::mysql {

namespace {

class MySqlStreamSource final : public StreamSource {
  public:
    MySqlStreamSource(ConnectionParameters parameters, std::shared_ptr<Bearings> bearings)
        : parameters_(std::move(parameters)), bearings_(std::move(bearings)) {}

    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>& patterns,
                                            IfMissing if_missing) override;
    Status CheckStart() override;
    Result<StreamStart> Start(const std::vector<SourceTable>& tables, bool replace) override;
    Status Publish(const std::vector<SourceTable>&, const std::set<std::string>&) override {
        return {};
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override;
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>& tables,
                                                 const Position& from,
                                                 std::chrono::milliseconds idle_every) override;
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) override;
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable& table,
                                                const KeyRange& range) override {
        return ReadKeysInRange(parameters_, table, range);
    }
    // Whether it is another server, and then whether it has the GTIDs; Follow finds out whether the
    // log is there.
    Result<std::string> CheckHistory(const std::string& known, const Position& from) override;
    Result<Position> Head() override;
    Result<SourceProgress> Progress() override;
    Status Remove() override { return {}; }
    Result<Position> WithNotesOf(const Position& position, const Position& other,
                                 const std::set<std::string>& tables) override;

  private:
    // A connection for questions, kept open; opened anew when it broke.
    Result<const Connection*> Asking();
    // A place of the server as it is now, with what the stream's orders need.
    Result<BinlogPlace> Bear(const Connection& connection, BinlogPlace place) const;

    const ConnectionParameters parameters_;
    const std::shared_ptr<Bearings> bearings_;
    std::optional<Connection> asking_;
};

Result<const Connection*> MySqlStreamSource::Asking() {
    // The server closes what has been idle for long.
    if (asking_ && (!asking_->is_good() || mysql_ping(asking_->raw()) != 0)) asking_.reset();
    if (!asking_) asking_ = BIWA_TRY(Connection::Open(parameters_));
    return &*asking_;
}

// "_orders_gho" of "orders": what gh-ost and pt-online-schema-change make beside a table that they
// alter, and leave of it. Its rows are the table's own, and no mask has its name.
std::optional<std::string> ShadowOf(const std::string& name) {
    const auto begin = name.find_first_not_of('_');
    if (begin == 0) return std::nullopt;
    for (const std::string_view end : {"_gho", "_ghc", "_del", "_new", "_old"}) {
        if (name.ends_with(end) && name.size() > begin + end.size()) {
            return name.substr(begin, name.size() - begin - end.size());
        }
    }
    return std::nullopt;
}

// Those that are named with a * only.
void LeaveOutShadows(const std::vector<std::string>& patterns, std::vector<SourceTable>& tables) {
    std::set<std::string> names;
    for (const auto& table : tables) names.insert(table.ToString());
    std::erase_if(tables, [&](const SourceTable& table) {
        const auto of = ShadowOf(table.name);
        const auto is_named = [&](const std::string& pattern) {
            return pattern == table.name || pattern == table.ToString();
        };
        return of && names.contains(table.schema + "." + *of) &&
               std::none_of(patterns.begin(), patterns.end(), is_named);
    });
}

Result<std::vector<SourceTable>> MySqlStreamSource::Tables(const std::vector<std::string>& patterns,
                                                           IfMissing if_missing) {
    std::vector<SourceTable> tables;
    for (auto& found :
         BIWA_TRY(ReadTables(*BIWA_TRY(Asking()), parameters_.database, patterns, if_missing))) {
        tables.push_back(std::move(found.table));
    }
    LeaveOutShadows(patterns, tables);
    return tables;
}

// Of MySQL, what would stop the stream at the first change.
Status CheckLogForm(const Connection& connection) {
    if (connection.is_mariadb()) return {};
    const auto value = connection.Query("SELECT @@GLOBAL.binlog_row_value_options");
    // Older ones do not have it.
    if (!value || value->Text(0, 0).empty()) return {};
    return UserError(
        fmt::format("the server's binlog_row_value_options is {}: its changes cannot be followed",
                    value->Text(0, 0)),
        "SET GLOBAL binlog_row_value_options = DEFAULT; and the same in its configuration.");
}

Status MySqlStreamSource::CheckStart() {
    const auto& connection = *BIWA_TRY(Asking());
    const auto settings = BIWA_TRY(
        connection.Query("SELECT @@GLOBAL.log_bin, @@GLOBAL.binlog_format, @@GLOBAL.server_id"));
    if (settings.Number(0, 0) == 0) {
        return UserError("the server writes no binary log (log_bin is OFF)",
                         "Set log_bin in its configuration and restart it. (`biwa doctor` checks "
                         "the rest.)");
    }
    if (settings.Text(0, 1) != "ROW") {
        return UserError(
            fmt::format("the server's binlog_format is {}: its changes cannot be followed",
                        settings.Text(0, 1)),
            "SET GLOBAL binlog_format = 'ROW'; and the same in its configuration. (`biwa doctor` "
            "checks the rest.)");
    }
    if (settings.Number(0, 2) == 0) {
        return UserError("the server's server_id is 0: it accepts nobody who follows it",
                         "SET GLOBAL server_id = 1; and the same in its configuration.");
    }
    BIWA_TRY(ReadHead(connection));
    return CheckLogForm(connection);
}

Result<BinlogPlace> MySqlStreamSource::Bear(const Connection& connection, BinlogPlace place) const {
    place.server = BIWA_TRY(ServerNumber(connection));
    place.base = bearings_->base->load();
    return place;
}

Result<std::string> MySqlStreamSource::CheckHistory(const std::string& known,
                                                    const Position& from) {
    const auto& connection = *BIWA_TRY(Asking());
    if (from.text.empty()) return known;
    const auto place = BIWA_TRY(BinlogPlace::Parse(from.text));
    if (!connection.is_mariadb() && place.gtids.empty()) return known;
    const auto server = BIWA_TRY(ServerNumber(connection));
    // Should all be copied anew instead, the orders have to grow all the same.
    const bool is_elsewhere = IsElsewhere(connection, server, place);
    bearings_->RaiseBase(is_elsewhere ? place.NextBase() : place.base);
    if (is_elsewhere) BIWA_TRY(CheckGtids(connection, place));
    return fmt::format("server {}", server);
}

Result<StreamStart> MySqlStreamSource::Start(const std::vector<SourceTable>&, bool) {
    BIWA_TRY(CheckStart());
    const auto& connection = *BIWA_TRY(Asking());
    // Asked before, so that a log that is begun anew while the tables are copied is another one.
    const auto file = BIWA_TRY(ReadHead(connection)).file;
    const auto made_s = BIWA_TRY(WhenBinlogBegan(parameters_, file));
    auto snapshot = BIWA_TRY(MySqlSnapshot::Begin(parameters_));
    auto place = BIWA_TRY(Bear(connection, snapshot->place()));
    if (place.file == file) place.made_s = made_s;
    StreamStart start;
    start.position = place.ToPosition();
    start.snapshot = std::move(snapshot);
    const auto time =
        BIWA_TRY(connection.Query("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"));
    start.time = time.Number(0, 0);
    return start;
}

Result<std::unique_ptr<SnapshotReader>> MySqlStreamSource::ResumeSnapshot() {
    return BIWA_TRY(MySqlSnapshot::Begin(parameters_));
}

Result<std::unique_ptr<ChangeSource>> MySqlStreamSource::Follow(
    const std::vector<FollowedTable>& tables, const Position& from,
    std::chrono::milliseconds idle_every) {
    // Columns have no numbers here: what they were called tells nothing.
    auto followed = tables;
    for (auto& one : followed) {
        if (one.names_only) one.from = FollowedTable::kNotYet;
    }
    return FollowBinlog(parameters_, followed, from, idle_every, bearings_);
}

Result<std::unique_ptr<RowReader>> MySqlStreamSource::ReadRows(
    const SourceTable& table, const std::vector<std::vector<std::string>>& keys) {
    return ReadRowsByKey(parameters_, table, keys);
}

// What else stands there is heard of a table that waits for its copy too.
Result<Position> MySqlStreamSource::WithNotesOf(const Position& position, const Position& other,
                                                const std::set<std::string>& tables) {
    if (position.text.empty() || other.text.empty()) return position;
    auto place = BIWA_TRY(BinlogPlace::Parse(position.text));
    const auto from = BIWA_TRY(BinlogPlace::Parse(other.text)).notes;
    for (const auto& [table, only_for_fills] : from.asked_for) {
        if (!tables.contains(table.first + "." + table.second)) continue;
        place.notes.asked_for[table] = only_for_fills;
        place.notes.asked_s = std::max(place.notes.asked_s, from.asked_s);
    }
    return place.ToPosition();
}

Result<Position> MySqlStreamSource::Head() {
    const auto& connection = *BIWA_TRY(Asking());
    return BIWA_TRY(Bear(connection, BIWA_TRY(ReadHead(connection)))).ToPosition();
}

Result<SourceProgress> MySqlStreamSource::Progress() {
    const auto& connection = *BIWA_TRY(Asking());
    SourceProgress progress;
    progress.head = BIWA_TRY(Bear(connection, BIWA_TRY(ReadHead(connection)))).ToPosition();
    const auto acknowledged = bearings_->acknowledged.load(std::memory_order_relaxed);
    const auto base = bearings_->base->load();
    if (acknowledged == 0 || acknowledged >= progress.head.order) return progress;
    // Nothing is kept for us, so there is nothing to show as retained.
    const auto files = BIWA_TRY(connection.Query("SHOW BINARY LOGS"));
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto number = FileNumber(files.Text(i, 0));
        if (!number) continue;
        const auto end = OrderOf(*number + base, static_cast<std::uint64_t>(files.Number(i, 1)));
        const auto begin = std::max(OrderOf(*number + base, 0), acknowledged);
        if (end > begin) progress.lag_bytes += end - begin;
    }
    return progress;
}

}  // namespace

Result<std::unique_ptr<StreamSource>> OpenStreamSource(const ConnectionParameters& parameters,
                                                       std::shared_ptr<Bearings> bearings) {
    return std::make_unique<MySqlStreamSource>(parameters, std::move(bearings));
}

}  // namespace biwa::mysql
