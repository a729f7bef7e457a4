// What the HTTP server needs to know of the rest of Biwa.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "project/project.h"
#include "query/dashboard_feed.h"
#include "query/query_service.h"

namespace biwa::http {

struct RunRequest {
    std::vector<std::string> select;  // empty: every model
    bool full_refresh = false;
    bool forget_history = false;  // with full_refresh: what models have recorded goes, too
    bool include_dependencies = false;
    bool include_dependents = false;
    bool dry_run = false;  // only says what would be done
    bool resume = false;   // goes on with the last run, which did not come to a good end
};

// Follows a run: JSON on one line, {"planned": 3}, {"waiting": "the run that …"} behind another
// one, {"started": "mart.daily"} or {"finished": {…}} with what the answer will tell of that model.
// One call at a time; may be empty.
using RunEvents = std::function<void(const std::string& json)>;

struct DiffRequest {
    std::string model;             // "daily" or "mart.daily"
    std::vector<std::string> key;  // empty: the model's own
};

struct StreamCommand {
    std::string stream;
    std::string action;               // of kStreamBody in routes.cc
    std::vector<std::string> tables;  // none: the stream as a whole
    // Of a backfill: the first and the last key, a text for each column; none: no end.
    std::vector<std::string> from, to;
};

// Called by several of the server's worker threads at once, never by a network thread: what takes
// long may. The texts are the JSON of docs/api.md, ready to send. Outlives the server.
class Backend {
  public:
    virtual ~Backend() = default;

    // Whether queries can be answered: /readyz.
    virtual bool IsReady() = 0;
    virtual std::string StatusJson() = 0;
    // In the text format of Prometheus, version 0.0.4.
    virtual std::string MetricsText() = 0;
    virtual Result<std::string> CatalogJson() = 0;
    // `name`: "dataset.table". kUser: there is none.
    virtual Result<std::string> ModelJson(const std::string& name) = 0;
    virtual std::vector<DashboardConfig> Dashboards() = 0;
    virtual QueryService& queries() = 0;
    virtual DashboardFeed& dashboard_feed() = 0;

    // To be given up when `stop` says so: the caller has gone or the server stops.
    virtual Result<std::string> Run(const RunRequest& request, const RunEvents& events,
                                    std::stop_token stop) = 0;
    // What building a model would change; nothing is stored.
    virtual Result<std::string> Diff(const DiffRequest& request, std::stop_token stop) = 0;
    // Returns when it is written down.
    virtual Status AskStream(const StreamCommand& command) = 0;
    virtual Result<std::string> PlanJson() = 0;
    // `plan`: one of PlanJson; empty: as the files are now.
    virtual Result<std::string> ApplyJson(const std::string& plan, std::stop_token stop) = 0;
};

}  // namespace biwa::http
