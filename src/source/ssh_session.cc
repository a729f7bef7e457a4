#include "source/ssh_session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/text.h"

extern char** environ;

namespace biwa {

namespace {

constexpr std::size_t kLinesMax = 20;

std::vector<char*> Pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

// ssh has the user's shell run LocalCommand, and a service's user may have none.
std::vector<std::string> Environment() {
    std::vector<std::string> texts = {"SHELL=/bin/sh"};
    for (char** one = environ; *one != nullptr; ++one) {
        if (!std::string_view(*one).starts_with("SHELL=")) texts.emplace_back(*one);
    }
    return texts;
}

// Between fork and exec only what may be done there; all that takes memory was done before.
[[noreturn]] void BecomeSsh(pid_t parent, std::array<int, 3> ends, const std::vector<char*>& argv,
                            const std::vector<char*>& envp) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    // Ctrl+C at a terminal is for us: what is open is closed in order.
    ::setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGPIPE, SIGTERM, SIGINT}) ::signal(number, SIG_DFL);
    for (int i = 0; i < 3; ++i) ::dup2(ends[static_cast<std::size_t>(i)], i);
    ::close_range(3, ~0U, 0);
    ::execvpe("ssh", argv.data(), envp.data());
    constexpr std::string_view kMissing = "ssh cannot be started: is openssh-client installed?\n";
    (void)!::write(2, kMissing.data(), kMissing.size());
    ::_exit(127);
}

}  // namespace

SshSession::SshSession(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
    thread_ = std::thread([this] { Run(); });
}

SshSession::~SshSession() {
    {
        std::lock_guard lock(mutex_);
        must_end_ = true;
        // Not yet waited for, so the number is still its own.
        if (child_ > 0) ::kill(child_, SIGTERM);
    }
    thread_.join();
}

SshSession::State SshSession::WaitOpen(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return state_ != State::kOpening; });
    return state_;
}

SshSession::State SshSession::state() const {
    std::lock_guard lock(mutex_);
    return state_;
}

std::string SshSession::TakeSaid() {
    std::lock_guard lock(mutex_);
    return Join(std::exchange(lines_, {}), "\n");
}

void SshSession::Hear(const std::string& line, bool is_error) {
    std::lock_guard lock(mutex_);
    if (!is_error) {
        if (line != kTunnelIsOpen) return;
        state_ = State::kOpen;
        changed_.notify_all();
        return;
    }
    // Of what it says for debugging only the host's key is of use.
    const bool is_key = line.find("Server host key: ") != std::string::npos;
    if (line.starts_with("debug1: ") ? !is_key : line.starts_with("OpenSSH_")) return;
    lines_.push_back(line);
    if (lines_.size() > kLinesMax) lines_.erase(lines_.begin());
}

void SshSession::Start(int out, int err) {
    std::vector<std::string> command = {"ssh"};
    command.insert(command.end(), arguments_.begin(), arguments_.end());
    auto environment = Environment();
    const auto argv = Pointers(command);
    const auto envp = Pointers(environment);
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const pid_t parent = ::getpid();
    {
        std::lock_guard lock(mutex_);
        if (!must_end_) child_ = ::fork();
        if (child_ == 0 && !must_end_) BecomeSsh(parent, {nothing, out, err}, argv, envp);
        if (child_ < 0) lines_.push_back(std::string("fork: ") + std::strerror(errno));
    }
    if (nothing >= 0) ::close(nothing);
}

void SshSession::Run() {
    std::array<int, 2> out{-1, -1}, err{-1, -1};
    if (::pipe2(out.data(), O_CLOEXEC) == 0 && ::pipe2(err.data(), O_CLOEXEC) == 0) {
        Start(out[1], err[1]);
    }
    for (const int written : {out[1], err[1]}) {
        if (written >= 0) ::close(written);
    }
    std::array<pollfd, 2> ends{pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
    std::array<std::string, 2> unfinished;
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) break;
        for (std::size_t i = 0; i < ends.size(); ++i) {
            if (ends[i].fd < 0 || ends[i].revents == 0) continue;
            std::array<char, 4096> buffer;
            const auto count = ::read(ends[i].fd, buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) {
                ::close(ends[i].fd);
                ends[i].fd = -1;
                continue;
            }
            auto& text = unfinished[i];
            text.append(buffer.data(), static_cast<std::size_t>(count));
            for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
                Hear(std::string(Trim(text.substr(0, end))), i == 1);
                text.erase(0, end + 1);
            }
        }
    }
    pid_t child = 0;
    {
        std::lock_guard lock(mutex_);
        child = child_;
    }
    if (child > 0) {
        // It has closed what it writes to: it ends.
        siginfo_t ended{};
        while (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) < 0 &&
               errno == EINTR) {
        }
    }
    std::lock_guard lock(mutex_);
    if (child > 0) ::waitpid(child, nullptr, 0);
    child_ = 0;
    state_ = State::kEnded;
    changed_.notify_all();
}

}  // namespace biwa
