// SQLite, as far as meta.db needs it: Results for its codes, and nothing left open.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace biwa {

// One prepared statement, run once or row by row. Lives shorter than its database.
class SqliteStatement {
  public:
    explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
    SqliteStatement(SqliteStatement&& other) noexcept
        : statement_(std::exchange(other.statement_, nullptr)), next_(other.next_) {}
    SqliteStatement& operator=(SqliteStatement&&) = delete;
    ~SqliteStatement() { sqlite3_finalize(statement_); }

    // Parameters, from the first on.
    SqliteStatement& Bind(std::int64_t value);
    SqliteStatement& Bind(double value);
    SqliteStatement& Bind(std::string_view text);
    SqliteStatement& Bind(const std::optional<std::int64_t>& value);

    // True: there is a row. False: there are no more.
    Result<bool> Step();
    Status Run();

    std::int64_t Integer(int column) const { return sqlite3_column_int64(statement_, column); }
    double Real(int column) const { return sqlite3_column_double(statement_, column); }
    std::string Text(int column) const;
    std::optional<std::int64_t> OptionalInteger(int column) const;

  private:
    sqlite3_stmt* statement_;
    int next_ = 1;
};

// One connection. One thread at a time.
class SqliteDatabase {
  public:
    enum class Mode { kRead, kWrite };
    static Result<SqliteDatabase> Open(const std::filesystem::path& path, Mode mode);

    SqliteDatabase(SqliteDatabase&& other) noexcept
        : database_(std::exchange(other.database_, nullptr)) {}
    SqliteDatabase& operator=(SqliteDatabase&&) = delete;
    ~SqliteDatabase() { sqlite3_close(database_); }

    Result<SqliteStatement> Prepare(std::string_view sql) const;
    Status Execute(const std::string& sql) const;
    // One statement with its parameters.
    template <typename... Parameters>
    Status Run(std::string_view sql, const Parameters&... parameters) const {
        auto statement = BIWA_TRY(Prepare(sql));
        (statement.Bind(parameters), ...);
        return statement.Run();
    }
    std::int64_t LastRowId() const { return sqlite3_last_insert_rowid(database_); }

  private:
    explicit SqliteDatabase(sqlite3* database) : database_(database) {}
    sqlite3* database_;
};

}  // namespace biwa
