// The streams of an instance: checks, starts and stops them as plans are carried out, and takes
// away what those that go have left.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/disk_reserve.h"
#include "base/result.h"
#include "instance/engine.h"
#include "plan/plan.h"
#include "project/project.h"
#include "replication/stream_runner.h"
#include "server/http/backend.h"
#include "warehouse/warehouse.h"

namespace biwa {

// What starts, stops and asks them is called by one thread at a time; the rest from any.
class StreamSet {
  public:
    // All outlive it. `is_read` says whether somebody reads from the warehouse.
    StreamSet(const Engine& engine, Warehouse& warehouse, const DiskReserve& reserve,
              OnTablesChanged on_changed, std::function<bool()> is_read);

    // Of every stream that the plan makes or changes: its connection answers and its tables are
    // there.
    Status Check(const Plan& plan, const Project& wanted);
    // Stops those that the plan changes, and those of a connection that it changes. One that goes,
    // or goes elsewhere, is taken away at its source and forgotten.
    Status StopChanged(const Plan& plan, const Project& before,
                       const std::vector<AppliedResource>& applied);
    // Starts those that do not run.
    Status StartMissing(const Project& wanted);
    void StopAll();

    std::vector<StreamStatus> statuses() const;
    // One that has failed is begun again by `resume`, with the project's settings of it.
    Status Ask(const http::StreamCommand& command, const Project& project);

  private:
    Status Start(const Project& project, const StreamConfig& config);
    void Stop(const std::string& name);
    // What a stream was applied with.
    struct Former {
        ConnectionConfig connection;
        TargetDataset dataset;
    };
    Former FormerOf(const std::string& name, const std::vector<AppliedResource>& applied) const;
    // Whether what it has at its source can be taken away.
    Status CheckReach(const Project& project, const std::string& name, const Former& former);
    // `is_left`: at its source nothing is touched; `leave_at_source`: where that cannot be either.
    Status Remove(const Project& project, const std::string& name, const Former& former,
                  bool is_left, bool leave_at_source);

    const Engine& engine_;
    Warehouse& warehouse_;
    const DiskReserve& reserve_;
    const OnTablesChanged on_changed_;
    const std::function<bool()> is_read_;
    mutable std::shared_mutex mutex_;
    std::map<std::string, std::unique_ptr<StreamRunner>> streams_;  // guarded by mutex_
};

}  // namespace biwa
