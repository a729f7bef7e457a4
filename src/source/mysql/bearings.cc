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
    return connection.is_mariadb() && place.server != 0 && place.server != server;
}

Status CheckGtids(const Connection& connection, const BinlogPlace& place) {
    constexpr const char* kMend =
        "Point the connection at a server that has all of it (a replica needs log_slave_updates to "
        "be one). Or set `when_lost: recopy` in the stream's file: all tables are then copied "
        "anew, "
        "beside those that are there, which stay until then.";
    if (place.gtids.empty()) {
        return Fail(ErrorKind::kConflict,
                    fmt::format("another server answers than the one that was followed (server_id "
                                "was {}), and there is no GTID by which to go on",
                                place.server),
                    kMend);
    }
    const auto rows = BIWA_TRY(connection.Query("SELECT @@GLOBAL.gtid_binlog_state"));
    const auto missing = place.gtids.MissingIn(BIWA_TRY(GtidSet::Parse(rows.Text(0, 0))));
    if (missing.empty()) return {};
    return Fail(ErrorKind::kConflict,
                fmt::format("another server answers than the one that was followed (server_id was "
                            "{}), and its binary log lacks transactions that are here: {}",
                            place.server, missing),
                kMend);
}

}  // namespace biwa::mysql
