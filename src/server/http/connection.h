// One TCP connection that speaks HTTP/1.1: reads requests one after the other, hands each to its
// owner as an Exchange and writes the answers.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "server/http/exchange.h"

namespace biwa::http {

struct ConnectionLimits {
    std::size_t header_bytes_max = 16 << 10;
    std::size_t body_bytes_max = 1 << 20;
    // Of an answer that is made faster than it is taken.
    std::size_t unsent_bytes_max = 1 << 20;
    std::chrono::milliseconds read_time_max{60'000};   // for a whole request, and between requests
    std::chrono::milliseconds write_time_max{30'000};  // for each piece of an answer
    std::chrono::milliseconds heartbeat{15'000};       // a comment to whoever waits for events
};

// Outlives its connections. Called by network threads: must not wait.
class ConnectionOwner {
  public:
    virtual ~ConnectionOwner() = default;
    virtual void Handle(std::shared_ptr<Exchange> exchange) = 0;
    // The last call from a connection, when its memory goes.
    virtual void OnGone(const void* connection) = 0;
};

// Thread-safe.
class Connection {
  public:
    virtual ~Connection() = default;
    virtual const void* id() const = 0;
    virtual void Start() = 0;
    // Instead of Start: answers that the server is full.
    virtual void Refuse() = 0;
    // Ends as soon as the answer that is on its way, if any, is out; streams of events end at once.
    virtual void Finish() = 0;
    // Ends now.
    virtual void Abort() = 0;
};

// The socket's executor is a strand.
std::shared_ptr<Connection> MakeConnection(boost::asio::ip::tcp::socket socket,
                                           const ConnectionLimits& limits, ConnectionOwner& owner);

}  // namespace biwa::http
