#include "server/http/status_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace biwa::http {

namespace {
constexpr std::chrono::seconds kEvery{1};
}

std::shared_ptr<const std::string> MakeEvent(std::string_view name, std::string_view data) {
    return std::make_shared<const std::string>(fmt::format("event: {}\ndata: {}\n\n", name, data));
}

StatusFeed::StatusFeed(std::function<std::string()> make_json) : make_json_(std::move(make_json)) {
    thread_ = std::jthread([this](std::stop_token stop) { Loop(std::move(stop)); });
}

StatusFeed::~StatusFeed() = default;

void StatusFeed::Add(const std::shared_ptr<Exchange>& exchange) {
    exchange->BeginEvents();
    exchange->PostEvent("status", MakeEvent("status", make_json_()));
    std::lock_guard lock(mutex_);
    listeners_.push_back(exchange);
    has_listeners_ = true;
}

void StatusFeed::OnStatusChanged() {
    if (!has_listeners_) return;
    std::lock_guard lock(mutex_);
    is_stale_ = true;
    changed_.notify_all();
}

void StatusFeed::Loop(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return is_stale_; })) {
        is_stale_ = false;
        std::vector<std::shared_ptr<Exchange>> listeners;
        std::erase_if(listeners_, [&](const std::weak_ptr<Exchange>& listener) {
            auto exchange = listener.lock();
            if (!exchange || exchange->closed().stop_requested()) return true;
            listeners.push_back(std::move(exchange));
            return false;
        });
        has_listeners_ = !listeners_.empty();
        lock.unlock();
        if (!listeners.empty()) {
            const auto event = MakeEvent("status", make_json_());
            for (const auto& listener : listeners) listener->PostEvent("status", event);
            listeners.clear();
        }
        lock.lock();
        changed_.wait_for(lock, stop, kEvery, [] { return false; });
    }
}

}  // namespace biwa::http
