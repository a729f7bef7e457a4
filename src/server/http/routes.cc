#include "server/http/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace biwa::http {

namespace {

constexpr std::string_view kQueryBody = R"({"type": "object", "required": ["sql"],
    "additionalProperties": false, "properties": {
    "sql": {"type": "string", "description": "One statement that reads."},
    "row_limit": {"type": "integer", "minimum": 0, "description": "Rows to return at the most."}}})";
constexpr std::string_view kRunBody = R"({"type": "object", "additionalProperties": false,
    "properties": {
    "select": {"type": "array", "items": {"type": "string"},
               "description": "Models to run, as `biwa run --select` has them; none means all."},
    "full_refresh": {"type": "boolean", "default": false,
                     "description": "Build incremental models anew."},
    "forget_history": {"type": "boolean", "default": false,
                       "description": "With full_refresh: the histories that the selected models record begin anew; they cannot be brought back."},
    "include_dependencies": {"type": "boolean", "default": false,
                             "description": "With all that the selected models read."},
    "include_dependents": {"type": "boolean", "default": false,
                           "description": "With all that reads the selected models."},
    "dry_run": {"type": "boolean", "default": false,
                "description": "Only say which models would be run."},
    "resume": {"type": "boolean", "default": false,
               "description": "Go on with the last run, which was interrupted or failed."}}})";
constexpr std::string_view kDiffBody = R"({"type": "object", "required": ["model"],
    "additionalProperties": false, "properties": {
    "model": {"type": "string", "description": "Its name, with or without its dataset."},
    "key": {"type": "array", "items": {"type": "string"},
            "description": "Columns that find a row again; none means the model's uniqueKey."}}})";
constexpr std::string_view kStreamBody = R"({"type": "object", "required": ["action"],
    "additionalProperties": false, "properties": {
    "action": {"type": "string", "enum": ["recopy", "backfill", "drop-columns", "drop-tables",
               "pause", "resume", "reconcile", "repair"]},
    "from": {"type": "array", "items": {"type": "string"},
             "description": "backfill: the first key, a text for each of its columns."},
    "to": {"type": "array", "items": {"type": "string"},
           "description": "backfill: the last key, a text for each of its columns."},
    "tables": {"type": "array", "items": {"type": "string"},
               "description": "Which of its tables; none means the stream as a whole."}}})";
constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::string_view kText = "text/plain; charset=utf-8";

constexpr std::array kRoutes = {
    Route{RouteId::kStatus, "GET", "/api/v1/status", "What runs, how far it is and what is wrong."},
    Route{RouteId::kEvents, "GET", "/api/v1/events",
          "The status as server-sent events `status`, at most once a second.", false, kEventStream},
    Route{RouteId::kCatalog, "GET", "/api/v1/catalog", "Datasets, their tables and columns."},
    Route{RouteId::kQuery, "POST", "/api/v1/query",
          "Runs one statement that reads. Accept: application/vnd.apache.arrow.stream gives Arrow "
          "instead of JSON; X-Query-Id names the query, to cancel it by.",
          false, "application/json", kQueryBody},
    Route{RouteId::kCancelQuery, "DELETE", "/api/v1/queries/{id}",
          "Cancels the running query that named itself so."},
    Route{RouteId::kDashboards, "GET", "/api/v1/dashboards", "The dashboards of the project."},
    Route{RouteId::kDashboard, "GET", "/api/v1/dashboards/{name}", "One dashboard and its tiles."},
    Route{
        RouteId::kDashboardLive, "GET", "/api/v1/dashboards/{name}/live",
        "The results of a dashboard's tiles as server-sent events `tile`: all at first, then each "
        "that has changed.",
        false, kEventStream},
    Route{RouteId::kModel, "GET", "/api/v1/models/{name}",
          "One model, or a table that models read: its SQL, its columns, where each comes from and "
          "goes to, and its last builds."},
    Route{
        RouteId::kRun, "POST", "/api/v1/run",
        "Runs models and answers when they are done. Who accepts application/x-ndjson gets a line "
        "when a model begins or is done, and the answer as the last.",
        true, "application/json", kRunBody},
    Route{RouteId::kDiff, "POST", "/api/v1/diff",
          "What building a model by its present definition would change: columns, rows, values. "
          "Nothing is stored.",
          true, "application/json", kDiffBody},
    Route{
        RouteId::kStream, "POST", "/api/v1/streams/{name}",
        "Has tables of a stream copied anew, or pauses or resumes them or all of it; answers when "
        "that is written down. Or begins to compare them with the source (reconcile), and to read "
        "anew what differs (repair); the status says what comes of it.",
        true, "application/json", kStreamBody},
    Route{RouteId::kPlan, "GET", "/api/v1/plan", "What applying the project's files would do."},
    Route{RouteId::kApply, "POST", "/api/v1/apply", "Makes the instance what the files say.", true},
    Route{RouteId::kOpenApi, "GET", "/api/v1/openapi.json", "This description."},
    Route{RouteId::kReference, "GET", "/api", "This description, for people.", false,
          "text/html; charset=utf-8"},
    Route{RouteId::kMetrics, "GET", "/metrics", "The status as metrics, for Prometheus.", false,
          "text/plain; version=0.0.4; charset=utf-8"},
    Route{RouteId::kHealth, "GET", "/healthz", "200 while the process runs.", false, kText},
    Route{RouteId::kReady, "GET", "/readyz", "200 when queries can be answered, 503 before.", false,
          kText},
};

