// One instance of Biwa: owns the warehouse, meta.db and all of the moving parts of one project.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/disk_reserve.h"
#include "base/file.h"
#include "base/result.h"
#include "instance/engine.h"
#include "instance/model_runs.h"
#include "instance/status_json.h"
#include "instance/stream_set.h"
#include "plan/plan.h"
#include "project/project.h"
#include "query/dashboard_feed.h"
#include "query/query_service.h"
#include "server/http/backend.h"
#include "server/http/http_server.h"
#include "source/registry.h"
#include "state/meta_store.h"
#include "transform/compile/graph.h"
#include "warehouse/warehouse.h"
#include "workflow/refresher.h"

namespace biwa {

// Where a running instance of this project answers, by its server.json.
struct RunningInstance {
    std::string address;
    std::string token;
    pid_t process = 0;
};
// Nothing when none is running.
std::optional<RunningInstance> FindRunning(const Project& project);

class Instance final : public http::Backend {
  public:
    // Locks the folder and opens what is in it. kConflict: another process has it.
    static Result<std::unique_ptr<Instance>> Open(const Engine& engine,
                                                  std::shared_ptr<const Project> project);
    ~Instance() override;

    // What would have to change to make the instance what the files say.
    Result<Plan> MakePlan();
    // Carries a plan out: checks every stream against its source first, so that a plan that cannot
    // work changes nothing; then records it and, when serving, starts and stops what it names.
    Status Apply(const Plan& plan, const std::string& who);

    // Starts streams, models and the server. Once.
    Status Serve(const std::string& listen);
    const std::string& address() const { return server_->address(); }

    // Sees to the room on the disk; while it serves, four times a second.
    void LookAtDisk() { reserve_->Look(); }
    // Why nothing can go on: the warehouse is beyond use until it is opened again.
    std::optional<Error> Broken() const;
    std::vector<StreamStatus> StreamStatuses() const;
    std::vector<workflow::ModelStatus> ModelStatuses() const;
    std::shared_ptr<const Project> project() const;
    std::shared_ptr<const transform::CompiledGraph> graph() const;

    // http::Backend
    bool IsReady() override { return true; }
    std::string StatusJson() override;
    std::string MetricsText() override;
    Result<std::string> CatalogJson() override;
    Result<std::string> ModelJson(const std::string& name) override;
    std::vector<DashboardConfig> Dashboards() override;
    QueryService& queries() override { return *queries_; }
    DashboardFeed& dashboard_feed() override { return *feed_; }
    Result<std::string> Run(const http::RunRequest& request, const http::RunEvents& events,
                            std::stop_token stop) override;
    Result<std::string> Diff(const http::DiffRequest& request, std::stop_token stop) override;
    Status AskStream(const http::StreamCommand& command) override;
    Result<std::string> PlanJson() override;
    Result<std::string> ApplyJson(const std::string& plan, std::stop_token stop) override;

  private:
    Instance(const Engine& engine, FileLock lock);

    Status DropModels(const Plan& plan);
    void StartModels();
    void OnTablesChanged(const std::vector<TableName>& tables);
    // Tells pages that look on. From any thread.
    void TellListeners();
    InstanceFacts Facts(const Project& current);
    void CountRows(std::map<TableName, std::int64_t>& rows);
    Result<Plan> PlanOf(const Project& project, const transform::CompiledGraph& graph);

    const Engine& engine_;
    const SystemClock clock_;
    const FileLock lock_;
    const Micros started_at_;
    std::unique_ptr<DiskReserve> reserve_;
    std::unique_ptr<Warehouse> warehouse_;
    std::unique_ptr<MetaStore> meta_;
    std::unique_ptr<ModelRuns> runs_;
    std::unique_ptr<StreamSet> streams_;
    std::unique_ptr<QueryService> queries_;
    std::unique_ptr<DashboardFeed> feed_;

    std::mutex apply_mutex_;           // one apply at a time; taken first
    mutable std::shared_mutex mutex_;  // guards the three below
    std::shared_ptr<const Project> project_;
    std::shared_ptr<const transform::CompiledGraph> graph_;
    std::shared_ptr<workflow::Refresher> refresher_;

    std::mutex count_mutex_;  // guards the two below
    std::map<TableName, std::int64_t> row_counts_;
    std::chrono::steady_clock::time_point counted_at_{};
    std::atomic<bool> serving_ = false;
    std::shared_mutex listeners_mutex_;  // held while the server is being told
    http::HttpServer* server_to_tell_ = nullptr;
    std::unique_ptr<http::HttpServer> server_;
};

}  // namespace biwa
