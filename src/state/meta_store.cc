#include "state/meta_store.h"

#include <fmt/format.h>

#include "state/schema.h"
#include "state/sqlite.h"
#include "state/writer.h"

namespace biwa {

// Idle read connections: as many as have ever read at once.
class MetaStore::Readers {
  public:
    Readers(std::filesystem::path path, const Clock& clock)
        : clock_(clock), path_(std::move(path)) {}

    template <typename Read>
    auto With(Read read) -> decltype(read(std::declval<const SqliteDatabase&>())) {
        auto database = BIWA_TRY(Take());
        auto result = read(*database);
        std::lock_guard lock(mutex_);
        idle_.push_back(std::move(database));
        return result;
    }

    const Clock& clock_;

  private:
    Result<std::unique_ptr<SqliteDatabase>> Take() {
        {
            std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto database = std::move(idle_.back());
                idle_.pop_back();
                return database;
            }
        }
        return std::make_unique<SqliteDatabase>(
            BIWA_TRY(SqliteDatabase::Open(path_, SqliteDatabase::Mode::kRead)));
    }

    const std::filesystem::path path_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<SqliteDatabase>> idle_;
};

MetaStore::MetaStore(std::unique_ptr<Readers> readers, std::unique_ptr<Writer> writer)
    : readers_(std::move(readers)), writer_(std::move(writer)) {}

MetaStore::~MetaStore() = default;

std::uint64_t MetaStore::commits() const { return writer_->commits(); }

Result<std::unique_ptr<MetaStore>> MetaStore::Open(const std::filesystem::path& path,
                                                   const Clock& clock) {
    auto database = BIWA_TRY(SqliteDatabase::Open(path, SqliteDatabase::Mode::kWrite));
    if (auto prepared = PrepareSchema(database); !prepared) {
        return Within(fmt::format("cannot open {}", path.string()), prepared.error());
    }
    // Whoever ran it has gone: a store is open in one process at a time.
    BIWA_TRY(database.Execute("UPDATE runs SET state = 'interrupted' WHERE state = 'running'"));
    return std::unique_ptr<MetaStore>(new MetaStore(std::make_unique<Readers>(path, clock),
                                                    std::make_unique<Writer>(std::move(database))));
}

namespace {

Status InsertAudit(const SqliteDatabase& database, const AuditEntry& entry) {
    return database.Run("INSERT INTO audit (at, who, what, detail) VALUES (?, ?, ?, ?)", entry.at,
                        entry.who, entry.what, entry.detail);
}

ModelRun ReadModelRun(const SqliteStatement& row, int first) {
    ModelRun run;
    run.model = row.Text(first);
    run.state = row.Text(first + 1);
    run.seconds = row.Real(first + 2);
    run.rows = row.OptionalInteger(first + 3);
    run.error = row.Text(first + 4);
    run.failing_rows = row.OptionalInteger(first + 5).value_or(0);
    run.sample = row.Text(first + 6);
    run.bytes = row.OptionalInteger(first + 7);
    return run;
}

}  // namespace

Result<std::vector<AppliedResource>> MetaStore::ReadApplied() const {
    using Applied = Result<std::vector<AppliedResource>>;
    return readers_->With([](const SqliteDatabase& database) -> Applied {
        auto rows = BIWA_TRY(database.Prepare(
            "SELECT kind, name, hash, content, applied_at FROM applied ORDER BY kind, name"));
        std::vector<AppliedResource> applied;
        while (BIWA_TRY(rows.Step())) {
            applied.push_back(
                {rows.Text(0), rows.Text(1), rows.Text(2), rows.Text(3), rows.Integer(4)});
        }
        return applied;
    });
}

Status MetaStore::ApplyResources(const ResourceChanges& changes, const std::string& who,
                                 const std::string& what) {
    const auto now = readers_->clock_.Now();
    std::string detail;
    for (const auto& one : changes.put) detail += fmt::format("put {} {}\n", one.kind, one.name);
    for (const auto& one : changes.remove) {
        detail += fmt::format("remove {} {}\n", one.kind, one.name);
    }
    return writer_->Write([&](const SqliteDatabase& database) -> Status {
        for (const auto& one : changes.put) {
            BIWA_TRY(
                database.Run("INSERT OR REPLACE INTO applied"
                             " (kind, name, hash, content, applied_at)"
                             " VALUES (?, ?, ?, ?, ?)",
                             one.kind, one.name, one.hash, one.content, now));
        }
        for (const auto& one : changes.remove) {
            BIWA_TRY(database.Run("DELETE FROM applied WHERE kind = ? AND name = ?", one.kind,
                                  one.name));
        }
        return InsertAudit(database, {now, who, what, detail});
    });
}

Result<std::int64_t> MetaStore::BeginRun(const Run& run) {
    auto begun = run;
    begun.id = 0;
    begun.state = "running";
    begun.models.clear();
    return RecordRun(begun);
}

