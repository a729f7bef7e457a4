// The measuring half of the MariaDB benchmarks: each command prints one JSON object. bench/run
// prepares the server and puts ours beside the limit.
//
//   text-limit TABLE          SELECT * of one connection, rows of text read and thrown away
//   binary-limit TABLE        the same as a prepared statement, whose rows are binary
//   binlog-limit FILE POS END events of the binary log fetched until END ("file:offset"), and their
//                             rows taken apart and counted, all by Connector/C
//   bytes-limit FILE POS END CHANGES
//                             the same without looking at the rows: that there are so many is known
//   store-limit FOLDER TABLE BEGIN END
//                             the engine alone storing the same (store_limit.h), after `start`
//   head                      where the binary log ends now: "file:offset"
//   snapshot FOLDER TABLE     a stream's copy, until changes are being followed
//   start FOLDER TABLE        the same, unmeasured: prepares `changes`
//   changes FOLDER TABLE END  a stream's changes, until those before END are in the warehouse
// The connection is that of scripts/mariadb's environment (MARIADB_SOCKET, …), database "bench".
#include <fmt/format.h>
#include <mysql.h>
// After mysql.h, whose types it needs.
#include <mariadb_rpl.h>

#include "base/log.h"
#include "base/process_memory.h"
#include "bench.h"
#include "source/mysql/mysql_source.h"
#include "source/mysql/position.h"
#include "store_limit.h"

