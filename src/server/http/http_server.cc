#include "server/http/http_server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "server/http/api.h"
#include "server/http/connection.h"

namespace biwa::http {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kNetworkThreads = 2;
constexpr std::chrono::milliseconds kAcceptAgain{100};

// The connections that there are.
class ConnectionSet {
  public:
    // False, and not added, when there are `connections_max`.
    bool Add(const std::shared_ptr<Connection>& connection, std::size_t connections_max) {
        std::lock_guard lock(mutex_);
        const bool fits = connections_.size() < connections_max;
        connections_.emplace(connection->id(), connection);
        return fits;
    }
    void Remove(const void* id) {
        std::lock_guard lock(mutex_);
        connections_.erase(id);
        if (connections_.empty()) empty_.notify_all();
    }
    template <typename Function>
    void ForEach(Function function) {
        std::vector<std::shared_ptr<Connection>> alive;
        {
            std::lock_guard lock(mutex_);
            for (const auto& entry : connections_) {
                if (auto connection = entry.second.lock()) alive.push_back(std::move(connection));
            }
        }
        for (const auto& connection : alive) function(*connection);
    }
    bool WaitUntilEmpty(std::chrono::milliseconds time_max) {
        std::unique_lock lock(mutex_);
        return empty_.wait_for(lock, time_max, [&] { return connections_.empty(); });
    }

  private:
    std::mutex mutex_;
    std::condition_variable empty_;
    std::unordered_map<const void*, std::weak_ptr<Connection>> connections_;
};

Result<tcp::endpoint> ResolveListen(const std::string& listen) {
    const auto colon = listen.rfind(':');
    unsigned port = 0;
    const auto bad = [&] {
        return UserError(fmt::format("\"{}\" is no address to listen on", listen),
                         "Write HOST:PORT, as in 127.0.0.1:8700.");
    };
    if (colon == std::string::npos || colon == 0) return bad();
    const char* const end = listen.data() + listen.size();
    const auto parsed = std::from_chars(listen.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end || port > 65535) return bad();
    const auto host = HostWithoutPort(listen.starts_with('[') ? listen : listen.substr(0, colon));
    asio::io_context io;
    tcp::resolver resolver(io);
    error_code error;
    const auto found = resolver.resolve(host, std::to_string(port), error);
    if (error || found.empty()) return bad();
    return found.begin()->endpoint();
}

std::string ToText(const tcp::endpoint& endpoint) {
    const auto host = endpoint.address().to_string();
    return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                      : fmt::format("{}:{}", host, endpoint.port());
}

class AsioHttpServer final : public HttpServer, public ConnectionOwner {
  public:
    AsioHttpServer(Backend& backend, const HttpServerOptions& options)
        : options_(options),
          limits_{.body_bytes_max = options.body_bytes_max,
                  .read_time_max = options.read_time_max,
                  .write_time_max = options.write_time_max,
                  .heartbeat = options.heartbeat},
          acceptor_(asio::make_strand(io_)),
          accept_again_(acceptor_.get_executor()),
          api_(backend,
               {.version = options.version,
                .guard = {.token = options.token, .host_names = options.host_names},
                .event_streams_max = options.event_streams_max},
               StaticFiles(options.files)) {}

    ~AsioHttpServer() override {
        stopping_ = true;
        asio::post(acceptor_.get_executor(), [this] {
            error_code ignored;
            acceptor_.close(ignored);
            accept_again_.cancel();
        });
        connections_.ForEach([](Connection& connection) { connection.Finish(); });
        if (!connections_.WaitUntilEmpty(options_.grace)) {
            LogInfo("http: ending what is still being answered");
        }
        // What is still answered is told to stop, and holds its connection until it has.
        do {
            connections_.ForEach([](Connection& connection) { connection.Abort(); });
        } while (!connections_.WaitUntilEmpty(std::chrono::seconds(1)));
        io_.stop();
        threads_.clear();
    }

    Status Listen() {
        const auto endpoint = BIWA_TRY(ResolveListen(options_.listen));
        error_code error;
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error == asio::error::address_in_use) {
            return Unavailable(
                fmt::format("cannot listen on {}: port {} is in use", options_.listen,
                            endpoint.port()),
                "Stop the program that has it, or choose another address: server.listen in "
                "biwa.yaml, or --listen 127.0.0.1:PORT.");
        }
        if (error) {
            return UserError(
                fmt::format("cannot listen on {}: {}", options_.listen, error.message()),
                "Choose another address: server.listen in biwa.yaml, or --listen 127.0.0.1:PORT.");
        }
        address_ = ToText(acceptor_.local_endpoint());
        Accept();
        for (int i = 0; i < kNetworkThreads; ++i) threads_.emplace_back([this] { io_.run(); });
        return {};
    }

    const std::string& address() const override { return address_; }
    void OnStatusChanged() override { api_.OnStatusChanged(); }

    void Handle(std::shared_ptr<Exchange> exchange) override { api_.Handle(exchange); }
    void OnGone(const void* connection) override { connections_.Remove(connection); }

  private:
    void Accept() {
        acceptor_.async_accept(
            asio::make_strand(io_), [this](error_code error, tcp::socket socket) {
                if (stopping_ || error == asio::error::operation_aborted) return;
                if (error) return AcceptLater(error);
                error_code ignored;
                socket.set_option(tcp::no_delay(true), ignored);
                const auto connection = MakeConnection(std::move(socket), limits_, *this);
                if (connections_.Add(connection, options_.connections_max)) {
                    connection->Start();
                } else {
                    connection->Refuse();
                }
                Accept();
            });
    }

    // Out of file descriptors, most likely: going on at once would be a busy loop.
    void AcceptLater(error_code error) {
        LogWarn("http: cannot accept a connection: {}", error.message());
        accept_again_.expires_after(kAcceptAgain);
        accept_again_.async_wait([this](error_code cancelled) {
            if (!cancelled && !stopping_) Accept();
        });
    }

    const HttpServerOptions options_;
    const ConnectionLimits limits_;
    std::atomic<bool> stopping_{false};
    ConnectionSet connections_;
    asio::io_context io_;
    tcp::acceptor acceptor_;
    asio::steady_timer accept_again_;
    std::string address_;
    Api api_;
    // Keeps the network threads while nothing listens: connections may still have to be ended.
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    std::vector<std::jthread> threads_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Backend& backend,
                                                      const HttpServerOptions& options) {
    auto server = std::make_unique<AsioHttpServer>(backend, options);
    BIWA_TRY(server->Listen());
    return server;
}

}  // namespace biwa::http
