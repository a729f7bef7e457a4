// Every route, over a real connection.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "server/http/http_client.h"
#include "server/http/routes.h"
#include "server/http/testing.h"

namespace biwa::http {
namespace {

using nlohmann::json;
using testing::Eventually;
using testing::kEndlessQuery;
using testing::RawSocket;
using testing::StatusOf;

class ApiTest : public testing::ServerTest {
  protected:
    ApiTest() { Start(); }
    HttpClient Client(const std::string& token = "secret-token") {
        return HttpClient(server_->address(), {.token = token});
    }
    json Get(const std::string& path) {
        const auto text = Client().Get(path);
        EXPECT_TRUE(text) << path << ": " << text.error().ToString();
        return text ? json::parse(*text) : json();
    }
};

TEST_F(ApiTest, StatusAndCatalogComeFromTheBackend) {
    EXPECT_EQ(Get("/api/v1/status").at("version"), "test");
    EXPECT_EQ(Get("/api/v1/catalog"), json::parse(R"({"datasets": []})"));
    EXPECT_EQ(Get("/api/v1/models/mart.daily"), json::parse(R"({"name": "mart.daily"})"));
    EXPECT_EQ(Get("/api/v1/plan"), json::parse(R"({"steps": []})"));
}

TEST_F(ApiTest, HealthAndReadinessAreTwoThings) {
    EXPECT_EQ(StatusOf(Ask("GET /healthz")), 200);
    EXPECT_EQ(StatusOf(Ask("GET /readyz")), 200);
    backend_.ready = false;
    EXPECT_EQ(StatusOf(Ask("GET /healthz")), 200);
    EXPECT_EQ(StatusOf(Ask("GET /readyz")), 503);
}

TEST_F(ApiTest, QueriesAnswerInJson) {
    const auto text = Client().Post(
        "/api/v1/query",
        R"json({"sql": "SELECT i, '日本' AS t FROM range(3) r(i)", "row_limit": 2})json");
    ASSERT_TRUE(text) << text.error().ToString();
    const auto result = json::parse(*text);
    EXPECT_EQ(result.at("rows"), json::parse(R"([[0, "日本"], [1, "日本"]])"));
    EXPECT_EQ(result.at("truncated"), true);
    EXPECT_EQ(result.at("row_count"), 2);
}

TEST_F(ApiTest, LargeResultsStream) {
    std::size_t bytes = 0;
    std::size_t pieces = 0;
    const auto status = Client().PostStreaming(
        "/api/v1/query",
        R"json({"sql": "SELECT i, 'text number ' || i AS t FROM range(500000) r(i)"})json",
        "application/vnd.apache.arrow.stream", [&](std::string_view piece) -> Status {
            bytes += piece.size();
            ++pieces;
            return {};
        });
    ASSERT_TRUE(status) << status.error().ToString();
    EXPECT_GT(bytes, 500'000U * 20);
    EXPECT_GT(pieces, 10U);
}

TEST_F(ApiTest, BadQueriesTellWhatIsWrong) {
    const auto message = [&](const std::string& body) {
        const auto text = Client().Post("/api/v1/query", body);
        EXPECT_FALSE(text) << body;
        if (text) return std::string();
        EXPECT_EQ(text.error().kind, ErrorKind::kUser) << body;
        return text.error().message + "|" + text.error().hint;
    };
    EXPECT_NE(message(R"({"sql": "SELEC 1"})").find("SELEC"), std::string::npos);
    EXPECT_NE(message(R"({"sql": "DROP TABLE t"})").find("only read"), std::string::npos);
    EXPECT_NE(message(R"({"sql": 1})").find("no \"sql\""), std::string::npos);
    EXPECT_NE(message(R"({"sql": "SELECT 1", "row_limits": 1})").find("\"row_limit\""),
              std::string::npos);
    EXPECT_NE(message(R"({"sql": "SELECT 1", "row_limit": -1})").find("row_limit"),
              std::string::npos);
    EXPECT_NE(message(R"([])").find("not a JSON object"), std::string::npos);
    EXPECT_NE(message(R"({"sql": )").find("not a JSON object"), std::string::npos);
    const auto answer = Ask("POST /api/v1/query", "X-Query-Id: a b\r\n", R"({"sql": "SELECT 1"})");
    EXPECT_EQ(StatusOf(answer), 400);
    EXPECT_NE(answer.find("X-Query-Id"), std::string::npos);
}

TEST_F(ApiTest, AQueryThatFailsLateSaysSoInItsJsonAndBreaksOffItsArrow) {
    const std::string body =
        R"json({"sql": "SELECT CASE WHEN i = 250000 THEN error('too late') ELSE i END AS i FROM range(300000) r(i)"})json";
    const auto text = Client().Post("/api/v1/query", body);
    ASSERT_TRUE(text) << text.error().ToString();
    const auto result = json::parse(*text, nullptr, false);
    ASSERT_TRUE(result.is_object());
    EXPECT_FALSE(result.contains("row_count"));
    EXPECT_NE(result.at("error").at("message").get<std::string>().find("too late"),
              std::string::npos)
        << result.at("error").dump();
    std::size_t bytes = 0;
    const auto status =
        Client().PostStreaming("/api/v1/query", body, "application/vnd.apache.arrow.stream",
                               [&](std::string_view piece) -> Status {
                                   bytes += piece.size();
                                   return {};
                               });
    EXPECT_GT(bytes, 0U);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
}

TEST_F(ApiTest, ClosingTheConnectionCancelsTheQuery) {
    RawSocket socket(server_->address());
    socket.Send(QueryText(kEndlessQuery));
    ASSERT_TRUE(Eventually([&] { return backend_.queries().running() == 1; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(backend_.queries().running(), 1U);
    socket.Close();
    EXPECT_TRUE(Eventually([&] { return backend_.queries().running() == 0; }));
}

TEST_F(ApiTest, ACallerWhoReadsNothingHoldsBackItsQueryAndIsLetGo) {
    auto options = DefaultOptions();
    options.write_time_max = std::chrono::milliseconds(300);
    Start(options);
    RawSocket socket(server_->address());
    socket.Send(QueryText("SELECT i, i, i, i FROM range(1000000000) r(i)"));
    ASSERT_TRUE(Eventually([&] { return backend_.queries().running() == 1; }));
    EXPECT_TRUE(Eventually([&] { return backend_.queries().running() == 0; }));
}

TEST_F(ApiTest, AQueryIsCancelledByItsId) {
    RawSocket socket(server_->address());
    socket.Send(QueryText(kEndlessQuery, "X-Query-Id: my-query-1\r\n"));
    ASSERT_TRUE(Eventually([&] { return backend_.queries().running() == 1; }));
    EXPECT_TRUE(Client().Delete("/api/v1/queries/my-query-1"));
    const auto answer = socket.ReadUntil("}}");
    EXPECT_EQ(StatusOf(answer), 400);
    EXPECT_NE(answer.find("cancelled"), std::string::npos);
    EXPECT_FALSE(Client().Delete("/api/v1/queries/my-query-1"));
    EXPECT_EQ(StatusOf(Ask("DELETE /api/v1/queries/my-query-1")), 404);
}

TEST_F(ApiTest, DashboardsAreDescribed) {
    EXPECT_EQ(Get("/api/v1/dashboards"),
              json::parse(R"([{"name": "school", "title": "学校", "description": ""}])"));
    const auto dashboard = Get("/api/v1/dashboards/school");
    EXPECT_EQ(dashboard.at("refresh_seconds"), 0.02);
    EXPECT_EQ(dashboard.at("tiles"),
              json::parse(R"([{"id": 0, "title": "Answers", "description": "", "type": "counter",
                  "sql": "SELECT max(i) AS i FROM t", "x": null, "y": ["i"], "series": null,
                  "unit": null, "width": 4, "height": 2}])"));
    for (const auto* path : {"/api/v1/dashboards/scool", "/api/v1/dashboards/scool/live"}) {
        const auto answer = Ask(std::string("GET ") + path);
        EXPECT_EQ(StatusOf(answer), 404);
        EXPECT_NE(answer.find("Did you mean \\\"school\\\"?"), std::string::npos) << answer;
    }
}

TEST_F(ApiTest, ADashboardIsLive) {
    RawSocket socket(server_->address());
    socket.Send("GET /api/v1/dashboards/school/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto first = socket.ReadUntil("\"rows\":[[1]]");
    EXPECT_EQ(StatusOf(first), 200);
    EXPECT_NE(first.find("text/event-stream"), std::string::npos);
    EXPECT_NE(first.find("event: tile\ndata: {\"id\":0,"), std::string::npos);
    backend_.Write("INSERT INTO t VALUES (2)");
    EXPECT_NE(socket.ReadUntil("\"rows\":[[2]]").find("\"rows\":[[2]]"), std::string::npos);
}

TEST_F(ApiTest, TheStatusIsPushedAtMostOnceASecond) {
    RawSocket socket(server_->address());
    socket.Send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_NE(socket.ReadUntil("\"calls\":1}").find("event: status\ndata: {\"version\""),
              std::string::npos);
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(1500)) {
        server_->OnStatusChanged();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_NE(socket.ReadUntil("\"calls\":2}").find("\"calls\":2}"), std::string::npos);
    EXPECT_GE(backend_.status_calls, 2);
    EXPECT_LE(backend_.status_calls, 4);
}

TEST_F(ApiTest, ListenersForEventsHearAHeartbeat) {
    auto options = DefaultOptions();
    options.heartbeat = std::chrono::milliseconds(30);
    Start(options);
    RawSocket socket(server_->address());
    socket.Send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.ReadUntil("}\n\n");
    EXPECT_NE(socket.ReadUntil("\n\n:\n\n:\n\n").find("\n\n:\n\n:\n\n"), std::string::npos);
}

TEST_F(ApiTest, RunsAndAppliesNeedTheToken) {
    const auto run = Client().Post("/api/v1/run", R"({"select": [], "full_refresh": true})");
    ASSERT_TRUE(run) << run.error().ToString();
    EXPECT_EQ(json::parse(*run).at("full"), true);
    EXPECT_TRUE(Client().Post("/api/v1/run", ""));
    const auto unknown = Client().Post("/api/v1/run", R"({"select": ["nothing"]})");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().hint, "Did you mean \"something\"?");
    EXPECT_FALSE(Client().Post("/api/v1/run", R"({"select": "all"})"));
    EXPECT_EQ(Client().Post("/api/v1/apply", "").error().kind, ErrorKind::kConflict);
    for (const auto* token : {"", "secret", "secret-tokens"}) {
        const auto refused = Client(token).Post("/api/v1/run", "{}");
        ASSERT_FALSE(refused) << token;
        EXPECT_NE(refused.error().message.find("token"), std::string::npos);
    }
    EXPECT_EQ(StatusOf(Ask("POST /api/v1/apply", "Authorization: Bearer x\r\n")), 401);
}

TEST_F(ApiTest, ARunIsFollowedLineByLine) {
    std::vector<json> lines;
    const auto take = [&](std::string_view line) -> Status {
        lines.push_back(json::parse(line));
        return {};
    };
    const auto ran = Client().PostForLines("/api/v1/run", "{}", take);
    ASSERT_TRUE(ran) << ran.error().ToString();
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0]["planned"], 1);
    EXPECT_EQ(lines[1]["started"], "mart.daily");
    EXPECT_EQ(lines[2]["done"]["full"], false);
    // What goes wrong before the first line has its status, what goes wrong later is the last.
    const auto unknown = Client().PostForLines("/api/v1/run", R"({"select": ["nothing"]})", take);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().hint, "Did you mean \"something\"?");
    EXPECT_EQ(lines.size(), 3u);
    ASSERT_TRUE(Client().PostForLines("/api/v1/run", R"({"select": ["broken"]})", take));
    EXPECT_EQ(lines.back()["error"]["kind"], "unavailable");
}

TEST_F(ApiTest, AStreamIsAskedByWhoMay) {
    const auto path = "/api/v1/streams/app";
    const auto asked = Client().Post(path, R"({"action": "recopy", "tables": ["answers"]})");
    ASSERT_TRUE(asked) << asked.error().ToString();
    EXPECT_EQ(backend_.asked.action, "recopy");
    EXPECT_EQ(backend_.asked.tables, std::vector<std::string>{"answers"});
    EXPECT_FALSE(Client("secret").Post(path, R"({"action": "recopy"})"));
    EXPECT_FALSE(Client().Post("/api/v1/streams/other", R"({"action": "pause"})"));
    for (const auto* bad : {"{}", R"({"action": 1})", R"({"action": "pause", "tables": "answers"})",
                            R"({"action": "pause", "table": ["answers"]})"}) {
        EXPECT_FALSE(Client().Post(path, bad)) << bad;
    }
}

TEST_F(ApiTest, ARunEndsWithItsCaller) {
    RawSocket socket(server_->address());
    const std::string body = R"({"select": ["slow"]})";
    socket.Send(
        "POST /api/v1/run HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        "secret-token\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(backend_.run_stopped);
    socket.Close();
    EXPECT_TRUE(Eventually([&] { return backend_.run_stopped.load(); }));
}

TEST_F(ApiTest, TheDescriptionAndTheRoutesAreTheSame) {
    const auto paths = Get("/api/v1/openapi.json").at("paths");
    std::set<std::string> described;
    for (const auto& path : paths.items()) {
        for (const auto& method : path.value().items()) {
            auto name = method.key();
            for (char& c : name) c = static_cast<char>(c - 32);
            described.insert(name + " " + path.key());
        }
    }
    std::set<std::string> answered;
    const auto page = Ask("GET /api");
    for (const auto& route : Routes()) {
        const auto name = std::string(route.method) + " " + std::string(route.path);
        answered.insert(name);
        EXPECT_NE(page.find("<code>" + name + "</code>"), std::string::npos) << name;
    }
    EXPECT_EQ(described, answered);
    EXPECT_EQ(answered.size(), 19U);
}

TEST_F(ApiTest, UnknownAddressesAndMethodsAreToldApart) {
    EXPECT_EQ(StatusOf(Ask("GET /api/v1/nothing")), 404);
    EXPECT_EQ(StatusOf(Ask("GET /nothing.js")), 404);
    const auto answer = Ask("DELETE /api/v1/status");
    EXPECT_EQ(StatusOf(answer), 405);
    EXPECT_NE(answer.find("Allow: GET\r\n"), std::string::npos);
    EXPECT_EQ(StatusOf(Ask("GET /api/v1/run")), 405);
    const auto head = Ask("HEAD /api/v1/status");
    EXPECT_EQ(StatusOf(head), 200);
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
}

}  // namespace
}  // namespace biwa::http
