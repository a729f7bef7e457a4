#include "source/mysql/mysql_source.h"

#include <fmt/format.h>

#include <charconv>
#include <mutex>

#include "base/text.h"
#include "source/address.h"
#include "source/mysql/connection.h"
#include "source/mysql/doctor.h"
#include "source/mysql/stream_source.h"

namespace biwa {

namespace {

using mysql::ConnectionParameters;
using mysql::TlsMode;

const std::vector<std::string> kTlsModes = {"disable", "prefer", "require", "verify-ca",
                                            "verify-full"};

std::vector<Setting> Settings() {
    const auto text = [](const char* name, const char* description, bool required,
                         const char* default_text = "") {
        return Setting{name, SettingType::kText, description, required, default_text, {}, {}};
    };
    std::vector<Setting> settings = {
        text("url", "All of the connection in one: mysql://user@host:3306/database.", false),
        text(
            "host",
            "Name or address of the server. Several with commas between, each with its port behind "
            "a colon where it is another one: the first that answers and is not read-only.",
            false, "127.0.0.1"),
        text("port", "Port of the server.", false, "3306"),
        text("socket", "File of the server's Unix socket, instead of host and port.", false),
        text("database",
             "The database whose tables need no name in front of theirs, neither in a stream's "
             "list nor in the warehouse.",
             true),
        text("user",
             "User to connect as; it needs REPLICATION SLAVE, REPLICATION CLIENT and SELECT on the "
             "tables, and RELOAD where the copy begins under a lock.",
             true),
        {"password", SettingType::kSecret, "Password of the user.", false, "", {}, {}},
        {"ssl_mode",
         SettingType::kText,
         "How far the connection has to be encrypted and checked.",
         false,
         "prefer",
         kTlsModes,
         {}},
        {.name = "ssl_ca",
         .type = SettingType::kPath,
         .description = "File of the certificates that the server's is checked against."},
        {.name = "ssl_cert",
         .type = SettingType::kPath,
         .description = "File of the client's certificate."},
        {.name = "ssl_key", .type = SettingType::kPath, .description = "File of the client's key."},
        text("connect_timeout", "Seconds to wait for a connection.", false, "10"),
        {"snapshot_lock",
         SettingType::kText,
         "How several connections copy as of one moment: by comparing places in the binary log "
         "(auto, of MariaDB) or under a lock of some milliseconds (brief; MySQL knows no other).",
         false,
         "auto",
         {"auto", "brief"},
         {}},
    };
    for (auto& setting : SshSettings()) settings.push_back(std::move(setting));
    return settings;
}

Result<unsigned> Number(const SettingValues& values, const std::string& name, unsigned usual,
                        unsigned max) {
    const auto found = values.find(name);
    if (found == values.end() || found->second.empty()) return usual;
    unsigned number = 0;
    const auto* const end = found->second.data() + found->second.size();
    const auto [at, error] = std::from_chars(found->second.data(), end, number);
    if (error == std::errc() && at == end && number >= 1 && number <= max) return number;
    return UserError(fmt::format("{}: \"{}\" is no number from 1 to {}", name, found->second, max));
}

// "db1,db2:3307,[::1]:3308"
Result<std::vector<Endpoint>> ParseHosts(const std::string& text, std::uint16_t usual_port) {
    std::vector<Endpoint> hosts;
    for (const auto& part : Split(text, ',')) {
        std::string_view host = Trim(part);
        const auto bracket = host.find(']');
        const auto colon = host.rfind(':');
        const bool has_port =
            colon != std::string_view::npos &&
            (host.starts_with('[') ? colon == bracket + 1 : host.find(':') == colon);
        Endpoint endpoint{"", usual_port};
        if (has_port) {
            const auto* const end = host.data() + host.size();
            const auto [at, error] = std::from_chars(host.data() + colon + 1, end, endpoint.port);
            if (error != std::errc() || at != end || endpoint.port == 0) {
                return UserError(fmt::format("host: \"{}\" has no port behind its colon", host));
            }
            host = host.substr(0, colon);
        }
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        if (host.empty()) return UserError(fmt::format("host: \"{}\" has an empty name", text));
        endpoint.host = host;
        hosts.push_back(std::move(endpoint));
    }
    return hosts;
}

Result<ConnectionParameters> Parameters(SettingValues values) {
    if (const auto url = values.find("url"); url != values.end()) {
        for (const auto& [name, value] : BIWA_TRY(ParseMySqlUrl(url->second))) {
            values.try_emplace(name, value);
        }
    }
    ConnectionParameters parameters;
    const auto port = static_cast<std::uint16_t>(BIWA_TRY(Number(values, "port", 3306, 65'535)));
    parameters.hosts =
        BIWA_TRY(ParseHosts(values["host"].empty() ? "127.0.0.1" : values["host"], port));
    parameters.socket = values["socket"];
    parameters.user = values["user"];
    parameters.password = values["password"];
    parameters.database = values["database"];
    parameters.tls_ca = values["ssl_ca"];
    parameters.tls_cert = values["ssl_cert"];
    parameters.tls_key = values["ssl_key"];
    parameters.connect_timeout_s = BIWA_TRY(Number(values, "connect_timeout", 10, 3600));
    parameters.snapshot_lock = values["snapshot_lock"] == "brief";
    const auto mode = values["ssl_mode"].empty() ? "prefer" : values["ssl_mode"];
    const auto found = std::find(kTlsModes.begin(), kTlsModes.end(), mode);
    if (found == kTlsModes.end()) return UserError(fmt::format("ssl_mode: \"{}\" is none", mode));
    parameters.tls = static_cast<TlsMode>(found - kTlsModes.begin());
    parameters.tunnel = BIWA_TRY(MakeTunnel(values, parameters.hosts));
    if (parameters.tunnel && !parameters.socket.empty()) {
        return UserError("ssh_host leads to a host, and socket is set", "Take one of them out.");
    }
    if (parameters.tunnel && parameters.tls == TlsMode::kVerifyFull) {
        return UserError(
            "through a bastion the server's certificate cannot be checked for its name",
            "Set ssl_mode to verify-ca.");
    }
    return parameters;
}

class MySqlSource final : public Source {
  public:
    explicit MySqlSource(ConnectionParameters parameters) : parameters_(std::move(parameters)) {}

    Result<std::unique_ptr<StreamSource>> OpenStream(const std::string& stream,
                                                     const TableParts& only) override {
        if (!only.empty()) return NoParts(only);
        return mysql::OpenStreamSource(parameters_, BearingsOf(stream));
    }
    Result<std::vector<Finding>> Examine(const StreamToExamine& stream) override {
        if (!stream.only.empty()) return NoParts(stream.only);
        return mysql::Examine(parameters_, stream);
    }

  private:
    // The binary log has whole rows, and is sent as it is.
    static tl::unexpected<Error> NoParts(const TableParts& only) {
        return UserError(
            fmt::format("only: {} cannot be copied in part: MariaDB and MySQL send their binary "
                        "log whole",
                        only.begin()->first),
            "A mask `drop` leaves a column out of the warehouse, `exclude` a table.");
    }

    // The server does not know how far a line is: whoever asks is told by whoever follows.
    std::shared_ptr<mysql::Bearings> BearingsOf(const std::string& line) {
        std::lock_guard lock(mutex_);
        auto& bearings = bearings_[line];
        if (!bearings) {
            bearings = std::make_shared<mysql::Bearings>();
            bearings->base = base_;
        }
        return bearings;
    }

    const ConnectionParameters parameters_;
    const std::shared_ptr<std::atomic<std::uint64_t>> base_ =
        std::make_shared<std::atomic<std::uint64_t>>(0);
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<mysql::Bearings>> bearings_;
};

// What others call a schema is a database here: the connection's.
std::string UsualSchema(const SettingValues& values) {
    if (const auto set = values.find("database"); set != values.end()) return set->second;
    const auto url = values.find("url");
    if (url == values.end()) return "";
    const auto parsed = ParseMySqlUrl(url->second);
    const auto found = parsed ? parsed->find("database") : SettingValues::const_iterator();
    return parsed && found != parsed->end() ? found->second : "";
}

// "%40" is "@".
std::string Unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int code = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16).ptr ==
                text.data() + i + 3) {
            plain += static_cast<char>(code);
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

}  // namespace

void RegisterMySqlSource(SourceRegistry& sources) {
    for (const auto& [name, description] : {std::pair{"mariadb", "MariaDB 10.3 or later."},
                                            std::pair{"mysql", "MySQL 8.0 or later."}}) {
        sources.Add(name,
                    {.description = description,
                     .settings = Settings(),
                     .open = [](const SettingValues& values) -> Result<std::unique_ptr<Source>> {
                         return std::make_unique<MySqlSource>(BIWA_TRY(Parameters(values)));
                     },
                     .parse_url = ParseMySqlUrl,
                     .usual_schema = UsualSchema});
    }
}

Result<SettingValues> ParseMySqlUrl(const std::string& url) {
    // The address is not repeated: a password may stand in it.
    const auto bad = [] {
        return UserError(
            "this is not the address of a MariaDB or MySQL database",
            std::string("Write it as mysql://user@host:3306/database. ") + kPercentEncoded);
    };
    std::string_view rest = url;
    const auto scheme = rest.find("://");
    if (scheme == std::string_view::npos ||
        (rest.substr(0, scheme) != "mysql" && rest.substr(0, scheme) != "mariadb")) {
        return bad();
    }
    rest.remove_prefix(scheme + 3);
    SettingValues values;
    if (const auto question = rest.find('?'); question != std::string_view::npos) {
        for (const auto& part : Split(rest.substr(question + 1), '&')) {
            const auto equal = part.find('=');
            const auto name = part.substr(0, equal);
            bool is_known = false;
            for (const auto& setting : Settings()) {
                is_known = is_known || (setting.name == name && name != "url");
            }
            if (equal == std::string::npos || !is_known) return bad();
            values[name] = Unescape(std::string_view(part).substr(equal + 1));
        }
        rest = rest.substr(0, question);
    }
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        // An @ behind it: what was cut is the password.
        if (rest.find_first_of("@/", slash + 1) != std::string_view::npos) return bad();
        if (slash + 1 < rest.size()) values["database"] = Unescape(rest.substr(slash + 1));
        rest = rest.substr(0, slash);
    }
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        const auto user = rest.substr(0, at);
        const auto colon = user.find(':');
        values["user"] = Unescape(user.substr(0, colon));
        if (colon != std::string_view::npos) values["password"] = Unescape(user.substr(colon + 1));
        rest.remove_prefix(at + 1);
    }
    if (rest.find(',') != std::string_view::npos) {
        values["host"] = Unescape(rest);
        return values;
    }
    const auto bracket = rest.find(']');
    const auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
    auto host = rest.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!host.empty()) values["host"] = Unescape(host);
    if (colon != std::string_view::npos) values["port"] = rest.substr(colon + 1);
    return values;
}

}  // namespace biwa