Result<std::int64_t> MetaStore::RecordRun(const Run& run) {
    std::int64_t id = run.id;
    const auto written = writer_->Write([&](const SqliteDatabase& database) -> Status {
        if (run.id == 0) {
            BIWA_TRY(database.Run(
                "INSERT INTO runs (started, finished, state, trigger, run_id, request)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                run.started, run.finished, run.state, run.trigger, run.run_id, run.request));
            id = database.LastRowId();
        } else {
            BIWA_TRY(database.Run("UPDATE runs SET finished = ?, state = ? WHERE id = ?",
                                  run.finished, run.state, run.id));
        }
        for (const auto& model : run.models) {
            BIWA_TRY(
                database.Run("INSERT INTO model_runs"
                             " (run, model, state, seconds, rows, error, failing_rows, sample,"
                             " bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                             id, model.model, model.state, model.seconds, model.rows, model.error,
                             model.failing_rows, model.sample, model.bytes));
        }
        return {};
    });
    if (!written) return tl::unexpected(written.error());
    return id;
}

Result<std::optional<Run>> MetaStore::LastRun(const std::string& trigger) const {
    return readers_->With([&](const SqliteDatabase& database) -> Result<std::optional<Run>> {
        auto rows = BIWA_TRY(database.Prepare(
            "SELECT id, started, finished, state, trigger, run_id, request FROM runs"
            " WHERE trigger = ? ORDER BY id DESC LIMIT 1"));
        rows.Bind(trigger);
        if (!BIWA_TRY(rows.Step())) return std::nullopt;
        return Run{rows.Integer(0), rows.Integer(1), rows.Integer(2),
                   rows.Text(3),    rows.Text(4),    {},
                   rows.Text(5),    rows.Text(6)};
    });
}

Result<std::vector<Run>> MetaStore::RecentRuns(int count_max) const {
    return readers_->With([&](const SqliteDatabase& database) -> Result<std::vector<Run>> {
        // One statement is one view of the file, so a run comes with all of its models.
        auto rows = BIWA_TRY(database.Prepare(
            "SELECT r.id, r.started, r.finished, r.state, r.trigger, r.run_id, r.request,"
            " m.model, m.state, m.seconds, m.rows, m.error, m.failing_rows, m.sample, m.bytes"
            " FROM (SELECT * FROM runs ORDER BY id DESC LIMIT ?) r"
            " LEFT JOIN model_runs m ON m.run = r.id ORDER BY r.id DESC, m.model"));
        rows.Bind(std::int64_t{count_max});
        std::vector<Run> runs;
        while (BIWA_TRY(rows.Step())) {
            const auto id = rows.Integer(0);
            if (runs.empty() || runs.back().id != id) {
                runs.push_back({id,
                                rows.Integer(1),
                                rows.Integer(2),
                                rows.Text(3),
                                rows.Text(4),
                                {},
                                rows.Text(5),
                                rows.Text(6)});
            }
            auto model = ReadModelRun(rows, 7);
            if (!model.model.empty()) runs.back().models.push_back(std::move(model));
        }
        return runs;
    });
}

Result<std::map<std::string, LastModelRun>> MetaStore::LastModelRuns() const {
    using Last = Result<std::map<std::string, LastModelRun>>;
    return readers_->With([](const SqliteDatabase& database) -> Last {
        auto rows = BIWA_TRY(database.Prepare(
            "SELECT m.model, m.state, m.seconds, m.rows, m.error, m.failing_rows, m.sample,"
            " m.bytes, r.finished FROM model_runs m"
            " JOIN (SELECT model, max(run) AS run FROM model_runs GROUP BY model) last"
            " ON last.model = m.model AND last.run = m.run JOIN runs r ON r.id = m.run"));
        std::map<std::string, LastModelRun> last;
        while (BIWA_TRY(rows.Step())) {
            auto run = ReadModelRun(rows, 0);
            const auto model = run.model;
            last[model] = {std::move(run), rows.Integer(8)};
        }
        return last;
    });
}

Status MetaStore::PruneRuns(int keep) {
    const std::int64_t count = keep;
    return writer_->Write([&](const SqliteDatabase& database) -> Status {
        BIWA_TRY(
            database.Run("DELETE FROM model_runs WHERE run NOT IN"
                         " (SELECT id FROM runs ORDER BY id DESC LIMIT ?) AND run <>"
                         " (SELECT max(run) FROM model_runs m WHERE m.model = model_runs.model)",
                         count));
        return database.Run(
            "DELETE FROM runs WHERE id NOT IN (SELECT id FROM runs ORDER BY id DESC LIMIT ?)"
            " AND id NOT IN (SELECT run FROM model_runs)",
            count);
    });
}

Status MetaStore::Audit(const AuditEntry& entry) {
    AuditEntry stamped = entry;
    stamped.at = readers_->clock_.Now();
    return writer_->Write(
        [&](const SqliteDatabase& database) { return InsertAudit(database, stamped); });
}

Result<std::vector<AuditEntry>> MetaStore::RecentAudit(int count_max) const {
    return readers_->With([&](const SqliteDatabase& database) -> Result<std::vector<AuditEntry>> {
        auto rows = BIWA_TRY(
            database.Prepare("SELECT at, who, what, detail FROM audit ORDER BY id DESC LIMIT ?"));
        rows.Bind(std::int64_t{count_max});
        std::vector<AuditEntry> entries;
        while (BIWA_TRY(rows.Step())) {
            entries.push_back({rows.Integer(0), rows.Text(1), rows.Text(2), rows.Text(3)});
        }
        return entries;
    });
}

}  // namespace biwa
