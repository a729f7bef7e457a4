// One request on its way to being answered.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace biwa::http {

// Made by the connection, answered by a route. Thread-safe. Exactly one of Reply, BeginBody and
// BeginEvents is called, once; after the caller has gone they and the rest do nothing.
class Exchange {
  public:
    virtual ~Exchange() = default;
    // Not changed until the answer has begun.
    virtual const Request& request() const = 0;
    // The caller has gone, or the server stops and will wait no longer.
    virtual std::stop_token closed() const = 0;

    virtual void Reply(Response response) = 0;

    // An answer in pieces, sent as they come. `head` has no body.
    virtual void BeginBody(Response head) = 0;
    // Waits while too much is unsent; an error when the caller has gone. Not on a network thread.
    virtual Status WriteBody(std::string_view bytes) = 0;
    // Whole: the caller is told that this was all. Otherwise the connection breaks off.
    virtual void EndBody(bool whole) = 0;

    // Server-sent events until the caller goes. Never waits: of the events of one key that have not
    // been sent yet only the newest is.
    virtual void BeginEvents() = 0;
    virtual void PostEvent(const std::string& key, std::shared_ptr<const std::string> event) = 0;
    // `then` is called once when the caller has gone, at once if it has, by a network thread: it
    // must not wait. It goes right after.
    virtual void OnClosed(std::function<void()> then) = 0;
};

// "event: NAME", the data and the empty line. The data must be one line, as JSON is.
std::shared_ptr<const std::string> MakeEvent(std::string_view name, std::string_view data);

}  // namespace biwa::http
