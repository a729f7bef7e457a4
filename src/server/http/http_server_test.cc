// Callers that are hostile, slow or many.
#include "server/http/http_server.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/http_client.h"
#include "server/http/testing.h"

namespace biwa::http {
namespace {

using namespace std::chrono_literals;
using testing::Eventually;
using testing::kEndlessQuery;
using testing::RawSocket;
using testing::StatusOf;

class HttpServerTest : public testing::ServerTest {
  protected:
    HttpServerTest() { Start(); }
    std::string Raw(const std::string& text) {
        RawSocket socket(server_->address());
        socket.Send(text);
        return socket.ReadToEnd();
    }
};

constexpr StaticFile kFiles[] = {
    {"/index.html", "text/html; charset=utf-8", "<p>page</p>", "\x1f\x8bzip", false}};

TEST_F(HttpServerTest, AnswersSayWhatBrowsersMayNotDo) {
    auto options = DefaultOptions();
    options.files = kFiles;
    Start(options);
    for (const auto* path : {"GET /", "GET /api/v1/status", "GET /api", "GET /api/v1/nothing"}) {
        const auto answer = Ask(path);
        EXPECT_NE(answer.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos);
        EXPECT_NE(answer.find("default-src 'self'"), std::string::npos);
        EXPECT_NE(answer.find("frame-ancestors 'none'"), std::string::npos);
    }
    EXPECT_NE(Ask("GET /api/v1/status").find("Cache-Control: no-store\r\n"), std::string::npos);
    EXPECT_NE(Ask("GET /some/page").find("<p>page</p>"), std::string::npos);
    EXPECT_NE(Ask("GET /", "Accept-Encoding: gzip\r\n").find("\x1f\x8bzip"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesOtherHostsAndOrigins) {
    EXPECT_EQ(StatusOf(Raw("GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n"
                           "Connection: close\r\n\r\n")),
              403);
    EXPECT_EQ(StatusOf(Raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")), 403);
    EXPECT_EQ(StatusOf(Ask("GET /api/v1/status", "Origin: http://evil.example\r\n")), 403);
    EXPECT_EQ(StatusOf(Ask("GET /api/v1/status", "Origin: http://" + server_->address() + "\r\n")),
              200);
    EXPECT_EQ(StatusOf(Raw("POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")),
              415);
}

TEST_F(HttpServerTest, WhatIsTooLargeOrNoHttpIsRefused) {
    EXPECT_EQ(StatusOf(Raw("POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Length: 1048577\r\n\r\n")),
              413);
    // The caller goes on sending: the answer has to arrive all the same.
    EXPECT_EQ(StatusOf(Raw("POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Length: 3000000\r\n\r\n" +
                           std::string(3'000'000, ' '))),
              413);
    EXPECT_EQ(StatusOf(Raw("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n")), 431);
    EXPECT_EQ(StatusOf(Raw("this is not HTTP\r\n\r\n")), 400);
    EXPECT_EQ(StatusOf(Raw("GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n")), 400);
    EXPECT_EQ(StatusOf(Raw("POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n{}")),
              400);
    EXPECT_EQ(StatusOf(Ask("GET /healthz")), 200);
}

TEST_F(HttpServerTest, ASlowCallerIsLetGo) {
    auto options = DefaultOptions();
    options.read_time_max = 200ms;
    Start(options);
    RawSocket silent(server_->address());
    RawSocket slow(server_->address());
    slow.Send("GET /healthz HTTP/1.1\r\nHo");
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(slow.IsClosedByServer());
    EXPECT_TRUE(silent.IsClosedByServer());
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(HttpServerTest, OneConnectionCarriesManyRequests) {
    RawSocket socket(server_->address());
    for (int i = 0; i < 50; ++i) {
        socket.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_EQ(StatusOf(socket.ReadUntil("ok\n")), 200);
        socket.Forget();
        socket.Send(QueryText("SELECT 42 AS answer"));
        EXPECT_NE(socket.ReadUntil("\r\n0\r\n\r\n").find("[[42]]"), std::string::npos);
        socket.Forget();
    }
    // And without waiting for the answer.
    socket.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + QueryText("SELECT 43 AS a") +
                "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto answers = socket.ReadUntil("ready\n");
    EXPECT_LT(answers.find("ok\n"), answers.find("[[43]]"));
    EXPECT_LT(answers.find("[[43]]"), answers.find("ready\n"));
}

TEST_F(HttpServerTest, OldCallersGetTheirAnswerWithoutChunks) {
    const std::string body = R"({"sql": "SELECT 42 AS a"})";
    const auto answer =
        Raw("POST /api/v1/query HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_EQ(answer.find("chunked"), std::string::npos);
    const auto json = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
    EXPECT_EQ(json.at("rows"), nlohmann::json::parse("[[42]]"));
}

TEST_F(HttpServerTest, TwoHundredCallersAtOnceAreAllAnswered) {
    std::vector<std::unique_ptr<RawSocket>> listeners;
    for (int i = 0; i < 200; ++i) {
        listeners.push_back(std::make_unique<RawSocket>(server_->address()));
        listeners.back()->Send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> callers;
        for (int i = 0; i < 200; ++i) {
            callers.emplace_back([&, i] {
                HttpClient client(server_->address(), {});
                const auto sql = "{\"sql\": \"SELECT " + std::to_string(i) + " AS i\"}";
                for (int attempt = 0; attempt < 200; ++attempt) {
                    const auto text = client.Post("/api/v1/query", sql);
                    if (!text && text.error().kind == ErrorKind::kUnavailable) {
                        std::this_thread::sleep_for(10ms);  // the line is full
                        continue;
                    }
                    if (text && text->find("[[" + std::to_string(i) + "]]") != std::string::npos) {
                        ++good;
                    }
                    return;
                }
            });
        }
    }
    EXPECT_EQ(good, 200);
    for (const auto& listener : listeners) {
        EXPECT_NE(listener->ReadUntil("event: status").find("event: status"), std::string::npos);
    }
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreToldSo) {
    auto options = DefaultOptions();
    options.connections_max = 3;
    options.event_streams_max = 2;
    Start(options);
    std::vector<std::unique_ptr<RawSocket>> listeners;
    for (int i = 0; i < 2; ++i) {
        listeners.push_back(std::make_unique<RawSocket>(server_->address()));
        listeners.back()->Send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        ASSERT_EQ(StatusOf(listeners.back()->ReadUntil("event: status")), 200);
    }
    {
        RawSocket third(server_->address());
        third.Send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_EQ(StatusOf(third.ReadUntil("}}")), 503);
        third.Forget();
        third.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_EQ(StatusOf(third.ReadUntil("ok\n")), 200);
        EXPECT_EQ(StatusOf(Raw("")), 503);
    }
    listeners.clear();
    EXPECT_TRUE(Eventually([&] { return StatusOf(Ask("GET /healthz")) == 200; }));
}

TEST_F(HttpServerTest, StopsWhileItIsAtWork) {
    RawSocket listener(server_->address());
    listener.Send("GET /api/v1/dashboards/school/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    listener.ReadUntil("event: tile");
    RawSocket asking(server_->address());
    asking.Send(QueryText(kEndlessQuery));
    RawSocket idle(server_->address());
    ASSERT_TRUE(Eventually([&] { return backend_.queries().running() == 1; }));
    const auto address = server_->address();
    const auto start = std::chrono::steady_clock::now();
    server_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    EXPECT_EQ(backend_.queries().running(), 0U);
    EXPECT_TRUE(idle.IsClosedByServer());
    EXPECT_TRUE(listener.IsClosedByServer());
    EXPECT_FALSE(RawSocket(address).connected());
}

TEST_F(HttpServerTest, AnAnswerOnItsWayIsFinishedBeforeTheServerGoes) {
    auto options = DefaultOptions();
    options.grace = 10s;
    Start(options);
    RawSocket asking(server_->address());
    asking.Send(QueryText("SELECT count(*) AS n FROM range(20000000) r(i) WHERE i % 3 = 0"));
    ASSERT_TRUE(Eventually([&] { return backend_.queries().running() == 1; }));
    server_.reset();
    EXPECT_NE(asking.ReadToEnd().find("\"row_count\":1"), std::string::npos);
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
    auto options = DefaultOptions();
    options.listen = server_->address();
    const auto second = HttpServer::Start(backend_, options);
    ASSERT_FALSE(second);
    const auto port = server_->address().substr(server_->address().rfind(':') + 1);
    EXPECT_EQ(second.error().message,
              "cannot listen on " + server_->address() + ": port " + port + " is in use");
    EXPECT_NE(second.error().hint.find("--listen"), std::string::npos);
    for (const auto* bad :
         {"", "8700", ":8700", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"}) {
        options.listen = bad;
        const auto refused = HttpServer::Start(backend_, options);
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().kind, ErrorKind::kUser);
    }
}

TEST(HttpClientTest, SaysThatNobodyIsThere) {
    HttpClient client("127.0.0.1:1", {});
    const auto text = client.Get("/api/v1/status");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(text.error().message.find("cannot reach Biwa at 127.0.0.1:1"), std::string::npos);
}

}  // namespace
}  // namespace biwa::http
