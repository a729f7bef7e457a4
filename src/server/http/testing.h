// What the tests of this folder share: a backend on a real warehouse, and a socket that says what
// it is told to.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "server/http/backend.h"
#include "server/http/http_server.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::http::testing {

inline constexpr const char* kEndlessQuery =
    "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3";

class TestBackend final : public Backend {
  public:
    TestBackend() {
        DashboardConfig dashboard;
        dashboard.name = "school";
        dashboard.title = "学校";
        dashboard.refresh = std::chrono::milliseconds(20);
        TileConfig tile;
        tile.title = "Answers";
        tile.kind = TileConfig::Kind::kCounter;
        tile.sql = "SELECT max(i) AS i FROM t";
        tile.y = {"i"};
        dashboard.tiles = {tile};
        dashboards = {dashboard};
        Write("CREATE TABLE t AS SELECT 1 AS i");
    }

    bool IsReady() override { return ready; }
    std::string StatusJson() override {
        return "{\"version\":\"test\",\"calls\":" + std::to_string(++status_calls) + "}";
    }
    std::string MetricsText() override { return "# TYPE biwa_test gauge\nbiwa_test 1\n"; }
    Result<std::string> ModelJson(const std::string& name) override {
        if (name == "mart.daily") return std::string(R"({"name":"mart.daily"})");
        return UserError("there is no model " + name);
    }
    Result<std::string> CatalogJson() override { return std::string(R"({"datasets":[]})"); }
    std::vector<DashboardConfig> Dashboards() override { return dashboards; }
    QueryService& queries() override { return queries_; }
    DashboardFeed& dashboard_feed() override { return feed_; }
    Result<std::string> Diff(const DiffRequest& request, std::stop_token) override {
        return "{\"model\":\"" + request.model + "\"}";
    }
    Result<std::string> Run(const RunRequest& request, const RunEvents& events,
                            std::stop_token stop) override {
        if (!request.select.empty() && request.select[0] == "nothing") {
            return UserError("there is no model nothing", "Did you mean \"something\"?");
        }
        if (!request.select.empty() && request.select[0] == "slow") {
            while (!stop.stop_requested())
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            run_stopped = true;
        }
        if (events) {
            events(R"({"planned":1})");
            events(R"({"started":"mart.daily"})");
        }
        if (!request.select.empty() && request.select[0] == "broken")
            return Unavailable("the warehouse is gone");
        return std::string(R"({"models":[],"full":)") + (request.full_refresh ? "true}" : "false}");
    }
    Status AskStream(const StreamCommand& command) override {
        if (command.stream != "app") return UserError("there is no stream " + command.stream);
        asked = command;
        return {};
    }
    Result<std::string> PlanJson() override { return std::string(R"({"steps":[]})"); }
    Result<std::string> ApplyJson(const std::string&, std::stop_token) override {
        return Fail(ErrorKind::kConflict, "the plan is stale");
    }

    void Write(const std::string& sql) {
        const auto transaction = warehouse_->Begin();
        ASSERT_TRUE(transaction);
        ASSERT_TRUE((*transaction)->Execute(sql));
        ASSERT_TRUE((*transaction)->Commit());
        feed_.OnDataChanged();
    }

    std::atomic<bool> ready = true;
    std::atomic<int> status_calls = 0;
    std::atomic<bool> run_stopped = false;
    std::vector<DashboardConfig> dashboards;
    StreamCommand asked;

  private:
    const std::unique_ptr<Warehouse> warehouse_ = std::move(*OpenDuckDb({}));
    SystemClock clock_;
    QueryService queries_{*warehouse_, {.running_max = 2}};
    DashboardFeed feed_{queries_, clock_};
};

// A plain TCP connection; reads give up after ten seconds.
class RawSocket {
  public:
    explicit RawSocket(const std::string& address) {
        descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const timeval limit{10, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        const auto colon = address.rfind(':');
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
        ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &place.sin_addr);
        connected_ =
            ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0;
    }
    ~RawSocket() { Close(); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    bool connected() const { return connected_; }
    void Close() {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = -1;
    }
    bool Send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // What has come when `text` is in it, the other side has ended, or the time is over.
    std::string ReadUntil(std::string_view text) {
        char piece[4096];
        while (received_.find(text) == std::string::npos) {
            const auto count = ::recv(descriptor_, piece, sizeof piece, 0);
            if (count <= 0) break;
            received_.append(piece, static_cast<std::size_t>(count));
        }
        return received_;
    }
    std::string ReadToEnd() { return ReadUntil(std::string_view("\0no such bytes\0", 15)); }
    // Forgets what has come.
    void Forget() { received_.clear(); }
    // Whether the other side closes within ten seconds.
    bool IsClosedByServer() {
        char byte = 0;
        while (true) {
            const auto count = ::recv(descriptor_, &byte, 1, 0);
            if (count == 0) return true;
            if (count < 0) return errno == ECONNRESET;
        }
    }

  private:
    int descriptor_ = -1;
    bool connected_ = false;
    std::string received_;
};

template <typename Condition>
bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
}

class ServerTest : public ::testing::Test {
  protected:
    static HttpServerOptions DefaultOptions() {
        HttpServerOptions options;
        options.listen = "127.0.0.1:0";
        options.version = "0.1.0";
        options.token = "secret-token";
        options.grace = std::chrono::milliseconds(500);
        return options;
    }
    void Start(const HttpServerOptions& options = DefaultOptions()) {
        server_.reset();
        auto server = HttpServer::Start(backend_, options);
        ASSERT_TRUE(server) << server.error().ToString();
        server_ = std::move(*server);
    }
    // "Host: …" and the end of the headers are added.
    std::string Ask(const std::string& request_line, const std::string& headers = "",
                    const std::string& body = "") {
        RawSocket socket(server_->address());
        socket.Send(request_line + " HTTP/1.1\r\nHost: " + server_->address() +
                    "\r\nConnection: close\r\n" + headers +
                    (body.empty() ? ""
                                  : "Content-Type: application/json\r\nContent-Length: " +
                                        std::to_string(body.size()) + "\r\n") +
                    "\r\n" + body);
        return socket.ReadToEnd();
    }
    std::string QueryText(const std::string& sql, const std::string& headers = "") {
        const auto body = "{\"sql\":\"" + sql + "\"}";
        return "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
               "application/json\r\n" +
               headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    TestBackend backend_;
    std::unique_ptr<HttpServer> server_;
};

inline int StatusOf(const std::string& answer) {
    return answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
}

}  // namespace biwa::http::testing
