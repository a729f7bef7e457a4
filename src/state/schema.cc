#include "state/schema.h"

#include <fmt/format.h>

#include <iterator>

namespace biwa {

namespace {

// Each runs once, in this order; what has been released is never changed, only added to.
constexpr const char* kMigrations[] = {
    R"sql(
    CREATE TABLE applied (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        hash TEXT NOT NULL,
        content TEXT NOT NULL,
        applied_at INTEGER NOT NULL,
        PRIMARY KEY (kind, name)
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started INTEGER NOT NULL,
        finished INTEGER NOT NULL,
        state TEXT NOT NULL,
        trigger TEXT NOT NULL
    );
    CREATE TABLE model_runs (
        run INTEGER NOT NULL REFERENCES runs (id),
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        seconds REAL NOT NULL,
        rows INTEGER,
        error TEXT NOT NULL,
        PRIMARY KEY (run, model)
    ) WITHOUT ROWID;
    CREATE INDEX model_runs_by_model ON model_runs (model, run);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    )sql",
    R"sql(
    ALTER TABLE runs ADD COLUMN run_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN request TEXT NOT NULL DEFAULT '';
    ALTER TABLE model_runs ADD COLUMN failing_rows INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE model_runs ADD COLUMN sample TEXT NOT NULL DEFAULT '';
    )sql",
    R"sql(
    ALTER TABLE model_runs ADD COLUMN bytes INTEGER;
    )sql",
};
constexpr std::int64_t kVersion = std::size(kMigrations);

Result<std::string> Ask(const SqliteDatabase& database, std::string_view sql) {
    auto statement = BIWA_TRY(database.Prepare(sql));
    if (!BIWA_TRY(statement.Step())) return std::string();
    return statement.Text(0);
}

Status CheckFile(const SqliteDatabase& database) {
    const auto mode = BIWA_TRY(Ask(database, "PRAGMA journal_mode = WAL"));
    if (mode != "wal") {
        return Unavailable(
            fmt::format("meta.db cannot be kept in WAL mode (it is in \"{}\")", mode),
            "Keep .biwa on a local disk; network file systems cannot do this.");
    }
    const auto check = BIWA_TRY(Ask(database, "PRAGMA quick_check(1)"));
    if (check != "ok") {
        return Corrupt("meta.db is damaged: " + check,
                       "Put back a copy of it, or move it away to begin with an empty one.");
    }
    const auto foreign =
        BIWA_TRY(Ask(database,
                     "SELECT name FROM sqlite_schema WHERE NOT EXISTS"
                     " (SELECT 1 FROM sqlite_schema WHERE name = 'schema_version') LIMIT 1"));
    if (!foreign.empty()) {
        return Corrupt(
            fmt::format("meta.db is another program's database (it has \"{}\")", foreign),
            "Move it away.");
    }
    return {};
}

Status Migrate(const SqliteDatabase& database) {
    BIWA_TRY(
        database.Execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"));
    const auto found =
        std::stoll("0" + BIWA_TRY(Ask(database, "SELECT max(version) FROM schema_version")));
    if (found > kVersion) {
        return UserError(
            fmt::format(
                "meta.db was written by a newer biwa (its version is {}, this biwa knows {})",
                found, kVersion),
            "Use that biwa, or a newer one.");
    }
    for (auto version = found; version < kVersion; ++version) {
        BIWA_TRY(database.Execute(kMigrations[version]));
        BIWA_TRY(database.Execute(
            fmt::format("INSERT INTO schema_version (version) VALUES ({})", version + 1)));
    }
    return {};
}

}  // namespace

Status PrepareSchema(const SqliteDatabase& database) {
    BIWA_TRY(CheckFile(database));
    BIWA_TRY(database.Execute("PRAGMA synchronous = FULL"));
    BIWA_TRY(database.Execute("BEGIN IMMEDIATE"));
    auto migrated = Migrate(database);
    const auto ended = database.Execute(migrated ? "COMMIT" : "ROLLBACK");
    return migrated ? ended : migrated;
}

}  // namespace biwa
