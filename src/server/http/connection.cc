#include "server/http/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace biwa::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Bytes = std::shared_ptr<const std::string>;

constexpr std::size_t kPieceBytes = 128 << 10;
constexpr unsigned kHttp11 = 11;
// After the last answer the caller's bytes are still read for a while: closing with unread bytes
// resets the connection, and the answer may be lost with it (RFC 9112, 9.6).
constexpr std::chrono::seconds kLingerTimeMax{2};
constexpr std::size_t kSlowestBytesPerSecond = 64 << 10;

// What every answer says. The page's styles are set by its editor and charts at run time.
void SetSecurityHeaders(beast::http::fields& fields) {
    fields.set("X-Content-Type-Options", "nosniff");
    fields.set("X-Frame-Options", "DENY");
    fields.set("Referrer-Policy", "no-referrer");
    fields.set("Cross-Origin-Resource-Policy", "same-origin");
    fields.set("Content-Security-Policy",
               "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
               "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
}

class TcpConnection final : public Connection,
                            public Exchange,
                            public std::enable_shared_from_this<TcpConnection> {
  public:
    TcpConnection(asio::ip::tcp::socket socket, const ConnectionLimits& limits,
                  ConnectionOwner& owner)
        : farewell_{owner, this},
          limits_(limits),
          owner_(owner),
          stream_(std::move(socket)),
          heartbeat_(stream_.get_executor()) {}

    // Connection

    const void* id() const override { return this; }
    void Start() override {
        Post([this] { ReadRequest(); });
    }
    void Refuse() override {
        Post([this] {
            ReplyAndEnd(ErrorResponse({ErrorKind::kUnavailable,
                                       "the server has as many connections as it takes",
                                       "Try again in a moment."}));
        });
    }
    void Finish() override {
        Post([this] {
            keep_alive_ = false;
            if (state_ == State::kReading || state_ == State::kEvents) Close();
        });
    }
    void Abort() override {
        Post([this] { Close(); });
    }

    // Exchange

    const Request& request() const override { return request_; }
    std::stop_token closed() const override { return stop_.get_token(); }

    void Reply(Response response) override {
        Post([this, answer = std::make_shared<Response>(std::move(response))] {
            if (state_ == State::kHandling) DoReply(std::move(*answer));
        });
    }

    void BeginBody(Response head) override {
        Post([this, head = std::move(head)] {
            if (state_ != State::kHandling) return;
            state_ = State::kBody;
            chunked_ = version_ >= kHttp11;
            if (!chunked_) keep_alive_ = false;
            auto message = MakeHead(head);
            message.chunked(chunked_);
            SendHead(message);
        });
    }

    Status WriteBody(std::string_view bytes) override {
        for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
            const auto piece = bytes.substr(at, kPieceBytes);
            {
                std::unique_lock lock(mutex_);
                room_.wait(lock, [&] { return gone_ || unsent_ < limits_.unsent_bytes_max; });
                if (gone_) return Unavailable("the caller has closed the connection");
                unsent_ += piece.size();
            }
            Post([this, size = piece.size(), text = std::string(piece)] {
                if (state_ != State::kBody) return;
                Send(std::make_shared<const std::string>(
                         chunked_ ? fmt::format("{:x}\r\n{}\r\n", text.size(), text) : text),
                     size);
            });
        }
        return {};
    }

    void EndBody(bool whole) override {
        Post([this, whole] {
            if (state_ != State::kBody) return;
            if (!whole) keep_alive_ = false;
            if (whole && chunked_) Send(std::make_shared<const std::string>("0\r\n\r\n"), 0);
            body_ended_ = true;
            Pump();
        });
    }

    void BeginEvents() override {
        Post([this] {
            if (state_ != State::kHandling) return;
            state_ = State::kEvents;
            keep_alive_ = false;
            Response head;
            head.content_type = "text/event-stream";
            head.headers.emplace_back("X-Accel-Buffering", "no");
            SendHead(MakeHead(head));
            if (request_.method == "HEAD") return Close();
            Beat();
        });
    }

    void PostEvent(const std::string& key, Bytes event) override {
        Post([this, key, event = std::move(event)] {
            if (state_ != State::kEvents) return;
            for (auto& waiting : events_) {
                if (waiting.first != key) continue;
                waiting.second = event;
                return;
            }
            events_.emplace_back(key, event);
            Pump();
        });
    }

    void OnClosed(std::function<void()> then) override {
        {
            std::lock_guard lock(mutex_);
            if (!gone_) {
                on_closed_.push_back(std::move(then));
                return;
            }
        }
        then();
    }

  private:
    // Everything below runs on the connection's strand.
    enum class State { kReading, kHandling, kReplying, kBody, kEvents, kClosed };
    using Head = beast::http::response<beast::http::empty_body>;
    using Message = beast::http::response<beast::http::span_body<const char>>;

    template <typename Function>
    void Post(Function function) {
        asio::post(
            stream_.get_executor(),
            [self = shared_from_this(), function = std::move(function)]() mutable { function(); });
    }

    void ReadRequest() {
        state_ = State::kReading;
        request_ = Request();
        // The watch for the end of the last request's caller.
        error_code ignored;
        stream_.socket().cancel(ignored);
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
        parser_->body_limit(limits_.body_bytes_max);
        stream_.expires_after(limits_.read_time_max);
        beast::http::async_read(
            stream_, buffer_, *parser_,
            [self = shared_from_this()](error_code error, std::size_t) { self->OnRead(error); });
    }

    void OnRead(error_code error) {
        if (state_ != State::kReading) return;
        if (error == beast::http::error::body_limit) {
            return ReplyAndEnd(ErrorResponse(
                {ErrorKind::kUser,
                 fmt::format("the body of a request is at most {} bytes", limits_.body_bytes_max),
                 ""},
                413));
        }
        if (error == beast::http::error::header_limit) {
            return ReplyAndEnd(ErrorResponse(
                {ErrorKind::kUser, "the headers of the request are too large", ""}, 431));
        }
        const bool is_http_error =
            error.category() == make_error_code(beast::http::error::bad_method).category();
        if (is_http_error && error != beast::http::error::end_of_stream &&
            error != beast::http::error::partial_message) {
            return ReplyAndEnd(ErrorResponse(
                {ErrorKind::kUser, "this is not HTTP/1.1: " + error.message(), ""}, 400));
        }
        if (error) return Close();
        stream_.expires_never();

        auto message = parser_->release();
        const auto target = message.target();
        const auto path = PathOfTarget({target.data(), target.size()});
        if (!path) {
            return ReplyAndEnd(ErrorResponse(
                {ErrorKind::kUser, "the address of the request cannot be read", ""}, 400));
        }
        version_ = message.version();
        keep_alive_ = message.keep_alive();
        request_.method = std::string(message.method_string());
        request_.path = *path;
        for (const auto& field : message) {
            std::string name(field.name_string());
            for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
            request_.headers.emplace_back(std::move(name), std::string(field.value()));
        }
        request_.body = std::move(message.body());
        state_ = State::kHandling;
        WatchForEnd();
        owner_.Handle(shared_from_this());
    }

    // A caller that goes away while its query runs ends the query.
    void WatchForEnd() {
        stream_.socket().async_wait(
            asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
                if (error || self->state_ == State::kClosed || self->state_ == State::kReading) {
                    return;
                }
                char byte = 0;
                const auto received = ::recv(self->stream_.socket().native_handle(), &byte, 1,
                                             MSG_PEEK | MSG_DONTWAIT);
                if (received > 0) return;  // the next request is already here
                if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
                    return self->WatchForEnd();
                }
                self->Close();
            });
    }

    Head MakeHead(const Response& response) {
        Head head(static_cast<beast::http::status>(response.status), version_);
        head.set(beast::http::field::server, "biwa");
        if (!response.content_type.empty()) {
            head.set(beast::http::field::content_type, response.content_type);
        }
        SetSecurityHeaders(head);
        head.set(beast::http::field::cache_control, "no-store");
        for (const auto& header : response.headers) head.set(header.first, header.second);
        head.keep_alive(keep_alive_);
        return head;
    }

    void ReplyAndEnd(Response response) {
        keep_alive_ = false;
        state_ = State::kHandling;
        DoReply(std::move(response));
    }

    void DoReply(Response response) {
        state_ = State::kReplying;
        response_ = std::move(response);
        const auto body = response_.static_body.empty() ? std::string_view(response_.body)
                                                        : response_.static_body;
        message_.emplace(MakeHead(response_).base());
        if (request_.method != "HEAD" && response_.status != 304) {
            message_->body() = beast::span<const char>(body.data(), body.size());
        }
        if (response_.status != 304) message_->content_length(body.size());
        stream_.expires_after(limits_.write_time_max +
                              std::chrono::seconds(body.size() / kSlowestBytesPerSecond));
        beast::http::async_write(stream_, *message_,
                                 [self = shared_from_this()](error_code error, std::size_t) {
                                     if (error) return self->Close();
                                     self->OnAnswered();
                                 });
    }

    void OnAnswered() {
        if (state_ == State::kClosed) return;
        message_.reset();
        response_ = Response();
        body_ended_ = false;
        if (keep_alive_) return ReadRequest();
        Linger();
    }

    void SendHead(const Head& head) {
        std::ostringstream text;
        text << head.base();
        Send(std::make_shared<const std::string>(text.str()), 0);
    }

    // `body_bytes` of it count as unsent.
    void Send(Bytes bytes, std::size_t body_bytes) {
        outbox_.emplace_back(std::move(bytes), body_bytes);
        Pump();
    }

    void Pump() {
        if (writing_ || state_ == State::kClosed) return;
        if (outbox_.empty() && !events_.empty()) {
            for (auto& event : events_) outbox_.emplace_back(std::move(event.second), 0);
            events_.clear();
        }
        if (outbox_.empty()) {
            if (body_ended_) OnAnswered();
            return;
        }
        writing_ = true;
        stream_.expires_after(limits_.write_time_max);
        asio::async_write(
            stream_, asio::buffer(*outbox_.front().first),
            [self = shared_from_this()](error_code error, std::size_t) { self->OnWritten(error); });
    }

    void OnWritten(error_code error) {
        writing_ = false;
        if (error) return Close();
        stream_.expires_never();
        {
            std::lock_guard lock(mutex_);
            unsent_ -= outbox_.front().second;
        }
        room_.notify_all();
        outbox_.pop_front();
        Pump();
    }

    void Beat() {
        heartbeat_.expires_after(limits_.heartbeat);
        heartbeat_.async_wait([self = shared_from_this()](error_code error) {
            if (error || self->state_ != State::kEvents) return;
            if (!self->writing_) self->Send(std::make_shared<const std::string>(":\n\n"), 0);
            self->Beat();
        });
    }

    void Linger() {
        EndExchange();
        error_code ignored;
        stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        stream_.socket().cancel(ignored);
        stream_.expires_after(kLingerTimeMax);
        ReadAway();
    }

    void ReadAway() {
        stream_.async_read_some(asio::buffer(trash_),
                                [self = shared_from_this()](error_code error, std::size_t) {
                                    if (error) return self->stream_.close();
                                    self->ReadAway();
                                });
    }

    void Close() {
        if (state_ == State::kClosed) return stream_.close();
        EndExchange();
        stream_.close();
    }

    void EndExchange() {
        state_ = State::kClosed;
        std::vector<std::function<void()>> on_closed;
        {
            std::lock_guard lock(mutex_);
            gone_ = true;
            on_closed.swap(on_closed_);
        }
        room_.notify_all();
        heartbeat_.cancel();
        stop_.request_stop();
        for (const auto& then : on_closed) then();
    }

    // Tells the owner last of all: when it knows, it may take away what the socket and the timer
    // below still need for their own ends.
    struct Farewell {
        ConnectionOwner& owner;
        const void* id;
        ~Farewell() { owner.OnGone(id); }
    };
    const Farewell farewell_;
    const ConnectionLimits limits_;
    ConnectionOwner& owner_;
    beast::tcp_stream stream_;
    asio::steady_timer heartbeat_;
    std::stop_source stop_;

    State state_ = State::kReading;
    beast::flat_buffer buffer_;
    std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
    Request request_;
    unsigned version_ = kHttp11;
    bool keep_alive_ = false;

    Response response_;  // what message_ views
    std::optional<Message> message_;
    bool chunked_ = false;
    bool body_ended_ = false;
    bool writing_ = false;  // the front of outbox_
    std::deque<std::pair<Bytes, std::size_t>> outbox_;
    std::deque<std::pair<std::string, Bytes>> events_;
    std::array<char, 4096> trash_;

    std::mutex mutex_;
    std::condition_variable room_;
    std::size_t unsent_ = 0;
    bool gone_ = false;
    std::vector<std::function<void()>> on_closed_;
};

}  // namespace

std::shared_ptr<Connection> MakeConnection(asio::ip::tcp::socket socket,
                                           const ConnectionLimits& limits, ConnectionOwner& owner) {
    return std::make_shared<TcpConnection>(std::move(socket), limits, owner);
}

}  // namespace biwa::http
