#include "source/mysql/position.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace biwa::mysql {

namespace {

// A file may grow beyond 4 GiB by one large transaction.
constexpr int kOffsetBits = 40;
static_assert(kFileNumberMax >> (64 - kOffsetBits) == 0);

template <typename T>
bool ParseNumber(std::string_view text, T& value) {
    const auto* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    return !text.empty() && error == std::errc() && at == end;
}

bool ParseMariaDb(std::string_view text, Gtid& gtid) {
    const auto parts = Split(text, '-');
    return parts.size() == 3 && ParseNumber(parts[0], gtid.domain) &&
           ParseNumber(parts[1], gtid.server) && ParseNumber(parts[2], gtid.number);
}

// "X'6131',X'',1:app.t,app.u;…"
std::string PreparedText(const decltype(BinlogPlace::prepared)& prepared) {
    std::string text;
    for (const auto& [xid, tables] : prepared) {
        text += (text.empty() ? "" : ";") + xid + ":" + NamesText(tables);
    }
    return text;
}

bool ParsePrepared(std::string_view text, decltype(BinlogPlace::prepared)& prepared) {
    for (const auto& one : Split(text, ';')) {
        const auto colon = one.find(':');
        if (colon == std::string::npos) return false;
        auto& tables = prepared[one.substr(0, colon)];
        if (!ParseNames(std::string_view(one).substr(colon + 1), tables)) return false;
    }
    return true;
}

}  // namespace

void GtidSet::Add(const Gtid& gtid) {
    for (auto& domain : domains_) {
        if (domain.domain != gtid.domain) continue;
        domain = gtid;
        return;
    }
    domains_.push_back(gtid);
}

void GtidSet::Add(const MySqlGtid& gtid) {
    auto server = std::find_if(servers_.begin(), servers_.end(),
                               [&](const Server& one) { return one.uuid == gtid.uuid; });
    if (server == servers_.end()) server = servers_.insert(server, Server{gtid.uuid, {}});
    auto& ranges = server->ranges;
    // From the end: almost always it is the one after the last.
    auto after = ranges.size();
    while (after > 0 && ranges[after - 1].first > gtid.number) --after;
    const bool joins_before = after > 0 && gtid.number <= ranges[after - 1].last + 1;
    const bool joins_after = after < ranges.size() && gtid.number + 1 == ranges[after].first;
    if (joins_before) {
        auto& range = ranges[after - 1];
        range.last = std::max(range.last, gtid.number);
        if (!joins_after) return;
        range.last = ranges[after].last;
        ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(after));
    } else if (joins_after) {
        ranges[after].first = gtid.number;
    } else {
        ranges.insert(ranges.begin() + static_cast<std::ptrdiff_t>(after),
                      Range{gtid.number, gtid.number});
    }
}

std::string GtidSet::ToString() const {
    std::string text;
    for (const auto& gtid : domains_) {
        text += fmt::format("{}{}-{}-{}", text.empty() ? "" : ",", gtid.domain, gtid.server,
                            gtid.number);
    }
    for (const auto& server : servers_) {
        text += (text.empty() ? "" : ",") + server.uuid;
        for (const auto& range : server.ranges) {
            text += range.first == range.last ? fmt::format(":{}", range.first)
                                              : fmt::format(":{}-{}", range.first, range.last);
        }
    }
    return text;
}

Result<GtidSet> GtidSet::Parse(std::string_view text) {
    GtidSet set;
    if (Trim(text).empty()) return set;
    for (const auto& part : Split(text, ',')) {
        const auto one = Trim(part);
        if (one.find(':') == std::string_view::npos) {
            Gtid gtid;
            if (!ParseMariaDb(one, gtid)) return Corrupt(fmt::format("\"{}\" is no GTID", one));
            set.domains_.push_back(gtid);
            continue;
        }
        // "uuid:1-5:9:tag:1-3": a tag, which begins with no digit, is that of the ranges behind it.
        const auto parts = Split(one, ':');
        auto* server = &set.servers_.emplace_back(Server{std::string(parts[0]), {}});
        for (std::size_t i = 1; i < parts.size(); ++i) {
            const std::string_view part_text = parts[i];
            if (!part_text.empty() && (part_text[0] < '0' || part_text[0] > '9')) {
                if (server->ranges.empty()) set.servers_.pop_back();
                server = &set.servers_.emplace_back(Server{parts[0] + ":" + parts[i], {}});
                continue;
            }
            const auto dash = part_text.find('-');
            auto& range = server->ranges.emplace_back();
            if (!ParseNumber(part_text.substr(0, dash), range.first) ||
                !(dash == std::string::npos
                      ? (range.last = range.first, true)
                      : ParseNumber(part_text.substr(dash + 1), range.last))) {
                return Corrupt(fmt::format("\"{}\" is no set of GTIDs", one));
            }
        }
        if (server->ranges.empty()) return Corrupt(fmt::format("\"{}\" is no set of GTIDs", one));
    }
    return set;
}

