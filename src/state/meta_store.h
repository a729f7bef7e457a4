// meta.db: what an instance remembers beside the data: what was applied, what ran, who did what.
//
// A function that writes returns when what it wrote is durable (SQLite, WAL, synchronous=FULL). One
// thread writes; whoever writes while it syncs shares the next transaction, and so the next sync.
// Readers have connections of their own and never wait for the writer. All functions may be called
// from any thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace biwa {

// A resource as it was applied last. `content` is JSON and holds references, never secrets.
struct AppliedResource {
    std::string kind;  // "connection", "stream", "model", "dashboard"
    std::string name;
    std::string hash;  // of the content
    std::string content;
    Micros applied_at = 0;
};

// What an apply does to the record: puts resources (new or changed) and removes others.
struct ResourceChanges {
    std::vector<AppliedResource> put;  // applied_at is set by the store
    struct Key {
        std::string kind;
        std::string name;
    };
    std::vector<Key> remove;
};

struct ModelRun {
    std::string model;
    std::string state;  // "ok", "warned", "failed", "skipped", "cancelled"
    double seconds = 0;
    std::optional<std::int64_t> rows;
    std::string error;
    std::int64_t failing_rows = 0;           // of an assertion
    std::string sample = {};                 // of those, JSON; may be empty
    std::optional<std::int64_t> bytes = {};  // of the table's values
};

struct Run {
    std::int64_t id = 0;  // set by the store
    Micros started = 0;
    Micros finished = 0;
    // "running"; "ok", "failed", "cancelled"; "interrupted": the process ended before the run did
    std::string state;
    std::string trigger;  // "command", "refresh", "apply"
    std::vector<ModelRun> models;
    std::string run_id = {};   // that of _biwa.applied in the warehouse
    std::string request = {};  // what was asked for, JSON
};

// A model's last run, and when it was.
struct LastModelRun {
    ModelRun run;
    Micros finished = 0;
};

struct AuditEntry {
    Micros at = 0;  // set by the store
    std::string who;
    std::string what;
    std::string detail;
};

class MetaStore {
  public:
    // Makes the file where there is none, and brings an older one up to date. `clock` outlives the
    // store. kCorrupt: the file is damaged. kUser: it was written by a newer version.
    static Result<std::unique_ptr<MetaStore>> Open(const std::filesystem::path& path,
                                                   const Clock& clock);
    ~MetaStore();

    Result<std::vector<AppliedResource>> ReadApplied() const;  // by kind and name
    // All of it or nothing, with an entry of the audit log.
    Status ApplyResources(const ResourceChanges& changes, const std::string& who,
                          const std::string& what);

    // Of a run that begins. What is still "running" when the store is opened again was interrupted.
    Result<std::int64_t> BeginRun(const Run& run);  // the run's id
    // Of a run that was begun, or that is told of only now (its id is 0).
    Result<std::int64_t> RecordRun(const Run& run);  // the run's id
    // The newest first, with their models.
    Result<std::vector<Run>> RecentRuns(int count_max) const;
    // The newest of those with this trigger, without its models; nothing when there is none.
    Result<std::optional<Run>> LastRun(const std::string& trigger) const;
    Result<std::map<std::string, LastModelRun>> LastModelRuns() const;
    // Forgets runs that are not among the newest `keep`; the last run of each model stays.
    Status PruneRuns(int keep);

    Status Audit(const AuditEntry& entry);
    Result<std::vector<AuditEntry>> RecentAudit(int count_max) const;  // the newest first

    // Transactions committed so far: what group commit saves can be seen here.
    std::uint64_t commits() const;

  private:
    class Readers;
    class Writer;
    MetaStore(std::unique_ptr<Readers> readers, std::unique_ptr<Writer> writer);
    std::unique_ptr<Readers> readers_;
    std::unique_ptr<Writer> writer_;
};

}  // namespace biwa
