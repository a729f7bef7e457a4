// A place in the binary log, and all that going on from it takes.
//
// As text: "mariadb-bin.000012:4711 made=1764100000 gtid=0-1-55". The file's number and the offset
// are its order. `made` is when the file was begun: a file of the same name that was begun at
// another time is another history (a restored server, a promoted replica, RESET MASTER). The GTIDs
// say the same in terms that other servers share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "source/mysql/binlog_events.h"

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

  private:
    struct Range {
        std::uint64_t first = 0, last = 0;
    };
    struct Server {
        std::string uuid;
        std::vector<Range> ranges;
    };
    std::vector<Gtid> domains_;
    std::vector<Server> servers_;
};

struct BinlogPlace {
    std::string file;
    std::uint64_t offset = 0;
    std::uint32_t made_s = 0;  // 0: not known
    GtidSet gtids;

    // kCorrupt when the file has no number at its end.
    static Result<BinlogPlace> Parse(std::string_view text);
    Position ToPosition() const;
};

// 12 of "mariadb-bin.000012"; nothing when there is no number.
std::optional<std::uint64_t> FileNumber(std::string_view file);
std::uint64_t OrderOf(std::uint64_t file_number, std::uint64_t offset);

}  // namespace biwa::mysql
