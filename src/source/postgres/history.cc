#include "source/postgres/history.h"

#include <fmt/format.h>

#include <charconv>

#include "source/postgres/pgoutput.h"

namespace biwa::postgres {

namespace {

Result<std::uint32_t> ParseTimeline(std::string_view text, int base = 10) {
    std::uint32_t timeline = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), timeline, base);
    if (error != std::errc() || end != text.data() + text.size() || timeline == 0) {
        return Corrupt(fmt::format("\"{}\" is no timeline", text));
    }
    return timeline;
}

}  // namespace

std::string History::ToString() const { return fmt::format("{}/{}", server, timeline); }

Result<History> ParseHistory(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return Corrupt(fmt::format("\"{}\" is no server and timeline", text));
    }
    return History{std::string(text.substr(0, slash)),
                   BIWA_TRY(ParseTimeline(text.substr(slash + 1)))};
}

Result<History> ReadHistory(const Connection& connection) {
    History history;
    // A file of the log has its timeline in front, in hex. (pg_control_checkpoint has the new one
    // only after the first checkpoint.)
    const auto file = BIWA_TRY(
        connection.Query("SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn())"));
    history.timeline = BIWA_TRY(ParseTimeline(file.Text(0, 0).substr(0, 8), 16));
    const auto server =
        connection.Query("SELECT system_identifier::text FROM pg_catalog.pg_control_system()");
    if (server) {
        history.server = server->Text(0, 0);
    } else if (server.error().kind != ErrorKind::kUser) {
        return tl::unexpected(server.error());
    }
    return history;
}

Result<std::uint64_t> EndOfTimeline(std::string_view file, std::uint32_t older) {
    for (std::size_t begin = 0; begin < file.size();) {
        const auto end = std::min(file.find('\n', begin), file.size());
        auto line = file.substr(begin, end - begin);
        begin = end + 1;
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (line.empty() || line[0] == '#') continue;
        const auto tab = line.find('\t');
        if (tab == std::string_view::npos) {
            return Corrupt(fmt::format("a timeline's history has a line \"{}\"", line));
        }
        if (BIWA_TRY(ParseTimeline(line.substr(0, tab))) != older) continue;
        const auto rest = line.substr(tab + 1);
        return ParseLsn(rest.substr(0, rest.find('\t')));
    }
    return std::uint64_t{0};
}

Result<std::string> OtherHistory(const ConnectionParameters& parameters, const std::string& known,
                                 const History& now, const Position& from) {
    if (known.empty()) return std::string();
    const auto before = BIWA_TRY(ParseHistory(known));
    if (!before.server.empty() && !now.server.empty() && before.server != now.server) {
        return fmt::format("the server is another one than before (system identifier {}, was {})",
                           now.server, before.server);
    }
    if (before.timeline == now.timeline) return std::string();
    const auto connection = BIWA_TRY(Connection::Open(parameters, Connection::Kind::kReplication));
    const auto file = BIWA_TRY(connection.Query(fmt::format("TIMELINE_HISTORY {}", now.timeline)));
    const auto end = BIWA_TRY(EndOfTimeline(file.Text(0, 1), before.timeline));
    // A standby that took over, and had received all that is here, has gone on from there.
    if (from.order <= end) return std::string();
    return fmt::format(
        "the server is on timeline {} and has left timeline {}{}, the warehouse is at {}: the "
        "server was restored from a backup, or a standby that lagged has taken over",
        now.timeline, before.timeline, end == 0 ? "" : " at " + LsnText(end), from.text);
}

}  // namespace biwa::postgres
