#include "server/http/http_client.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <limits>
#include <nlohmann/json.hpp>

namespace biwa::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kErrorBytesMax = 1 << 20;
constexpr std::uint64_t kBodyBytesMax = std::numeric_limits<std::uint64_t>::max();

// Runs one operation to its end. The operations are asynchronous because only those have time
// limits.
class Session {
  public:
    explicit Session(std::chrono::milliseconds quiet_time_max) : quiet_(quiet_time_max) {}

    error_code Connect(const std::string& host, const std::string& port,
                       std::chrono::milliseconds time_max) {
        error_code error;
        asio::ip::tcp::resolver resolver(io_);
        const auto endpoints = resolver.resolve(host, port, error);
        if (error) return error;
        stream_.expires_after(time_max);
        stream_.async_connect(endpoints, [&](error_code result, const auto&) { error = result; });
        return Wait(error);
    }
    template <typename Message>
    error_code Write(const Message& message) {
        error_code error;
        Expire();
        beast::http::async_write(stream_, message,
                                 [&](error_code result, std::size_t) { error = result; });
        return Wait(error);
    }
    template <typename Parser>
    error_code ReadHeader(Parser& parser) {
        error_code error;
        Expire();
        beast::http::async_read_header(stream_, buffer_, parser,
                                       [&](error_code result, std::size_t) { error = result; });
        return Wait(error);
    }
    template <typename Parser>
    error_code ReadSome(Parser& parser) {
        error_code error;
        Expire();
        beast::http::async_read_some(stream_, buffer_, parser,
                                     [&](error_code result, std::size_t) { error = result; });
        return Wait(error);
    }

  private:
    void Expire() {
        if (quiet_.count() > 0) {
            stream_.expires_after(quiet_);
        } else {
            stream_.expires_never();
        }
    }
    error_code Wait(error_code& error) {
        io_.restart();
        io_.run();
        return error;
    }

    const std::chrono::milliseconds quiet_;
    asio::io_context io_;
    beast::tcp_stream stream_{io_};
    beast::flat_buffer buffer_;
};

// The Error that the body of a refused request tells.
Error ErrorOf(const std::string& body, unsigned status, std::string_view path) {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    Error error{status >= 500 ? ErrorKind::kUnavailable : ErrorKind::kUser,
                fmt::format("{}: the server answered {}", path, status), ""};
    if (!json.is_object() || !json.contains("error") || !json["error"].is_object()) return error;
    const auto& told = json["error"];
    error.message = told.value("message", error.message);
    if (told.contains("hint") && told["hint"].is_string()) error.hint = told["hint"];
    const auto kind = told.value("kind", "");
    for (const auto known :
         {ErrorKind::kUser, ErrorKind::kUnavailable, ErrorKind::kConflict, ErrorKind::kCorrupt}) {
        if (kind == ToString(known)) error.kind = known;
    }
    return error;
}

}  // namespace

Result<std::string> HttpClient::Get(std::string_view path) {
    std::string body;
    BIWA_TRY(Request("GET", path, {}, "application/json", [&](std::string_view bytes) -> Status {
        body += bytes;
        return {};
    }));
    return body;
}

Result<std::string> HttpClient::Post(std::string_view path, std::string_view json) {
    std::string body;
    BIWA_TRY(Request("POST", path, json, "application/json", [&](std::string_view bytes) -> Status {
        body += bytes;
        return {};
    }));
    return body;
}

Result<std::string> HttpClient::Delete(std::string_view path) {
    std::string body;
    BIWA_TRY(Request("DELETE", path, {}, "application/json", [&](std::string_view bytes) -> Status {
        body += bytes;
        return {};
    }));
    return body;
}

Status HttpClient::PostStreaming(std::string_view path, std::string_view json,
                                 std::string_view accept, const ByteOutput& output) {
    return Request("POST", path, json, accept, output);
}

Status HttpClient::PostForLines(std::string_view path, std::string_view json,
                                const std::function<Status(std::string_view)>& line) {
    std::string begun;
    BIWA_TRY(
        Request("POST", path, json, "application/x-ndjson", [&](std::string_view bytes) -> Status {
            begun += bytes;
            std::size_t from = 0;
            for (;;) {
                const auto end = begun.find('\n', from);
                if (end == std::string::npos) break;
                BIWA_TRY(line(std::string_view(begun).substr(from, end - from)));
                from = end + 1;
            }
            begun.erase(0, from);
            return {};
        }));
    return {};
}

Status HttpClient::Request(std::string_view method, std::string_view path, std::string_view json,
                           std::string_view accept, const ByteOutput& output) {
    const auto failed = [&](error_code error) {
        return Unavailable(fmt::format("{} of Biwa at {}: {}", path, address_, error.message()));
    };
    const auto colon = address_.rfind(':');
    if (colon == std::string::npos) {
        return UserError(fmt::format("\"{}\" is no address", address_), "Write HOST:PORT.");
    }
    auto host = address_.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    Session session(options_.quiet_time_max);
    const auto refused =
        session.Connect(host, address_.substr(colon + 1), options_.connect_time_max);
    if (refused) {
        return Unavailable(fmt::format("cannot reach Biwa at {}: {}", address_, refused.message()),
                           "Is it running? Start it with biwa up.");
    }

    beast::http::request<beast::http::string_body> request;
    request.version(11);
    request.method_string({method.data(), method.size()});
    request.target({path.data(), path.size()});
    request.set(beast::http::field::host, address_);
    request.set(beast::http::field::accept, {accept.data(), accept.size()});
    request.keep_alive(false);
    if (!options_.token.empty()) {
        request.set(beast::http::field::authorization, "Bearer " + options_.token);
    }
    if (method != "GET") {
        request.set(beast::http::field::content_type, "application/json");
        request.body() = json;
        request.prepare_payload();
    }
    if (const auto error = session.Write(request)) return failed(error);

    beast::http::response_parser<beast::http::buffer_body> parser;
    parser.body_limit(kBodyBytesMax);
    if (const auto error = session.ReadHeader(parser)) return failed(error);
    const auto status = parser.get().result_int();
    const bool is_good = status >= 200 && status < 300;
    std::string refusal;
    std::array<char, kPieceBytes> piece;
    while (!parser.is_done()) {
        auto& body = parser.get().body();
        body.data = piece.data();
        body.size = piece.size();
        const auto error = session.ReadSome(parser);
        if (error && error != beast::http::error::need_buffer) return failed(error);
        const std::string_view bytes(piece.data(), piece.size() - body.size);
        if (is_good) {
            if (!bytes.empty()) BIWA_TRY(output(bytes));
        } else if (refusal.size() < kErrorBytesMax) {
            refusal += bytes;
        }
    }
    if (!is_good) return tl::unexpected(ErrorOf(refusal, status, path));
    return {};
}

}  // namespace biwa::http
