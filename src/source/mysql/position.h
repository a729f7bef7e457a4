// A place in the binary log, and all that going on from it takes.
//
// As text: "mariadb-bin.000012:4711 made=1764100000 server=1 gtid=0-1-55". `made` is when the file
// was begun: a file of the same name that was begun at another time is another history (a restored
// server, RESET MASTER). `server` is whose file it is, by its server_id, which no two servers that
// replicate from one another share. The GTIDs say what was committed in terms that all of them
// share: with them a stream goes on at a replica that was promoted.
//
// XA transactions that were prepared before that place and have not ended are named with the tables
// of the stream whose rows they have changed: when one is rolled back, those are not what they
// were.
//
// What was read before that place and bears on what comes after it is noted: place_notes.h.
//
// The file's number and the offset are the order. Another server has other files, whose numbers may
// be lower: from then on `base` is added to them, so that the order grows on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "source/mysql/binlog_events.h"
#include "source/mysql/place_notes.h"

namespace biwa::mysql {

// What was committed, by GTID: of MariaDB the last of each domain, of MySQL for each server the
// ranges of numbers.
class GtidSet {
  public:
    void Add(const Gtid& gtid);
    void Add(const MySqlGtid& gtid);
    // "0-1-55,1-1-3", or "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9,…"
    std::string ToString() const;
    static Result<GtidSet> Parse(std::string_view text);
    bool empty() const { return domains_.empty() && servers_.empty(); }
    // Whether what comes next after these may stand in another order in another server's log: of
    // MariaDB where there are several domains, of MySQL always, as replicas commit in parallel.
    bool orders_differ() const { return domains_.size() > 1 || !servers_.empty(); }
    // Of MySQL: as COM_BINLOG_DUMP_GTID has it. kCorrupt when a server's UUID is none.
    Result<std::string> ToBytes() const;
    // Of MariaDB: those that a server has not written to its log, by its gtid_binlog_state, which
    // has the last of each domain and server; "" when it has all.
    std::string MissingIn(const GtidSet& state) const;
    // Of MariaDB: those that are others in a log up to a place than here, by the last of each
    // domain there; a domain that is not there is passed over, as it can be taken out, unless none
    // is.
    std::string OtherThanIn(const GtidSet& lasts) const;

  private:
    struct Range {
        std::uint64_t first = 0, last = 0;
    };
    struct Server {
        std::string uuid;  // ":tag" behind it: MySQL's sets are by server and tag
        std::vector<Range> ranges;
    };
    std::vector<Gtid> domains_;
    std::vector<Server> servers_;
};

struct BinlogPlace {
    std::string file;
    std::uint64_t offset = 0;
    std::uint32_t made_s = 0;  // 0: not known
    std::uint32_t server = 0;  // its server_id; 0: not known
    std::uint64_t base = 0;    // added to the file's number
    // At this server what comes next is known by the GTIDs only: what another server had in one
    // order may stand in another one here.
    bool by_gtid = false;
    GtidSet gtids;
    std::map<std::string, TableNames> prepared;  // by the transaction's name in XA ROLLBACK
    PlaceNotes notes;

    // kCorrupt when the file has no number at its end.
    static Result<BinlogPlace> Parse(std::string_view text);
    Position ToPosition() const;
    // A base with which any file of another server is behind all that were here.
    std::uint64_t NextBase() const;
};

// Bases are multiples of this: all lines of a stream come to the same one.
inline constexpr std::uint64_t kBaseStep = 1 << 16;
// What the order has room for.
inline constexpr std::uint64_t kFileNumberMax = (1 << 24) - 1;

// 12 of "mariadb-bin.000012"; nothing when there is no number, or too large a one.
std::optional<std::uint64_t> FileNumber(std::string_view file);
std::uint64_t OrderOf(std::uint64_t file_number, std::uint64_t offset);

}  // namespace biwa::mysql
