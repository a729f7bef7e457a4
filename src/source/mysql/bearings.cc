#include "source/mysql/bearings.h"

#include <fmt/format.h>

namespace biwa::mysql {

void Bearings::RaiseBase(std::uint64_t to) const {
    auto now = base->load();
    while (now < to && !base->compare_exchange_weak(now, to)) {
    }
}

Result<std::uint32_t> ServerNumber(const Connection& connection) {
    const auto rows = BIWA_TRY(connection.Query("SELECT @@GLOBAL.server_id"));
    return static_cast<std::uint32_t>(rows.Number(0, 0));
}

bool IsElsewhere(const Connection& connection, std::uint32_t server, const BinlogPlace& place) {
    if (place.server == 0 || place.server == server) return false;
    return connection.is_mariadb() || !place.gtids.empty();
}

namespace {

// What a server's log lacks of what is here; "" when it has all.
Result<std::string> Missing(const Connection& connection, const BinlogPlace& place) {
    if (connection.is_mariadb()) {
        const auto rows = BIWA_TRY(connection.Query("SELECT @@GLOBAL.gtid_binlog_state"));
        return place.gtids.MissingIn(BIWA_TRY(GtidSet::Parse(rows.Text(0, 0))));
    }
    const auto rows =
        BIWA_TRY(connection.Query(fmt::format("SELECT GTID_SUBTRACT({}, @@GLOBAL.gtid_executed)",
                                              connection.Literal(place.gtids.ToString()))));
    return BIWA_TRY(GtidSet::Parse(rows.Text(0, 0))).ToString();
}

}  // namespace

Status CheckGtids(const Connection& connection, const BinlogPlace& place) {
    constexpr const char* kMend =
        "Point the connection at a server that has all of it (a replica needs log_slave_updates to "
        "be one). Or set `when_lost: recopy` in the stream's file: all tables are then copied "
        "anew, "
        "beside those that are there, which stay until then.";
    const auto answers = fmt::format(
        "another server answers than the one that was followed (server_id was {}), and ",
        place.server);
    if (place.gtids.empty()) {
        return Fail(ErrorKind::kConflict, answers + "there is no GTID by which to go on", kMend);
    }
    const auto missing = BIWA_TRY(Missing(connection, place));
    if (!missing.empty()) {
        return Fail(ErrorKind::kConflict,
                    answers + "its binary log lacks transactions that are here: " + missing, kMend);
    }
    if (connection.is_mariadb()) return {};
    // What it has, but no longer in its log, may be what comes next.
    const auto purged =
        BIWA_TRY(connection.Query(fmt::format("SELECT GTID_SUBTRACT(@@GLOBAL.gtid_purged, {})",
                                              connection.Literal(place.gtids.ToString()))));
    const auto lost = BIWA_TRY(GtidSet::Parse(purged.Text(0, 0))).ToString();
    if (lost.empty()) return {};
    return Fail(ErrorKind::kConflict,
                answers + "its binary log no longer has transactions that come next: " + lost,
                kMend);
}

}  // namespace biwa::mysql
