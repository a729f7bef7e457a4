// A small client for the command line to talk to a running instance.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "query/sink.h"

namespace biwa::http {

// Synchronous; each call is a connection of its own. A failure that the server tells comes back as
// the same Error; kUnavailable when there is no server.
class HttpClient {
  public:
    struct Options {
        std::string token;  // for what changes something
        std::chrono::milliseconds connect_time_max{5'000};
        // Between two parts of an answer; 0: however long it takes.
        std::chrono::milliseconds quiet_time_max{0};
    };

    // "127.0.0.1:8700"
    HttpClient(std::string address, Options options)
        : address_(std::move(address)), options_(std::move(options)) {}

    // The answer's body.
    Result<std::string> Get(std::string_view path);
    Result<std::string> Post(std::string_view path, std::string_view json);
    Result<std::string> Delete(std::string_view path);

    // Hands each line of the answer to `line` as it comes, without its end.
    Status PostForLines(std::string_view path, std::string_view json,
                        const std::function<Status(std::string_view)>& line);
    // Hands the answer's body to `output` as it comes; stops with the output's error.
    // kUnavailable when the answer breaks off.
    Status PostStreaming(std::string_view path, std::string_view json, std::string_view accept,
                         const ByteOutput& output);

  private:
    Status Request(std::string_view method, std::string_view path, std::string_view json,
                   std::string_view accept, const ByteOutput& output);

    const std::string address_;
    const Options options_;
};

}  // namespace biwa::http
