#include "server/http/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.h"
#include "base/text.h"
#include "query/formats.h"
#include "query/json_writer.h"
#include "server/http/routes.h"

namespace biwa::http {

namespace {

using nlohmann::json;

constexpr std::size_t kQueryIdBytesMax = 64;
constexpr std::string_view kLines = "application/x-ndjson";

Response NotFound(std::string message, std::string hint = {}) {
    return ErrorResponse({ErrorKind::kUser, std::move(message), std::move(hint)}, 404);
}

Response Respond(Result<std::string> text) {
    return text ? JsonResponse(std::move(*text)) : ErrorResponse(text.error());
}

Response PlainText(int status, std::string text) {
    Response response;
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body = std::move(text);
    return response;
}

Response ServerIsBusy() {
    return ErrorResponse(
        {ErrorKind::kUnavailable, "the server has too much to do", "Try again in a moment."});
}

bool IsQueryId(std::string_view id) {
    const auto is_good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    };
    return !id.empty() && id.size() <= kQueryIdBytesMax &&
           std::all_of(id.begin(), id.end(), is_good);
}

// The body as an object that has no other keys than these.
Result<json> ParseBody(const Request& request, const std::vector<std::string>& keys) {
    auto body = json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
    if (!body.is_object()) {
        return UserError("the body of the request is not a JSON object",
                         fmt::format("It may have: {}.", Join(keys, ", ")));
    }
    for (const auto& item : body.items()) {
        if (std::find(keys.begin(), keys.end(), item.key()) != keys.end()) continue;
        const auto meant = DidYouMean(item.key(), keys);
        return UserError(fmt::format("the request has an unknown key \"{}\"", item.key()),
                         meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
    }
    return body;
}

Result<QueryRequest> ParseQuery(const Request& request) {
    const auto body = BIWA_TRY(ParseBody(request, {"sql", "row_limit", "as_of"}));
    const auto sql = body.find("sql");
    if (sql == body.end() || !sql->is_string()) {
        return UserError("the request has no \"sql\"", "Send {\"sql\": \"SELECT …\"}.");
    }
    QueryRequest query;
    query.sql = sql->get<std::string>();
    const auto row_limit = body.find("row_limit");
    if (row_limit != body.end() && !row_limit->is_null()) {
        if (!row_limit->is_number_unsigned()) {
            return UserError("\"row_limit\" is not a number of rows");
        }
        query.row_limit = row_limit->get<std::uint64_t>();
    }
    const auto as_of = body.find("as_of");
    if (as_of != body.end() && !as_of->is_null()) {
        if (!as_of->is_string() || as_of->get<std::string>().empty()) {
            return UserError("\"as_of\" is not a time", "Send {\"as_of\": \"2026-11-01T09:30Z\"}.");
        }
        query.as_of = as_of->get<std::string>();
    }
    query.id = std::string(request.Header("x-query-id"));
    if (!query.id.empty() && !IsQueryId(query.id)) {
        return UserError("X-Query-Id must be 1 to 64 letters, digits and dashes");
    }
    return query;
}

// None where there is no such field.
Result<std::vector<std::string>> ParseNames(const json& body, const char* field) {
    const auto names = body.find(field);
    if (names == body.end() || names->is_null()) return std::vector<std::string>();
    const bool is_list_of_names =
        names->is_array() && std::all_of(names->begin(), names->end(),
                                         [](const json& name) { return name.is_string(); });
    if (!is_list_of_names) return UserError(fmt::format("\"{}\" is not a list of names", field));
    return names->get<std::vector<std::string>>();
}

Result<StreamCommand> ParseStreamCommand(const Request& request, const std::string& stream) {
    const auto body = BIWA_TRY(ParseBody(request, {"action", "tables", "from", "to"}));
    StreamCommand command;
    command.stream = stream;
    const auto action = body.find("action");
    if (action == body.end() || !action->is_string()) {
        return UserError(
            "\"action\" is missing: recopy, backfill, drop-columns, drop-tables, pause, resume, "
            "reconcile or repair");
    }
    command.action = action->get<std::string>();
    command.tables = BIWA_TRY(ParseNames(body, "tables"));
    command.from = BIWA_TRY(ParseNames(body, "from"));
    command.to = BIWA_TRY(ParseNames(body, "to"));
    return command;
}

Result<DiffRequest> ParseDiff(const Request& request) {
    const auto body = BIWA_TRY(ParseBody(request, {"model", "key"}));
    DiffRequest diff;
    const auto model = body.find("model");
    if (model == body.end() || !model->is_string())
        return UserError("\"model\" is missing: the name of the model to compare");
    diff.model = model->get<std::string>();
    diff.key = BIWA_TRY(ParseNames(body, "key"));
    return diff;
}

Result<RunRequest> ParseRun(const Request& request) {
    RunRequest run;
    const std::vector<std::pair<const char*, bool*>> flags = {
        {"full_refresh", &run.full_refresh},
        {"forget_history", &run.forget_history},
        {"include_dependencies", &run.include_dependencies},
        {"include_dependents", &run.include_dependents},
        {"dry_run", &run.dry_run},
        {"resume", &run.resume}};
    std::vector<std::string> keys{"select"};
    for (const auto& flag : flags) keys.emplace_back(flag.first);
    const auto body = BIWA_TRY(ParseBody(request, keys));
    run.select = BIWA_TRY(ParseNames(body, "select"));
    for (const auto& [key, value] : flags) {
        const auto found = body.find(key);
        if (found == body.end()) continue;
        if (!found->is_boolean())
            return UserError(fmt::format("\"{}\" is neither true nor false", key));
        *value = found->get<bool>();
    }
    return run;
}

std::string_view NameOf(TileConfig::Kind kind) {
    switch (kind) {
        case TileConfig::Kind::kCounter:
            return "counter";
        case TileConfig::Kind::kLine:
            return "line";
        case TileConfig::Kind::kBar:
            return "bar";
        case TileConfig::Kind::kTable:
            return "table";
    }
    BIWA_CHECK(false);
    return {};
}

nlohmann::ordered_json TileToJson(const TileConfig& tile, std::size_t id) {
    const auto text_or_null = [](const std::string& text) {
        return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
    };
    return {{"id", id},
            {"title", tile.title},
            {"description", tile.description},
            {"type", NameOf(tile.kind)},
            {"sql", tile.sql},
            {"x", text_or_null(tile.x)},
            {"y", tile.y},
            {"series", text_or_null(tile.series)},
            {"unit", text_or_null(tile.unit)},
            {"width", tile.width},
            {"height", tile.height}};
}

// Sends a result while it is being made. Until the first bytes an error can still have its status.
class StreamedAnswer {
  public:
    StreamedAnswer(std::shared_ptr<Exchange> exchange, std::string_view content_type)
        : exchange_(std::move(exchange)), content_type_(content_type) {}

    Status Write(std::string_view bytes) {
        if (!begun_) {
            begun_ = true;
            Response head;
            head.content_type = content_type_;
            exchange_->BeginBody(std::move(head));
        }
        return exchange_->WriteBody(bytes);
    }
    void End(bool whole) { exchange_->EndBody(whole); }
    void Refuse(const Error& error) { exchange_->Reply(ErrorResponse(error)); }
    bool begun() const { return begun_; }

  private:
    const std::shared_ptr<Exchange> exchange_;
    const std::string content_type_;
    bool begun_ = false;
};

}  // namespace

bool Workers::Run(std::function<void()> job) {
    if (waiting_.fetch_add(1) >= waiting_max_) {
        waiting_.fetch_sub(1);
        return false;
    }
    boost::asio::post(pool_, [this, job = std::move(job)] {
        waiting_.fetch_sub(1);
        job();
    });
    return true;
}

Api::Api(Backend& backend, ApiOptions options, StaticFiles files)
    : backend_(backend),
      options_(std::move(options)),
      files_(std::move(files)),
      status_([this] { return backend_.StatusJson(); }) {}

void Api::Handle(const std::shared_ptr<Exchange>& exchange) {
    const auto& request = exchange->request();
    if (auto refusal = RefuseForeign(request, options_.guard)) {
        return exchange->Reply(std::move(*refusal));
    }
    const auto match = FindRoute(request.method, request.path);
    if (!match) {
        if (!request.path.starts_with("/api/")) return exchange->Reply(files_.Find(request));
        return exchange->Reply(NotFound(fmt::format("there is nothing at {}", request.path),
                                        "The API is described at /api."));
    }
    if (match->route == nullptr) {
        const auto allowed = Join(match->allowed, ", ");
        auto refusal = ErrorResponse(
            {ErrorKind::kUser,
             fmt::format("{} does not take {}, but {}", request.path, request.method, allowed), ""},
            405);
        refusal.headers.emplace_back("Allow", allowed);
        return exchange->Reply(std::move(refusal));
    }
    if (match->route->needs_token) {
        if (auto refusal = RefuseWithoutToken(request, options_.guard)) {
            return exchange->Reply(std::move(*refusal));
        }
    }
    switch (match->route->id) {
        case RouteId::kStatus:
            return AnswerBy(quick_, exchange,
                            [this] { return JsonResponse(backend_.StatusJson()); });
        case RouteId::kEvents:
            return StartEvents(exchange, [this, exchange](const Place& place) {
                exchange->OnClosed([place] {});
                status_.Add(exchange);
            });
        case RouteId::kCatalog:
            return AnswerBy(slow_, exchange, [this] { return Respond(backend_.CatalogJson()); });
        case RouteId::kQuery:
            return StartQuery(exchange);
        case RouteId::kCancelQuery:
            return exchange->Reply(CancelQuery(match->parameter));
        case RouteId::kDashboards:
            return AnswerBy(quick_, exchange, [this] { return Dashboards(); });
        case RouteId::kDashboard:
            return AnswerBy(quick_, exchange,
                            [this, name = match->parameter] { return Dashboard(name); });
        case RouteId::kDashboardLive:
            return StartEvents(exchange,
                               [this, exchange, name = match->parameter](const Place& place) {
                                   ShowDashboard(exchange, name, place);
                               });
        case RouteId::kModel:
            return AnswerBy(slow_, exchange, [this, name = match->parameter] {
                auto page = backend_.ModelJson(name);
                if (page) return JsonResponse(std::move(*page));
                return page.error().kind == ErrorKind::kUser
                           ? NotFound(page.error().message, page.error().hint)
                           : ErrorResponse(page.error());
            });
        case RouteId::kRun:
            if (!slow_.Run([this, exchange] { Run(exchange); })) exchange->Reply(ServerIsBusy());
            return;
        case RouteId::kDiff:
            return AnswerBy(slow_, exchange, [this, exchange] {
                const auto diff = ParseDiff(exchange->request());
                if (!diff) return ErrorResponse(diff.error());
                return Respond(backend_.Diff(*diff, exchange->closed()));
            });
        case RouteId::kStream:
            return AnswerBy(slow_, exchange, [this, exchange, name = match->parameter] {
                const auto command = ParseStreamCommand(exchange->request(), name);
                if (!command) return ErrorResponse(command.error());
                const auto asked = backend_.AskStream(*command);
                return asked ? JsonResponse("{\"ok\":true}") : ErrorResponse(asked.error());
            });
        case RouteId::kPlan:
            return AnswerBy(slow_, exchange, [this] { return Respond(backend_.PlanJson()); });
        case RouteId::kApply:
            return AnswerBy(slow_, exchange, [this, exchange] {
                return Respond(backend_.ApplyJson(exchange->request().body, exchange->closed()));
            });
        case RouteId::kOpenApi:
            return exchange->Reply(JsonResponse(OpenApiJson(options_.version)));
        case RouteId::kReference: {
            Response page;
            page.content_type = match->route->content_type;
            page.body = ReferenceHtml(options_.version);
            return exchange->Reply(std::move(page));
        }
        case RouteId::kMetrics:
            return AnswerBy(quick_, exchange, [this, route = match->route] {
                auto metrics = PlainText(200, backend_.MetricsText());
                metrics.content_type = route->content_type;
                return metrics;
            });
        case RouteId::kHealth:
            return exchange->Reply(PlainText(200, "ok\n"));
        case RouteId::kReady:
            return AnswerBy(quick_, exchange, [this] {
                return backend_.IsReady() ? PlainText(200, "ready\n")
                                          : PlainText(503, "not ready yet\n");
            });
    }
    BIWA_CHECK(false);
}

void Api::AnswerBy(Workers& workers, const std::shared_ptr<Exchange>& exchange, Job job) {
    const bool accepted = workers.Run([exchange, job = std::move(job)] { exchange->Reply(job()); });
    if (!accepted) exchange->Reply(ServerIsBusy());
}

void Api::StartQuery(const std::shared_ptr<Exchange>& exchange) {
    auto query = ParseQuery(exchange->request());
    if (!query) return exchange->Reply(ErrorResponse(query.error()));
    const auto accept = exchange->request().Header("accept");
    for (const auto& format : ResultFormats()) {
        // JSON is what everybody gets who asks for nothing else, and the only form that can still
        // tell an error when the result has begun.
        const bool is_json = std::string_view(format.name) == "json";
        if (is_json || accept.find(format.content_type) == std::string_view::npos) continue;
        const auto answer = std::make_shared<StreamedAnswer>(exchange, format.content_type);
        const std::shared_ptr<ResultSink> sink =
            format.make([answer](std::string_view bytes) { return answer->Write(bytes); });
        return backend_.queries().Start(std::move(*query), sink, exchange->closed(),
                                        [answer](const Result<QueryStats>& stats) {
                                            if (!stats && !answer->begun()) {
                                                return answer->Refuse(stats.error());
                                            }
                                            answer->End(stats.has_value());
                                        });
    }
    const auto answer = std::make_shared<StreamedAnswer>(exchange, "application/json");
    const auto sink = std::make_shared<JsonSink>(
        [answer](std::string_view bytes) { return answer->Write(bytes); });
    backend_.queries().Start(std::move(*query), sink, exchange->closed(),
                             [answer, sink](const Result<QueryStats>& stats) {
                                 if (!stats && !answer->begun()) {
                                     return answer->Refuse(stats.error());
                                 }
                                 // An error here means that the caller has gone.
                                 if (!stats) (void)sink->EndWith(stats.error());
                                 answer->End(true);
                             });
}

void Api::StartEvents(const std::shared_ptr<Exchange>& exchange,
                      std::function<void(const Place&)> begin) {
    const bool is_full = event_streams_.fetch_add(1) >= options_.event_streams_max;
    const Place place(nullptr, [this](void*) { event_streams_.fetch_sub(1); });
    if (is_full || !quick_.Run([begin = std::move(begin), place] { begin(place); })) {
        exchange->Reply(ServerIsBusy());
    }
}

void Api::ShowDashboard(const std::shared_ptr<Exchange>& exchange, const std::string& name,
                        const Place& place) {
    for (const auto& dashboard : backend_.Dashboards()) {
        if (dashboard.name != name) continue;
        exchange->BeginEvents();
        const std::weak_ptr<Exchange> viewer = exchange;
        const std::shared_ptr<DashboardFeed::Subscription> subscription =
            backend_.dashboard_feed().Subscribe(
                dashboard, [viewer](std::size_t tile, const DashboardFeed::TileJson& text) {
                    const auto present = viewer.lock();
                    if (present) present->PostEvent(std::to_string(tile), MakeEvent("tile", *text));
                });
        return exchange->OnClosed([subscription, place] {});
    }
    exchange->Reply(Dashboard(name));
}

Response Api::Dashboards() {
    auto list = nlohmann::ordered_json::array();
    for (const auto& dashboard : backend_.Dashboards()) {
        list.push_back({{"name", dashboard.name},
                        {"title", dashboard.title},
                        {"description", dashboard.description}});
    }
    return JsonResponse(list.dump());
}

Response Api::Dashboard(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& dashboard : backend_.Dashboards()) {
        names.push_back(dashboard.name);
        if (dashboard.name != name) continue;
        auto tiles = nlohmann::ordered_json::array();
        for (std::size_t i = 0; i < dashboard.tiles.size(); ++i) {
            tiles.push_back(TileToJson(dashboard.tiles[i], i));
        }
        const nlohmann::ordered_json answer = {
            {"name", dashboard.name},
            {"title", dashboard.title},
            {"description", dashboard.description},
            {"refresh_seconds", std::chrono::duration<double>(dashboard.refresh).count()},
            {"tiles", tiles}};
        return JsonResponse(answer.dump());
    }
    const auto meant = DidYouMean(name, names);
    return NotFound(fmt::format("there is no dashboard \"{}\"", name),
                    meant.empty() ? "" : fmt::format("Did you mean \"{}\"?", meant));
}

Response Api::CancelQuery(const std::string& id) {
    if (backend_.queries().Cancel(id)) return JsonResponse(R"({"cancelled":true})");
    return NotFound(fmt::format("no query of the id \"{}\" is running", id));
}

// As one JSON or, for who asks for it, a line for each thing that happens and the answer as the
// last.
void Api::Run(const std::shared_ptr<Exchange>& exchange) {
    const auto run = ParseRun(exchange->request());
    if (!run) return exchange->Reply(ErrorResponse(run.error()));
    if (exchange->request().Header("accept").find(kLines) == std::string_view::npos)
        return exchange->Reply(Respond(backend_.Run(*run, {}, exchange->closed())));
    StreamedAnswer answer(exchange, kLines);
    const auto say = [&](const std::string& json) {
        // Who has gone has stopped the run by that.
        static_cast<void>(answer.Write(json + "\n"));
    };
    const auto done = backend_.Run(*run, say, exchange->closed());
    if (!done && !answer.begun()) return answer.Refuse(done.error());
    say(done ? "{\"done\":" + *done + "}" : ErrorResponse(done.error()).body);
    answer.End(true);
}

}  // namespace biwa::http