// Checked against the sets that a MySQL 9.7 writes into its own log. Tags are of 8.3 and later.
Result<std::string> GtidSet::ToBytes() const {
    std::string bytes;
    const auto put = [&](std::uint64_t number) {
        for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i));
    };
    const bool has_tags = std::any_of(servers_.begin(), servers_.end(), [](const Server& server) {
        return server.uuid.find(':') != std::string::npos;
    });
    constexpr std::uint64_t kTagged = 1;
    put(has_tags ? kTagged << 56 | servers_.size() << 8 | kTagged : servers_.size());
    for (const auto& server : servers_) {
        const auto colon = std::min(server.uuid.find(':'), server.uuid.size());
        std::string hex;
        for (const char c : server.uuid.substr(0, colon)) {
            if (c != '-') hex += c;
        }
        if (hex.size() != 32) return Corrupt(fmt::format("\"{}\" is no UUID", server.uuid));
        for (std::size_t i = 0; i < hex.size(); i += 2) {
            unsigned byte = 0;
            const auto* const end = hex.data() + i + 2;
            if (std::from_chars(hex.data() + i, end, byte, 16).ptr != end) {
                return Corrupt(fmt::format("\"{}\" is no UUID", server.uuid));
            }
            bytes += static_cast<char>(byte);
        }
        if (has_tags) {
            const auto tag =
                std::string_view(server.uuid).substr(std::min(colon + 1, server.uuid.size()));
            bytes += static_cast<char>(tag.size() << 1);  // at most 32 characters
            bytes += tag;
        }
        put(server.ranges.size());
        for (const auto& range : server.ranges) {
            put(range.first);
            put(range.last + 1);
        }
    }
    return bytes;
}

std::string GtidSet::MissingIn(const GtidSet& state) const {
    GtidSet missing;
    for (const auto& gtid : domains_) {
        const bool is_there =
            std::any_of(state.domains_.begin(), state.domains_.end(), [&](const Gtid& last) {
                return last.domain == gtid.domain && last.server == gtid.server &&
                       last.number >= gtid.number;
            });
        if (!is_there) missing.domains_.push_back(gtid);
    }
    return missing.ToString();
}

std::string GtidSet::OtherThanIn(const GtidSet& lasts) const {
    GtidSet others;
    for (const auto& gtid : domains_) {
        const bool is_other =
            lasts.empty() ||
            std::any_of(lasts.domains_.begin(), lasts.domains_.end(), [&](const Gtid& last) {
                return last.domain == gtid.domain &&
                       (last.server != gtid.server || last.number != gtid.number);
            });
        if (is_other) others.domains_.push_back(gtid);
    }
    return others.ToString();
}

std::optional<std::uint64_t> FileNumber(std::string_view file) {
    const auto dot = file.rfind('.');
    std::uint64_t number = 0;
    if (dot == std::string_view::npos || !ParseNumber(file.substr(dot + 1), number) ||
        number > kFileNumberMax) {
        return std::nullopt;
    }
    return number;
}

std::uint64_t OrderOf(std::uint64_t file_number, std::uint64_t offset) {
    return file_number << kOffsetBits | offset;
}

Result<BinlogPlace> BinlogPlace::Parse(std::string_view text) {
    BinlogPlace place;
    const auto bad = [&] {
        return Corrupt(fmt::format("\"{}\" is no place in a binary log", text));
    };
    auto rest = text;
    const auto take = [&](std::string_view name) { return TakeValue(rest, name); };
    // From the end: the file's name comes first, and may have anything in it.
    if (!PlaceNotes::Take(rest, place.notes)) return bad();
    if (const auto xa = take(" xa="); xa && !ParsePrepared(*xa, place.prepared)) return bad();
    if (const auto gtids = take(" gtid=")) place.gtids = BIWA_TRY(GtidSet::Parse(*gtids));
    if (const auto by = take(" by=")) {
        place.by_gtid = *by == "gtid";
        if (!place.by_gtid) return bad();
    }
    if (const auto base = take(" base=");
        base && (!ParseNumber(*base, place.base) || place.base > kFileNumberMax)) {
        return bad();
    }
    if (const auto server = take(" server="); server && !ParseNumber(*server, place.server)) {
        return bad();
    }
    if (const auto made = take(" made="); made && !ParseNumber(*made, place.made_s)) return bad();
    const auto colon = rest.rfind(':');
    if (colon == std::string_view::npos || !ParseNumber(rest.substr(colon + 1), place.offset) ||
        place.offset >> kOffsetBits != 0) {
        return bad();
    }
    place.file = rest.substr(0, colon);
    if (!FileNumber(place.file)) return bad();
    return place;
}

Position BinlogPlace::ToPosition() const {
    auto text = fmt::format("{}:{}", file, offset);
    if (made_s != 0) text += fmt::format(" made={}", made_s);
    if (server != 0) text += fmt::format(" server={}", server);
    if (base != 0) text += fmt::format(" base={}", base);
    if (by_gtid) text += " by=gtid";
    if (const auto gtid = gtids.ToString(); !gtid.empty()) text += " gtid=" + gtid;
    if (!prepared.empty()) text += " xa=" + PreparedText(prepared);
    text += notes.ToString();
    return {OrderOf(FileNumber(file).value_or(0) + base, offset), std::move(text)};
}

std::uint64_t BinlogPlace::NextBase() const {
    return ((FileNumber(file).value_or(0) + base) / kBaseStep + 1) * kBaseStep;
}

}  // namespace biwa::mysql
