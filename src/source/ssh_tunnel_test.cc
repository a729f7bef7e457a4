#include "source/ssh_tunnel.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace biwa {
namespace {

const std::string kFingerprint = "SHA256:" + std::string(43, 'a');

bool Has(const std::vector<std::string>& arguments, const std::string& one) {
    return std::find(arguments.begin(), arguments.end(), one) != arguments.end();
}

TEST(SshArgumentsTest, ForwardsEveryTargetAndChecksTheHostKey) {
    SshBastion bastion;
    bastion.address = {"bastion.example", 2222};
    bastion.user = "biwa";
    bastion.known_hosts = "/etc/100% \"known\"";
    const auto arguments =
        SshArguments(bastion, "/proc/1/fd/3", {{"db", 5432}, {"::1", 5433}}, {1001, 1002});
    for (const auto* one :
         {"StrictHostKeyChecking=yes", "BatchMode=yes", "ExitOnForwardFailure=yes",
          "127.0.0.1:1001:db:5432", "127.0.0.1:1002:[::1]:5433", "IdentitiesOnly=yes",
          "IdentityFile=\"/proc/1/fd/3\"", "UserKnownHostsFile=\"/etc/100%% \\\"known\\\"\""}) {
        EXPECT_TRUE(Has(arguments, one)) << one;
    }
    // What a name may look like is no option.
    EXPECT_EQ(arguments[arguments.size() - 2], "--");
    EXPECT_EQ(arguments.back(), "bastion.example");

    bastion.known_hosts.clear();
    bastion.host_key = kFingerprint;
    const auto pinned = SshArguments(bastion, "", {{"db", 5432}}, {1001});
    EXPECT_TRUE(Has(pinned, "UserKnownHostsFile=none"));
    EXPECT_FALSE(Has(pinned, "IdentitiesOnly=yes"));
}

TEST(SshErrorTest, SaysWhoMustActAndWhatIsToBeDone) {
    SshBastion bastion;
    bastion.address.host = "b";
    bastion.host_key = kFingerprint;
    auto error = SshError(bastion,
                          "debug1: Server host key: ssh-ed25519 SHA256:other\n"
                          "No ED25519 host key is known for b\nHost key verification failed.");
    EXPECT_EQ(error.kind, ErrorKind::kUser);
    EXPECT_NE(error.message.find("ssh-ed25519 SHA256:other"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find(kFingerprint), std::string::npos) << error.message;

    error = SshError(bastion, "biwa@b: Permission denied (publickey).");
    EXPECT_EQ(error.kind, ErrorKind::kUser);
    error = SshError(
        bastion, "Load key \"/proc/1/fd/3\": error in libcrypto\nPermission denied (publickey).");
    EXPECT_NE(error.message.find("no private key"), std::string::npos) << error.message;
    error = SshError(bastion, "ssh: connect to host b port 22: Connection refused");
    EXPECT_EQ(error.kind, ErrorKind::kUnavailable);
    EXPECT_EQ(SshError(bastion, "").kind, ErrorKind::kUnavailable);
}

TEST(MakeTunnelTest, TakesNoSettingsThatSayNothing) {
    const auto none = MakeTunnel({}, {});
    ASSERT_TRUE(none);
    EXPECT_EQ(*none, nullptr);
    const auto made = MakeTunnel({{"ssh_host", "b"}, {"ssh_host_key", kFingerprint}}, {});
    ASSERT_TRUE(made);
    EXPECT_NE(*made, nullptr);
    for (const SettingValues& bad :
         {SettingValues{{"ssh_user", "u"}}, SettingValues{{"ssh_host", "b"}, {"ssh_port", "x"}},
          SettingValues{{"ssh_host", "b"}, {"ssh_port", "70000"}},
          SettingValues{{"ssh_host", "b"}, {"ssh_host_key", "aa:bb"}},
          SettingValues{{"ssh_host", "b"},
                        {"ssh_host_key", "SHA256:" + std::string(42, 'a') + "\""}},
          SettingValues{
              {"ssh_host", "b"}, {"ssh_host_key", kFingerprint}, {"ssh_known_hosts", "/k"}}}) {
        EXPECT_FALSE(MakeTunnel(bad, {}));
    }
}

}  // namespace
}  // namespace biwa
