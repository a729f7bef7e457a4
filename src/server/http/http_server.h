// The HTTP server of an instance: docs/api.md and the web page.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/http/backend.h"
#include "server/http/static_files.h"

namespace biwa::http {

struct HttpServerOptions {
    std::string listen = "127.0.0.1:8700";  // port 0: any that is free
    std::string version;
    std::string token;                    // for what changes something
    std::vector<std::string> host_names;  // that people use for this machine, beside its addresses
    std::span<const StaticFile> files;
    std::size_t connections_max = 1000;
    std::size_t event_streams_max = 800;  // of the connections
    std::size_t body_bytes_max = 1 << 20;
    std::chrono::milliseconds read_time_max{60'000};
    std::chrono::milliseconds write_time_max{30'000};
    std::chrono::milliseconds heartbeat{15'000};
    // Answers that are on their way when the server goes have so long to finish.
    std::chrono::milliseconds grace{5'000};
};

class HttpServer {
  public:
    // kUnavailable when the address is in use, kUser when it is none. The backend and the files
    // outlive the server.
    static Result<std::unique_ptr<HttpServer>> Start(Backend& backend,
                                                     const HttpServerOptions& options);
    virtual ~HttpServer() = default;

    // "127.0.0.1:8700", with the port that it got.
    virtual const std::string& address() const = 0;
    // The status is other than before. Cheap; from any thread.
    virtual void OnStatusChanged() = 0;
};

}  // namespace biwa::http