// What stands for the "{…}" of `pattern` in `path`; nothing when they do not match.
std::optional<std::string> Match(std::string_view pattern, std::string_view path) {
    const auto open = pattern.find('{');
    if (open == std::string_view::npos) {
        return pattern == path ? std::optional<std::string>("") : std::nullopt;
    }
    const auto before = pattern.substr(0, open);
    const auto after = pattern.substr(pattern.find('}') + 1);
    if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
        !path.ends_with(after)) {
        return std::nullopt;
    }
    const auto part = path.substr(before.size(), path.size() - before.size() - after.size());
    if (part.find('/') != std::string_view::npos) return std::nullopt;
    return std::string(part);
}

std::string EscapeHtml(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '&':
                escaped += "&amp;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

std::optional<RouteMatch> FindRoute(std::string_view method, std::string_view path) {
    RouteMatch match;
    for (const auto& route : kRoutes) {
        const auto parameter = Match(route.path, path);
        if (!parameter) continue;
        match.allowed.emplace_back(route.method);
        if (route.method != method && !(method == "HEAD" && route.method == "GET")) continue;
        match.route = &route;
        match.parameter = *parameter;
    }
    if (match.allowed.empty()) return std::nullopt;
    return match;
}

std::string OpenApiJson(std::string_view version) {
    using nlohmann::json;
    json paths = json::object();
    for (const auto& route : kRoutes) {
        std::string method(route.method);
        std::transform(method.begin(), method.end(), method.begin(),
                       [](char c) { return static_cast<char>(c + 32); });
        auto& operation = paths[std::string(route.path)][method];
        operation["summary"] = route.summary;
        operation["responses"]["200"] = {
            {"description", "Done."},
            {"content", {{std::string(route.content_type), json::object()}}}};
        operation["responses"]["default"] = {
            {"description", "An error."},
            {"content",
             {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
        if (route.needs_token) {
            operation["security"] = json::array();
            operation["security"].push_back({{"token", json::array()}});
        }
        if (!route.body_schema.empty()) {
            operation["requestBody"]["content"]["application/json"]["schema"] =
                json::parse(route.body_schema);
        }
        if (const auto open = route.path.find('{'); open != std::string_view::npos) {
            const auto name = route.path.substr(open + 1, route.path.find('}') - open - 1);
            operation["parameters"] = json::array();
            operation["parameters"].push_back({{"name", name},
                                               {"in", "path"},
                                               {"required", true},
                                               {"schema", {{"type", "string"}}}});
        }
    }
    const auto error_schema = json::parse(R"({"type": "object", "required": ["error"], "properties":
        {"error": {"type": "object", "required": ["kind", "message", "hint"], "properties": {
            "kind": {"enum": ["user", "unavailable", "conflict", "corrupt"]},
            "message": {"type": "string"}, "hint": {"type": ["string", "null"]}}}}})");
    json document = {
        {"openapi", "3.1.0"},
        {"info", {{"title", "Biwa"}, {"version", version}}},
        {"paths", paths},
        {"components",
         {{"schemas", {{"Error", error_schema}}},
          {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
    return document.dump(2);
}

std::string ReferenceHtml(std::string_view version) {
    std::string rows;
    for (const auto& route : kRoutes) {
        rows += fmt::format("<tr><td><code>{} {}</code></td><td>{}{}</td></tr>\n", route.method,
                            EscapeHtml(route.path), EscapeHtml(route.summary),
                            route.needs_token ? " <em>Needs the instance's token.</em>" : "");
    }
    return fmt::format(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Biwa API</title>\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<style>:root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui,sans-serif;"
        "max-width:60rem;margin:2rem auto;padding:0 1rem}}td{{padding:.3rem 1rem .3rem 0;"
        "vertical-align:top}}</style>\n<h1>Biwa API</h1>\n"
        "<p>Version {}. For machines: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>\n"
        "<table>\n{}</table>\n</html>\n",
        EscapeHtml(version), rows);
}

}  // namespace biwa::http
