#include "state/sqlite.h"

#include <fmt/format.h>

namespace biwa {

namespace {

// How long a reader waits for a writer to finish a checkpoint, and the like.
constexpr int kBusyMillis = 10'000;

tl::unexpected<Error> SqliteError(sqlite3* database, int code) {
    const char* path = database ? sqlite3_db_filename(database, "main") : nullptr;
    const char* said = database ? sqlite3_errmsg(database) : sqlite3_errstr(code);
    const auto message = fmt::format("{}: {}", path && *path ? path : "meta.db", said);
    switch (code & 0xFF) {
        case SQLITE_FULL:
            return Unavailable(message, "Free some disk space and try again.");
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Corrupt(
                message,
                "The file is damaged or is no meta.db. Put back a copy of it, or move it "
                "away to begin with an empty one: the data in the warehouse is not "
                "touched, and `biwa plan` will show what has to be applied again.");
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return Unavailable(message, "Is its folder there, and may this user write to it?");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Unavailable(message, "Another process holds the file. Is another biwa running?");
        case SQLITE_IOERR:
            return Unavailable(message,
                               "The disk could not be read or written; look at its health "
                               "and free space.");
        default:
            return Corrupt(message);
    }
}

}  // namespace

SqliteStatement& SqliteStatement::Bind(std::int64_t value) {
    sqlite3_bind_int64(statement_, next_++, value);
    return *this;
}

SqliteStatement& SqliteStatement::Bind(double value) {
    sqlite3_bind_double(statement_, next_++, value);
    return *this;
}

SqliteStatement& SqliteStatement::Bind(std::string_view text) {
    // An empty view may have no address, which SQLite would take for NULL.
    sqlite3_bind_text(statement_, next_++, text.data() ? text.data() : "",
                      static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
}

SqliteStatement& SqliteStatement::Bind(const std::optional<std::int64_t>& value) {
    if (value) return Bind(*value);
    sqlite3_bind_null(statement_, next_++);
    return *this;
}

Result<bool> SqliteStatement::Step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return SqliteError(sqlite3_db_handle(statement_), code);
}

Status SqliteStatement::Run() {
    while (BIWA_TRY(Step())) {
    }
    return {};
}

std::string SqliteStatement::Text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text ? std::string(text,
                              static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
                : std::string();
}

std::optional<std::int64_t> SqliteStatement::OptionalInteger(int column) const {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return Integer(column);
}

Result<SqliteDatabase> SqliteDatabase::Open(const std::filesystem::path& path, Mode mode) {
    const int flags =
        (mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    SqliteDatabase database(handle);
    if (code != SQLITE_OK) {
        auto error = SqliteError(handle, code);
        return Within(fmt::format("cannot open {}", path.string()), error.value());
    }
    sqlite3_busy_timeout(handle, kBusyMillis);
    return database;
}

Result<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()),
                                        &statement, nullptr);
    if (code != SQLITE_OK) return SqliteError(database_, code);
    return SqliteStatement(statement);
}

Status SqliteDatabase::Execute(const std::string& sql) const {
    const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return SqliteError(database_, code);
    return {};
}

}  // namespace biwa
