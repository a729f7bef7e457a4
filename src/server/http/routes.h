// The routes of the API as data: what is answered, what is documented and what is tested is one
// list.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace biwa::http {

enum class RouteId {
    kStatus,
    kEvents,
    kCatalog,
    kQuery,
    kCancelQuery,
    kDashboards,
    kDashboard,
    kDashboardLive,
    kModel,
    kRun,
    kDiff,
    kStream,
    kPlan,
    kApply,
    kOpenApi,
    kReference,
    kMetrics,
    kHealth,
    kReady,
};

struct Route {
    RouteId id;
    std::string_view method;
    std::string_view path;  // "{name}" stands for one part
    std::string_view summary;
    bool needs_token = false;
    std::string_view content_type = "application/json";
    std::string_view body_schema = {};  // JSON Schema of the request's body
};

std::span<const Route> Routes();

struct RouteMatch {
    const Route* route = nullptr;      // null: the path is known, but not with this method
    std::string parameter;             // what stood for "{name}"
    std::vector<std::string> allowed;  // methods of the path
};

// Nothing when no route has this path.
std::optional<RouteMatch> FindRoute(std::string_view method, std::string_view path);

// The OpenAPI 3.1 description of the routes, and the same for people as a page of its own.
std::string OpenApiJson(std::string_view version);
std::string ReferenceHtml(std::string_view version);

}  // namespace biwa::http
