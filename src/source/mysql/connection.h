// A connection of MariaDB Connector/C, with errors as values.
#pragma once

#include <mysql.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/ssh_tunnel.h"

namespace biwa::mysql {

enum class TlsMode { kDisable, kPrefer, kRequire, kVerifyCa, kVerifyFull };

struct ConnectionParameters {
    std::vector<Endpoint> hosts;  // one at the least; of several the first that takes writes
    std::string socket;           // instead of those
    std::string user;
    std::string password;
    std::string database;  // whose tables need no schema in front of their names
    TlsMode tls = TlsMode::kPrefer;
    std::string tls_ca, tls_cert, tls_key;  // files
    unsigned connect_timeout_s = 10;
    std::shared_ptr<SshTunnel> tunnel = {};  // leads to the hosts; null: there is no bastion
    // How a copy on several connections gets the same moment for all (snapshot.h).
    bool snapshot_lock = false;
};

// Rows of text.
class QueryRows {
  public:
    std::size_t size() const { return rows_.size(); }
    bool empty() const { return rows_.empty(); }
    bool IsNull(std::size_t row, std::size_t column) const { return !rows_[row][column]; }
    // Empty where it is NULL.
    const std::string& Text(std::size_t row, std::size_t column) const;
    std::int64_t Number(std::size_t row, std::size_t column) const;

  private:
    friend class Connection;
    std::vector<std::vector<std::optional<std::string>>> rows_;
};

// One connection; used by one thread at a time.
class Connection {
  public:
    enum class Kind { kSql, kReplication };

    // kUser: the server refused us (password, database, permission). kUnavailable: not reached.
    static Result<Connection> Open(const ConnectionParameters& parameters, Kind kind = Kind::kSql);

    Result<QueryRows> Query(const std::string& sql) const;
    Status Execute(const std::string& sql) const;
    // A text as a literal, in quotes.
    std::string Literal(std::string_view text) const;

    // What the library or the server said last, as an error of ours.
    Error LastError(std::string_view doing) const;

    MYSQL* raw() const { return connection_.get(); }
    bool is_mariadb() const { return is_mariadb_; }
    // 101119 for 10.11.19, 80036 for 8.0.36
    unsigned long server_version() const { return mysql_get_server_version(raw()); }
    std::string server_version_text() const { return mysql_get_server_info(raw()); }
    bool is_good() const { return is_good_; }

  private:
    struct Deleter {
        void operator()(MYSQL* connection) const { mysql_close(connection); }
    };
    explicit Connection(MYSQL* connection) : connection_(connection) {}
    static Result<Connection> OpenAt(const ConnectionParameters& parameters,
                                     const Endpoint& endpoint, Kind kind);
    static Result<Connection> OpenOnce(const ConnectionParameters& parameters,
                                       const Endpoint& endpoint, Kind kind, bool with_tls);

    std::unique_ptr<MYSQL, Deleter> connection_;
    bool is_mariadb_ = false;
    mutable bool is_good_ = true;
};

// "`name`"
std::string QuoteName(std::string_view name);

// What kind of error the server's or the library's number is.
ErrorKind KindOfError(unsigned number);

}  // namespace biwa::mysql
