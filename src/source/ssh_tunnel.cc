#include "source/ssh_tunnel.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/text.h"
#include "source/ssh_session.h"

namespace biwa {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kOpenMax{30'000};
constexpr milliseconds kPauseMin{1'000}, kPauseMax{30'000};

// A number that is free now. Somebody may take it before ssh does: then ssh ends and says so.
std::uint16_t FreePort() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool is_bound = ::bind(socket, any, size) == 0 && ::getsockname(socket, any, &size) == 0;
    ::close(socket);
    return is_bound ? ntohs(address.sin_port) : 0;
}

bool IsFingerprint(std::string_view text) {
    constexpr std::string_view kHash = "SHA256:";
    if (!text.starts_with(kHash) || text.size() != kHash.size() + 43) return false;
    return std::all_of(text.begin() + kHash.size(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    });
}

// In an option of ssh: in quotes, and without a meaning for % and what stands in quotes.
std::string Quoted(const std::string& path) {
    std::string quoted = "\"";
    for (const char c : path) {
        if (c == '"' || c == '\\') quoted += '\\';
        if (c == '%') quoted += '%';
        quoted += c;
    }
    return quoted + "\"";
}

std::string Bracketed(const std::string& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

// A run of ssh and, for as long as that may read it, the key: in memory that has a name in
// /proc, but in no file system.
class SshTunnel::Session {
  public:
    static Result<std::unique_ptr<Session>> Start(const SshBastion& bastion,
                                                  const std::vector<Endpoint>& targets) {
        auto session = std::make_unique<Session>();
        std::string key_file;
        if (!bastion.key.empty()) {
            session->key_ = ::memfd_create("biwa key", MFD_CLOEXEC);
            const auto text = bastion.key + "\n";  // ssh reads no key without its line end
            if (session->key_ < 0 || ::fchmod(session->key_, S_IRUSR) != 0 ||
                ::write(session->key_, text.data(), text.size()) !=
                    static_cast<ssize_t>(text.size())) {
                return Unavailable("the key of the bastion cannot be kept in memory");
            }
            key_file = fmt::format("/proc/{}/fd/{}", ::getpid(), session->key_);
        }
        for (std::size_t i = 0; i < targets.size(); ++i) {
            session->ports_.push_back(FreePort());
            if (session->ports_.back() == 0) return Unavailable("no port of 127.0.0.1 is free");
        }
        session->ssh_.emplace(SshArguments(bastion, key_file, targets, session->ports_));
        return session;
    }
    Session() = default;
    ~Session() {
        ssh_.reset();
        if (key_ >= 0) ::close(key_);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    SshSession& ssh() { return *ssh_; }
    const std::vector<std::uint16_t>& ports() const { return ports_; }

  private:
    int key_ = -1;
    std::vector<std::uint16_t> ports_;
    std::optional<SshSession> ssh_;
};

SshTunnel::SshTunnel(SshBastion bastion, std::vector<Endpoint> targets)
    : bastion_(std::move(bastion)), targets_(std::move(targets)) {}

SshTunnel::~SshTunnel() = default;

Result<std::vector<std::uint16_t>> SshTunnel::Open() {
    std::lock_guard lock(mutex_);
    if (session_ && session_->ssh().state() == SshSession::State::kOpen) return session_->ports();
    const auto now = steady_clock::now();
    if (failed_ && now < not_before_) return tl::unexpected(*failed_);
    auto opened = OpenOnce();
    if (opened) {
        failed_.reset();
        pause_ = milliseconds(0);
        return opened;
    }
    session_.reset();
    failed_ = opened.error();
    pause_ = std::clamp(pause_ * 2, kPauseMin, kPauseMax);
    not_before_ = steady_clock::now() + pause_;
    return opened;
}

Result<std::vector<std::uint16_t>> SshTunnel::OpenOnce() {
    for (int attempt = 0;; ++attempt) {
        session_.reset();
        session_ = BIWA_TRY(Session::Start(bastion_, targets_));
        const auto state = session_->ssh().WaitOpen(kOpenMax);
        if (state == SshSession::State::kOpen) return session_->ports();
        if (state == SshSession::State::kOpening) {
            return Unavailable(fmt::format("the bastion {} does not answer", bastion_.address.host),
                               "Check ssh_host and ssh_port of the connection.");
        }
        const auto said = session_->ssh().TakeSaid();
        const bool port_was_taken = said.find("ddress already in use") != std::string::npos;
        if (!port_was_taken || attempt == 3) return tl::unexpected(SshError(bastion_, said));
    }
}

std::string SshTunnel::TakeComplaint() {
    std::lock_guard lock(mutex_);
    // It is on its way when the connection is closed for the same reason.
    for (int attempt = 0; session_ && attempt < 20; ++attempt) {
        // "channel 2: open failed: connect failed: Connection refused"
        const auto said = session_->ssh().TakeSaid();
        const auto at = said.rfind("open failed: ");
        if (at != std::string::npos) return said.substr(at, said.find('\n', at) - at);
        std::this_thread::sleep_for(milliseconds(10));
    }
    return "";
}

std::vector<std::string> SshArguments(const SshBastion& bastion, const std::string& key_file,
                                      const std::vector<Endpoint>& targets,
                                      const std::vector<std::uint16_t>& ports) {
    // No file of the user's says otherwise; -v has it say which key the bastion has.
    std::vector<std::string> arguments = {"-v", "-N", "-T", "-F", "none"};
    const auto set = [&](std::string option) {
        arguments.emplace_back("-o");
        arguments.push_back(std::move(option));
    };
    set("BatchMode=yes");
    set("StrictHostKeyChecking=yes");
    set("UpdateHostKeys=no");
    set("ExitOnForwardFailure=yes");
    set("ConnectTimeout=10");
    // A link that is dead is noticed within a minute.
    set("ServerAliveInterval=15");
    set("ServerAliveCountMax=3");
    set("PermitLocalCommand=yes");
    set(fmt::format("LocalCommand=echo '{}'", kTunnelIsOpen));
    if (!bastion.host_key.empty()) {
        // The command is told the key that the bastion has, and says whether it is the one.
        set("UserKnownHostsFile=none");
        set("GlobalKnownHostsFile=none");
        set(
            fmt::format("KnownHostsCommand=/bin/sh -c \"if test $1 = $2; then echo $3 $4 $5; fi\" "
                        "sh %f {} %H %t %K",
                        bastion.host_key));
    } else if (!bastion.known_hosts.empty()) {
        set("UserKnownHostsFile=" + Quoted(bastion.known_hosts));
        set("GlobalKnownHostsFile=none");
    }
    if (!key_file.empty()) {
        set("IdentityFile=" + Quoted(key_file));
        set("IdentitiesOnly=yes");
        set("IdentityAgent=none");
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
        arguments.emplace_back("-L");
        arguments.push_back(fmt::format("127.0.0.1:{}:{}:{}", ports[i], Bracketed(targets[i].host),
                                        targets[i].port));
    }
    if (!bastion.user.empty()) {
        arguments.emplace_back("-l");
        arguments.push_back(bastion.user);
    }
    arguments.emplace_back("-p");
    arguments.push_back(std::to_string(bastion.address.port));
    arguments.emplace_back("--");
    arguments.push_back(bastion.address.host);
    return arguments;
}

Error SshError(const SshBastion& bastion, const std::string& said) {
    std::string key;
    std::vector<std::string> lines;
    for (const auto& line : Split(said, '\n')) {
        constexpr std::string_view kKey = "Server host key: ";
        if (const auto at = line.find(kKey); at != std::string::npos) {
            key = line.substr(at + kKey.size());
        } else if (!line.empty()) {
            lines.push_back(line);
        }
    }
    const auto has = [&](std::string_view text) { return said.find(text) != std::string::npos; };
    const auto where = fmt::format("the bastion {}", bastion.address.host);
    if (has("Host key verification failed")) {
        const auto expected = bastion.host_key.empty()
                                  ? "not the one of the known hosts"
                                  : "not " + bastion.host_key + ", which ssh_host_key says";
        return {
            ErrorKind::kUser,
            fmt::format("{} has the host key {}: {}. Nothing was sent to it", where, key, expected),
            "Another server may answer in its place. Ask whoever runs it for its fingerprint "
            "(`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` there); where it has changed, "
            "write the new one into ssh_host_key or the known hosts."};
    }
    if (has("Permission denied")) {
        const bool is_unreadable =
            has("invalid format") || has("error in libcrypto") || has("incorrect passphrase");
        return {ErrorKind::kUser,
                fmt::format("{} does not let us in{}", where,
                            is_unreadable ? ": ssh_key is no private key that ssh can read" : ""),
                is_unreadable ? "It is the private key itself, as ssh-keygen writes it, without a "
                                "passphrase."
                              : "Check ssh_user and ssh_key of the connection, and "
                                "authorized_keys at the bastion."};
    }
    return {ErrorKind::kUnavailable,
            fmt::format("{} cannot be reached: {}", where,
                        lines.empty() ? "ssh ended without a word" : Join(lines, "; ")),
            "Check ssh_host and ssh_port of the connection."};
}

std::vector<Setting> SshSettings() {
    return {
        {.name = "ssh_host",
         .description = "A bastion that the server is reached through, by `ssh`: its name or "
                        "address. The server's own host and port are then as the bastion sees "
                        "them."},
        {.name = "ssh_port", .description = "Port of the bastion. Left out: 22."},
        {.name = "ssh_user", .description = "User at the bastion. Left out: as `ssh` has it."},
        {.name = "ssh_key",
         .type = SettingType::kSecret,
         .description = "The private key to get in with, as ssh-keygen writes it, without a "
                        "passphrase. Left out: those that `ssh` finds by itself, and its agent."},
        {.name = "ssh_host_key",
         .description = "The fingerprint that the bastion's host key must have, SHA256:…. Left "
                        "out: the key must be among the known hosts."},
        {.name = "ssh_known_hosts",
         .type = SettingType::kPath,
         .description = "File of known hosts. Left out: those of `ssh`."},
    };
}

Result<std::shared_ptr<SshTunnel>> MakeTunnel(const SettingValues& values,
                                              std::vector<Endpoint> targets) {
    const auto get = [&](const char* name) {
        const auto found = values.find(name);
        return found == values.end() ? std::string() : found->second;
    };
    SshBastion bastion;
    bastion.address = {get("ssh_host"), 22};
    bastion.user = get("ssh_user");
    bastion.key = get("ssh_key");
    bastion.host_key = get("ssh_host_key");
    bastion.known_hosts = get("ssh_known_hosts");
    if (bastion.address.host.empty()) {
        for (const auto& setting : SshSettings()) {
            if (get(setting.name.c_str()).empty()) continue;
            return UserError(fmt::format("{} is set, and ssh_host is not", setting.name));
        }
        return std::shared_ptr<SshTunnel>();
    }
    if (const auto port = get("ssh_port"); !port.empty()) {
        const auto* const end = port.data() + port.size();
        const auto [at, error] = std::from_chars(port.data(), end, bastion.address.port);
        if (error != std::errc() || at != end || bastion.address.port == 0) {
            return UserError(fmt::format("ssh_port: \"{}\" is no port", port));
        }
    }
    if (!bastion.host_key.empty() && !IsFingerprint(bastion.host_key)) {
        return UserError(fmt::format("ssh_host_key: \"{}\" is no fingerprint", bastion.host_key),
                         "Write it as `ssh-keygen -lf` prints it: SHA256: and 43 letters.");
    }
    if (!bastion.host_key.empty() && !bastion.known_hosts.empty()) {
        return UserError("ssh_host_key and ssh_known_hosts are both set", "Keep one of them.");
    }
    return std::make_shared<SshTunnel>(std::move(bastion), std::move(targets));
}

}  // namespace biwa