namespace biwa::bench {
namespace {

MYSQL* Connect() {
    MYSQL* connection = mysql_init(nullptr);
    if (mysql_real_connect(connection, nullptr, Environment("MARIADB_USER").c_str(),
                           Environment("MARIADB_PASSWORD").c_str(), "bench", 0,
                           Environment("MARIADB_SOCKET").c_str(), 0) == nullptr) {
        Die(mysql_error(connection));
    }
    return connection;
}

void TextLimit(const std::string& table) {
    MYSQL* connection = Connect();
    const auto begin = Steady::now();
    if (mysql_query(connection, ("SELECT * FROM " + table).c_str()) != 0) {
        Die(mysql_error(connection));
    }
    MYSQL_RES* result = mysql_use_result(connection);
    double rows = 0;
    while (mysql_fetch_row(result) != nullptr) ++rows;
    PrintResult(rows, Since(begin));
    mysql_free_result(result);
    mysql_close(connection);
}

void BinaryLimit(const std::string& table) {
    MYSQL* connection = Connect();
    MYSQL_STMT* statement = mysql_stmt_init(connection);
    const auto begin = Steady::now();
    const auto sql = "SELECT * FROM " + table;
    if (mysql_stmt_prepare(statement, sql.c_str(), sql.size()) != 0 ||
        mysql_stmt_execute(statement) != 0) {
        Die(mysql_stmt_error(statement));
    }
    double rows = 0;
    while (mysql_stmt_fetch(statement) == 0) ++rows;
    PrintResult(rows, Since(begin));
    mysql_stmt_close(statement);
    mysql_close(connection);
}

std::uint64_t OrderOf(const std::string& place) {
    return Must(mysql::BinlogPlace::Parse(place)).ToPosition().order;
}

// Counts rows where `changes` is not known.
void BinlogLimit(const std::string& file, unsigned long offset, const std::string& end,
                 double changes) {
    const bool counts = changes == 0;
    const auto until = OrderOf(end);
    MYSQL* connection = Connect();
    mysql_query(connection,
                "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, "
                "@master_heartbeat_period = 1000000000, @mariadb_slave_capability = 4");
    MARIADB_RPL* replication = mariadb_rpl_init(connection);
    mariadb_rpl_optionsv(replication, MARIADB_RPL_FILENAME, file.c_str(), file.size());
    mariadb_rpl_optionsv(replication, MARIADB_RPL_START, offset);
    mariadb_rpl_optionsv(replication, MARIADB_RPL_SERVER_ID, 4711U);
    mariadb_rpl_optionsv(replication, MARIADB_RPL_FLAGS, 0U);
    const auto begin = Steady::now();
    if (mariadb_rpl_open(replication) != 0) Die(mysql_error(connection));
    MARIADB_RPL_EVENT *event = nullptr, *map = nullptr;
    std::string current = file;
    while ((event = mariadb_rpl_fetch(replication, event)) != nullptr) {
        if (counts && event->event_type == TABLE_MAP_EVENT) {
            // The rows that follow are read with it.
            if (map != nullptr) mariadb_free_rpl_event(map);
            map = event;
            event = nullptr;
            continue;
        }
        if (counts && map != nullptr && IS_ROW_EVENT(event)) {
            const auto* row = mariadb_rpl_extract_rows(replication, map, event);
            // Of an update the row before and the row after.
            const double each = event->event.rows.type == UPDATE_ROWS ? 0.5 : 1;
            for (; row != nullptr; row = row->next) changes += each;
        }
        if (event->event_type == ROTATE_EVENT) {
            current.assign(event->event.rotate.filename.str, event->event.rotate.filename.length);
            current =
                current.substr(0, current.find_first_not_of("0123456789", current.rfind('.') + 1));
        }
        if (event->next_event_pos != 0 && event->event_type != ROTATE_EVENT &&
            OrderOf(fmt::format("{}:{}", current, event->next_event_pos)) >= until) {
            break;
        }
    }
    PrintResult(changes, Since(begin));
    std::exit(0);
}

std::unique_ptr<Source> OpenSource() {
    SourceRegistry sources;
    RegisterMySqlSource(sources);
    auto source = sources.Find("mariadb")->open({{"socket", Environment("MARIADB_SOCKET")},
                                                 {"user", Environment("MARIADB_USER")},
                                                 {"password", Environment("MARIADB_PASSWORD")},
                                                 {"database", "bench"}});
    return Must(std::move(source));
}

void Head() {
    const auto source = OpenSource();
    const auto head = Must(Must(source->OpenStream("bench", {}))->Head());
    fmt::print("{{\"head\": \"{}\"}}\n", head.text.substr(0, head.text.find(' ')));
}

void Store(const std::string& folder, const std::string& table, const std::string& begin,
           const std::string& end) {
    const auto source = OpenSource();
    const auto stream = Must(source->OpenStream("bench", {}));
    StoreLimit(*stream, folder, table, begin, end, OrderOf);
    std::exit(0);
}

void Stream(const std::string& folder, const std::string& table, const std::string& end) {
    const auto source = OpenSource();
    RunStream(*source, folder, "bench." + table, "bench", end, OrderOf);
}

}  // namespace
}  // namespace biwa::bench

int main(int argc, char** argv) {
    using namespace biwa;
    using namespace biwa::bench;
    SetLogLevel(LogLevel::kWarn);
    KeepLargeBlocksApart();
    const std::string command = argc > 1 ? argv[1] : "";
    const auto argument = [&](int i) -> std::string { return i < argc ? argv[i] : ""; };
    if (command == "text-limit") {
        TextLimit(argument(2));
    } else if (command == "binary-limit") {
        BinaryLimit(argument(2));
    } else if (command == "binlog-limit") {
        BinlogLimit(argument(2), std::stoul(argument(3)), argument(4), 0);
    } else if (command == "bytes-limit") {
        BinlogLimit(argument(2), std::stoul(argument(3)), argument(4), std::stod(argument(5)));
    } else if (command == "store-limit") {
        Store(argument(2), argument(3), argument(4), argument(5));
    } else if (command == "head") {
        Head();
    } else if (command == "snapshot" || command == "start") {
        Stream(argument(2), argument(3), "");
    } else if (command == "changes") {
        Stream(argument(2), argument(3), argument(4));
    } else {
        Die("unknown command: see the top of bench/mariadb_bench.cc");
    }
}
