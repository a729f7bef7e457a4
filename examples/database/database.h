// A connection to PostgreSQL for the example programs: libpq with errors as values.
#pragma once

#include <libpq-fe.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace biwa::examples {

// The rows of one statement, as text.
class Rows {
  public:
    explicit Rows(PGresult* result) : result_(result, &PQclear) {}

    int size() const { return PQntuples(result_.get()); }
    bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
    std::string_view Text(int row, int column) const {
        return {PQgetvalue(result_.get(), row, column),
                static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
    }
    std::int64_t Int(int row, int column) const;
    double Double(int row, int column) const;
    // Rows that an INSERT, UPDATE or DELETE touched.
    std::int64_t affected() const;

  private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// A parameter of a statement: text, or nothing for NULL.
using Parameter = std::optional<std::string>;

struct PreparedCall {
    std::string name;
    std::vector<Parameter> parameters;
};

// One connection, for one thread. An error is kUnavailable when the server went away (Reconnect may
// help) and kUser when the server refused the statement.
class Database {
  public:
    // `url` is a libpq connection string or URL; what it leaves out comes from PGHOST and the other
    // variables of libpq, and the database's name from `default_database` at last.
    static Result<Database> Connect(const std::string& url, const std::string& default_database);
    // The same, and makes the database first if the server does not have it.
    static Result<Database> ConnectOrCreate(const std::string& url,
                                            const std::string& default_database);

    // Opens the same connection anew; what was prepared has to be prepared again.
    Status Reconnect();

    // Any number of statements without parameters; the rows are those of the last.
    Result<Rows> Execute(const std::string& sql);
    Status Prepare(const std::string& name, const std::string& sql);
    Result<Rows> Call(const std::string& name, std::span<const Parameter> parameters);
    Result<Rows> Call(const std::string& name, std::initializer_list<Parameter> parameters) {
        return Call(name, std::span(parameters.begin(), parameters.size()));
    }

    // Sends prepared statements that are one transaction, and does not wait: any number of
    // transactions may be under way, and as many Awaits are due. Nothing else meanwhile.
    Status SendTransaction(std::span<const PreparedCall> calls);
    // Waits for the end of the oldest transaction under way.
    Status AwaitTransaction();

    // COPY … FROM STDIN: Begin, any number of Puts, End. Returns the number of rows.
    Status BeginCopy(const std::string& sql);
    Status PutCopy(std::string_view bytes);
    Result<std::int64_t> EndCopy();

    std::string name() const { return PQdb(connection_.get()); }

  private:
    explicit Database(PGconn* connection) : connection_(connection, &PQfinish) {}
    Error LastError(std::string_view doing) const;

    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
    int under_way_ = 0;  // transactions sent and not awaited
};

}  // namespace biwa::examples
