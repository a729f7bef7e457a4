// The way to servers behind a bastion: OpenSSH's client as a child process, which forwards a port
// of the loopback interface to each of them.
//
// It is started when it is needed, and again when it has ended; it ends with this object, and with
// the process however that ends. The private key is never in a file: the child reads it out of this
// process's memory. The bastion's host key is always checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/registry.h"

namespace biwa {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
};

struct SshBastion {
    Endpoint address;
    std::string user;         // empty: as ssh has it
    std::string key;          // the private key itself, without a passphrase; empty: ssh's own
    std::string host_key;     // its fingerprint, "SHA256:…"; empty: by known_hosts
    std::string known_hosts;  // a file; empty: ssh's own
};

class SshTunnel {
  public:
    SshTunnel(SshBastion bastion, std::vector<Endpoint> targets);
    ~SshTunnel();
    SshTunnel(const SshTunnel&) = delete;
    SshTunnel& operator=(const SshTunnel&) = delete;

    // The ports of 127.0.0.1 that lead to the targets. Waits until they do. kUser: the bastion's
    // host key is not the right one, or it does not let us in. From any thread.
    Result<std::vector<std::uint16_t>> Open();
    // What ssh has said, since this was asked last, of a target that the bastion could not reach;
    // may be empty.
    std::string TakeComplaint();

  private:
    class Session;

    Result<std::vector<std::uint16_t>> OpenOnce();

    const SshBastion bastion_;
    const std::vector<Endpoint> targets_;
    std::mutex mutex_;  // guards all below
    std::unique_ptr<Session> session_;
    // A bastion that refuses us is not asked all the time: who does is locked out by some.
    std::optional<Error> failed_;
    std::chrono::steady_clock::time_point not_before_{};
    std::chrono::milliseconds pause_{0};
};

// The settings of a connection that leads through a bastion: ssh_host and what begins so too.
std::vector<Setting> SshSettings();
// By those. Nothing when there is no ssh_host. kUser: they do not fit each other.
Result<std::shared_ptr<SshTunnel>> MakeTunnel(const SettingValues& values,
                                              std::vector<Endpoint> targets);

// The arguments of the ssh command. `key_file`: where it finds the key. For tests.
std::vector<std::string> SshArguments(const SshBastion& bastion, const std::string& key_file,
                                      const std::vector<Endpoint>& targets,
                                      const std::vector<std::uint16_t>& ports);
// What ssh has said before it ended, as an error of ours. For tests.
Error SshError(const SshBastion& bastion, const std::string& said);

}  // namespace biwa
