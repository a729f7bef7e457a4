// A libpq connection, with errors as values.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "source/ssh_tunnel.h"

namespace biwa::postgres {

// The mend of whatever a right is missing for.
inline constexpr const char* kAskDoctor = "`biwa doctor` says which right is missing";

struct ConnectionParameters {
    // libpq's keywords ("host", "dbname", …) and their values.
    std::map<std::string, std::string> keywords;
    // Leads to the hosts, in the order in which they are named; null: there is no bastion.
    std::shared_ptr<SshTunnel> tunnel = {};
};

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};

// Rows of text.
class QueryRows {
  public:
    explicit QueryRows(PGresult* result) : result_(result) {}
    int size() const { return PQntuples(result_.get()); }
    bool empty() const { return size() == 0; }
    bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
    std::string Text(int row, int column) const {
        return std::string(PQgetvalue(result_.get(), row, column),
                           static_cast<std::size_t>(PQgetlength(result_.get(), row, column)));
    }
    std::int64_t Number(int row, int column) const {
        return std::strtoll(PQgetvalue(result_.get(), row, column), nullptr, 10);
    }
    bool Boolean(int row, int column) const {
        return *PQgetvalue(result_.get(), row, column) == 't';
    }
    // Of a column that is one of a table: its number there (attnum); else 0.
    int ColumnNumber(int column) const { return PQftablecol(result_.get(), column); }
    // Type OID and modifier.
    std::string TypeText(int column) const {
        return std::to_string(PQftype(result_.get(), column)) + "/" +
               std::to_string(PQfmod(result_.get(), column));
    }

  private:
    std::unique_ptr<PGresult, ResultDeleter> result_;
};

// One connection; used by one thread at a time.
class Connection {
  public:
    enum class Kind { kSql, kReplication };

    // kUser: the server refused us (password, database, permission). kUnavailable: not reached.
    static Result<Connection> Open(const ConnectionParameters& parameters, Kind kind);

    // From now on a Query is given up (kUnavailable), and the connection with it, when the server
    // says nothing for so long. For questions that are answered at once.
    void LimitSilence(std::chrono::milliseconds max) { silence_max_ = max; }

    Result<QueryRows> Query(const std::string& sql) const;
    Result<QueryRows> Query(const std::string& sql,
                            const std::vector<std::string>& parameters) const;
    Status Execute(const std::string& sql) const;
    // Begins a COPY … TO STDOUT, or START_REPLICATION; read on with PQgetCopyData.
    Status BeginCopy(const std::string& sql) const;

    // The SQLSTATE of what Query or Execute did last; empty when that went well, or ended without.
    const std::string& last_state() const { return last_state_; }
    // What libpq said last, as an error of ours.
    Error LastError(std::string_view doing) const;
    // Why a COPY ended (PQgetCopyData: -1), as kUnavailable.
    Error ErrorAtEnd(std::string_view what) const;

    PGconn* raw() const { return connection_.get(); }
    int server_version() const { return PQserverVersion(connection_.get()); }
    bool is_good() const { return !is_given_up_ && PQstatus(connection_.get()) == CONNECTION_OK; }

  private:
    struct Deleter {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    explicit Connection(PGconn* connection) : connection_(connection) {}
    // The result of what was sent; kUnavailable when the silence was too long.
    Result<QueryRows> Await() const;

    std::unique_ptr<PGconn, Deleter> connection_;
    std::chrono::milliseconds silence_max_{0};  // 0: no limit
    mutable bool is_given_up_ = false;
    mutable std::string last_state_;
};

}  // namespace biwa::postgres
