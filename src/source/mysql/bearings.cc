#include "source/mysql/bearings.h"

#include <fmt/format.h>

#include "source/lost.h"
#include "source/mysql/snapshot.h"

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
    const auto mend = std::string(
                          "Point the connection at a server that has all of it (a replica needs "
                          "log_slave_updates to be one). ") +
                      kCopyAllAnew;
    const auto answers = fmt::format(
        "another server answers than the one that was followed (server_id was {}), and ",
        place.server);
    if (place.gtids.empty()) {
        return Fail(ErrorKind::kConflict, answers + "there is no GTID by which to go on", mend);
    }
    const auto missing = BIWA_TRY(Missing(connection, place));
    if (!missing.empty()) {
        return Fail(ErrorKind::kConflict,
                    answers + "its binary log lacks transactions that are here: " + missing, mend);
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
                mend);
}

Status CheckLogGoesOn(const Connection& connection, const BinlogPlace& place,
                      bool at_begin_of_file) {
    // One of several hosts may answer here.
    if (BIWA_TRY(ServerNumber(connection)) != place.server) return {};
    const auto begun_anew = [&](const std::string& how) {
        return Fail(
            ErrorKind::kConflict,
            "the server's binary log was begun anew while it was followed (RESET MASTER): " + how,
            kCopyAllAnew);
    };
    // The place was read before.
    const auto head = BIWA_TRY(ReadHead(connection));
    const auto number = FileNumber(head.file), followed = FileNumber(place.file);
    if (number && followed && OrderOf(*number, head.offset) < OrderOf(*followed, place.offset)) {
        return begun_anew(fmt::format("it is at {}:{}, and was read up to {}:{}", head.file,
                                      head.offset, place.file, place.offset));
    }
    if (place.gtids.empty()) return {};
    if (!connection.is_mariadb()) {
        const auto lacks = BIWA_TRY(Missing(connection, place));
        if (lacks.empty()) return {};
        return begun_anew("it lacks transactions that are here: " + lacks);
    }
    if (!at_begin_of_file) return {};
    // Their numbers need not grow; those that a file begins with are those that we have.
    const auto begin = BIWA_TRY(connection.Query(
        fmt::format("SELECT BINLOG_GTID_POS({}, 4)", connection.Literal(place.file))));
    if (begin.IsNull(0, 0)) return {};
    const auto others = place.gtids.OtherThanIn(BIWA_TRY(GtidSet::Parse(begin.Text(0, 0))));
    if (others.empty()) return {};
    return begun_anew(fmt::format("{} begins behind {}, and was read up to {}", place.file,
                                  begin.Text(0, 0), others));
}

}  // namespace biwa::mysql
