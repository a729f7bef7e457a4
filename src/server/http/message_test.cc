#include "server/http/message.h"

#include <gtest/gtest.h>

#include "server/http/guard.h"
#include "server/http/static_files.h"

namespace biwa::http {
namespace {

TEST(PathOfTargetTest, DecodesThePathAndLeavesTheRest) {
    EXPECT_EQ(PathOfTarget("/"), "/");
    EXPECT_EQ(PathOfTarget("/a%20b/%E5%AD%A6?x=%zz"), "/a b/学");
    EXPECT_EQ(PathOfTarget("/a#b"), "/a");
    for (const auto* bad : {"", "a", "*", "http://x/", "/%", "/%4", "/%4x", "/%00", "/%0d%0a",
                            "/%ff", "/\x7f", "?x"}) {
        EXPECT_FALSE(PathOfTarget(bad)) << bad;
    }
}

Request Asking(Headers headers, std::string body = "") {
    return {.method = "POST", .path = "/", .headers = std::move(headers), .body = std::move(body)};
}

TEST(GuardTest, TakesItsOwnNamesAndAddressesOnly) {
    const GuardOptions options{.token = "t", .host_names = {"biwa.example"}};
    for (const auto* good : {"127.0.0.1:8700", "127.0.0.1", "localhost:1", "[::1]:8700", "10.0.0.7",
                             "Biwa.Example", "LOCALHOST"}) {
        EXPECT_FALSE(RefuseForeign(Asking({{"host", good}}), options)) << good;
    }
    for (const auto* bad : {"", "evil.example", "localhost.evil.example:8700", "127.0.0.1.evil",
                            "[::1", "127.0.0.1@evil.example"}) {
        const auto refusal = RefuseForeign(Asking({{"host", bad}}), options);
        ASSERT_TRUE(refusal) << bad;
        EXPECT_EQ(refusal->status, 403);
    }
    EXPECT_EQ(RefuseForeign(Asking({}), options)->status, 403);
}

TEST(GuardTest, RefusesOtherOrigins) {
    const GuardOptions options;
    const auto from = [&](Headers headers) {
        headers.emplace_back("host", "127.0.0.1:8700");
        const auto refusal = RefuseForeign(Asking(headers), options);
        return refusal ? refusal->status : 200;
    };
    EXPECT_EQ(from({{"origin", "http://127.0.0.1:8700"}}), 200);
    EXPECT_EQ(from({{"sec-fetch-site", "same-origin"}}), 200);
    EXPECT_EQ(from({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "navigate"}}), 200);
    EXPECT_EQ(from({{"origin", "http://evil.example"}}), 403);
    EXPECT_EQ(from({{"origin", "http://127.0.0.1:9999"}}), 403);
    EXPECT_EQ(from({{"origin", "null"}}), 403);
    EXPECT_EQ(from({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "no-cors"}}), 403);
}

TEST(GuardTest, ABodyMustBeJson) {
    const GuardOptions options;
    const auto with = [&](const char* type) {
        const auto refusal =
            RefuseForeign(Asking({{"host", "localhost"}, {"content-type", type}}, "{}"), options);
        return refusal ? refusal->status : 200;
    };
    EXPECT_EQ(with("application/json"), 200);
    EXPECT_EQ(with("Application/JSON; charset=utf-8"), 200);
    for (const auto* bad : {"", "text/plain", "application/x-www-form-urlencoded",
                            "application/jsonx", "text/plain; application/json"}) {
        EXPECT_EQ(with(bad), 415) << bad;
    }
}

TEST(GuardTest, TheTokenMustBeWhole) {
    const GuardOptions options{.token = "secret", .host_names = {}};
    const auto with = [](const char* value, const GuardOptions& guard) {
        return !RefuseWithoutToken(Asking({{"authorization", value}}), guard);
    };
    EXPECT_TRUE(with("Bearer secret", options));
    for (const auto* bad : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets",
                            "Basic secret", "Bearer  secret"}) {
        EXPECT_FALSE(with(bad, options)) << bad;
    }
    EXPECT_FALSE(with("Bearer ", GuardOptions{}));
}

constexpr StaticFile kFiles[] = {
    {"/index.html", "text/html; charset=utf-8", "<p>page</p>", "", false},
    {"/assets/app-1a2b.js", "text/javascript", "js js js", "\x1f\x8b", true}};

TEST(StaticFilesTest, GivesFilesAndThePageForItsOwnAddresses) {
    const StaticFiles files(kFiles);
    const auto get = [&](const std::string& path, Headers headers = {}) {
        return files.Find(
            {.method = "GET", .path = path, .headers = std::move(headers), .body = ""});
    };
    EXPECT_EQ(get("/").static_body, "<p>page</p>");
    EXPECT_EQ(get("/dashboards/学校").static_body, "<p>page</p>");
    EXPECT_EQ(get("/assets/missing.js").status, 404);
    EXPECT_EQ(get("/assets/missing.js", {{"accept", "*/*"}}).status, 404);
    EXPECT_EQ(get("/models/mart.daily", {{"accept", "text/html,*/*;q=0.8"}}).static_body,
              "<p>page</p>");
    EXPECT_EQ(get("/assets/app-1a2b.js").static_body, "js js js");
    EXPECT_EQ(get("/assets/app-1a2b.js", {{"accept-encoding", "br, gzip"}}).static_body,
              "\x1f\x8b");
    EXPECT_EQ(get("/assets/app-1a2b.js", {{"accept-encoding", "gzip;q=0"}}).static_body,
              "js js js");
    EXPECT_EQ(files.Find({.method = "POST", .path = "/", .headers = {}, .body = ""}).status, 405);

    const auto etag = get("/").headers[0].second;
    EXPECT_EQ(get("/", {{"if-none-match", etag}}).status, 304);
    EXPECT_EQ(get("/", {{"if-none-match", "\"other\""}}).status, 200);
    EXPECT_EQ(get("/").headers[1].second, "no-cache");
    EXPECT_NE(get("/assets/app-1a2b.js").headers[1].second.find("immutable"), std::string::npos);
}

}  // namespace
}  // namespace biwa::http
