// One run of the ssh command. See ssh_tunnel.h.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace biwa {

// Printed by ssh when its ports lead somewhere.
inline constexpr const char* kTunnelIsOpen = "biwa: the tunnel is open";

// A thread starts the command, reads what it says and waits for its end; the kernel ends the
// command when that thread ends, so also when this process is killed.
class SshSession {
  public:
    // `arguments`: those of ssh, without its name.
    explicit SshSession(std::vector<std::string> arguments);
    ~SshSession();
    SshSession(const SshSession&) = delete;
    SshSession& operator=(const SshSession&) = delete;

    enum class State { kOpening, kOpen, kEnded };
    // Until it is open or has ended, or the time is up.
    State WaitOpen(std::chrono::milliseconds timeout);
    State state() const;
    // What it has said of errors, since this was asked last, its last lines; and of the bastion's
    // key.
    std::string TakeSaid();

  private:
    void Run();
    void Start(int out, int err);
    // A line that it has written.
    void Hear(const std::string& line, bool is_error);

    const std::vector<std::string> arguments_;
    mutable std::mutex mutex_;  // guards all below but the thread
    std::condition_variable changed_;
    State state_ = State::kOpening;
    pid_t child_ = 0;
    bool must_end_ = false;
    std::vector<std::string> lines_;
    std::thread thread_;
};

}  // namespace biwa
