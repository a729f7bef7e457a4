#include "source/postgres/postgres_source.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/text.h"
#include "source/address.h"
#include "source/postgres/connection.h"
#include "source/postgres/doctor.h"
#include "source/postgres/stream_source.h"

namespace biwa {

namespace {

using postgres::ConnectionParameters;

// Our setting and libpq's keyword for it.
struct Keyword {
    const char* setting;
    const char* libpq;
};
constexpr Keyword kKeywords[] = {
    {"host", "host"},
    {"port", "port"},
    {"database", "dbname"},
    {"user", "user"},
    {"password", "password"},
    {"sslmode", "sslmode"},
    {"sslrootcert", "sslrootcert"},
    {"sslcert", "sslcert"},
    {"sslkey", "sslkey"},
    {"application_name", "application_name"},
    {"connect_timeout", "connect_timeout"},
    {"service", "service"},
    {"passfile", "passfile"},
    {"target_session_attrs", "target_session_attrs"},
};

std::vector<Setting> Settings() {
    const auto text = [](const char* name, const char* description, bool required,
                         const char* default_text = "") {
        return Setting{name, SettingType::kText, description, required, default_text, {}, {}};
    };
    std::vector<Setting> settings = {
        text("url", "All of the connection in one: postgres://user@host:5432/database.", false),
        {.name = "service",
         .description =
             "A service of libpq, which says all that is not said here: a section of the "
             "file in PGSERVICEFILE, or of ~/.pg_service.conf."},
        text(
            "host",
            "Name or address of the server, or the folder of its Unix socket. Several, with commas "
            "between: the first that answers and is as target_session_attrs wants it.",
            true),
        {"port",
         SettingType::kText,
         "Port of the server; of several hosts one, or one each.",
         false,
         "5432",
         {},
         {}},
        text("database", "Name of the database.", true),
        text("user",
             "Role to connect as: with LOGIN, REPLICATION, CREATE on the database, SELECT on the "
             "tables, and a member of their owners, whom alone PostgreSQL lets publish them.",
             true),
        {"password", SettingType::kSecret, "Password of the role.", false, "", {}, {}},
        {.name = "passfile",
         .type = SettingType::kPath,
         .description =
             "File of passwords in the format of ~/.pgpass, which is read where there is "
             "no password."},
        {"sslmode",
         SettingType::kText,
         "How far the connection has to be encrypted and checked.",
         false,
         "prefer",
         {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
         {}},
        {.name = "sslrootcert",
         .type = SettingType::kPath,
         .description = "File of the certificates that the server's is checked against."},
        {.name = "sslcert",
         .type = SettingType::kPath,
         .description = "File of the client's certificate."},
        {.name = "sslkey",
         .type = SettingType::kPath,
         .description = "File of the client's key, which nobody else may read."},
        {.name = "target_session_attrs",
         .description = "Of several hosts, which will do. Left out: read-write, since changes are "
                        "followed at the primary.",
         .choices = {"any", "read-write", "primary"}},
        text("snapshot_from",
             "A standby of the server, HOST or HOST:PORT, at which tables are copied and compared; "
             "all else is as for the server. Tables without a key cannot be read there.",
             false),
        text("application_name", "What pg_stat_activity shows.", false, "biwa"),
        text("connect_timeout", "Seconds to wait for a connection.", false, "10"),
    };
    for (auto& setting : SshSettings()) settings.push_back(std::move(setting));
    return settings;
}

Result<std::uint16_t> ParsePort(std::string_view text) {
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, port);
    if (error == std::errc() && at == end && port != 0) return port;
    return UserError(fmt::format("\"{}\" is no port", text));
}

// "db.internal:5433", "[::1]:5433", "db.internal", "::1"
Result<Endpoint> ParseEndpoint(const std::string& text) {
    Endpoint endpoint{text, 5432};
    const auto colon = text.rfind(':');
    const bool has_port = colon != std::string::npos &&
                          (text.find(':') == colon || (colon > 0 && text[colon - 1] == ']'));
    if (has_port) {
        endpoint.port = BIWA_TRY(ParsePort(std::string_view(text).substr(colon + 1)));
        endpoint.host = text.substr(0, colon);
    }
    auto& host = endpoint.host;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return endpoint;
}

// The hosts of libpq's lists of hosts and ports.
Result<std::vector<Endpoint>> Endpoints(const std::map<std::string, std::string>& keywords) {
    const auto list = [&](const char* name) {
        const auto found = keywords.find(name);
        return Split(found == keywords.end() ? std::string_view() : found->second, ',');
    };
    const auto hosts = list("host"), ports = list("port");
    std::vector<Endpoint> endpoints;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        const auto port = ports.size() == 1  ? ports[0]
                          : i < ports.size() ? ports[i]
                                             : std::string();
        endpoints.push_back({hosts[i], 5432});
        if (!port.empty()) endpoints.back().port = BIWA_TRY(ParsePort(port));
    }
    return endpoints;
}

Status AddTunnel(const SettingValues& values, ConnectionParameters& parameters) {
    const auto bastion = values.find("ssh_host");
    std::vector<Endpoint> targets;
    if (bastion != values.end() && !bastion->second.empty()) {
        targets = BIWA_TRY(Endpoints(parameters.keywords));
        const bool has_none = targets.empty() || targets[0].host.empty();
        if (has_none || targets[0].host.starts_with('/')) {
            return UserError("ssh_host leads to a host, and the connection has none",
                             "Set host to the server's name or address as the bastion sees it.");
        }
    }
    parameters.tunnel = BIWA_TRY(MakeTunnel(values, std::move(targets)));
    return {};
}

class PostgresSource final : public Source {
  public:
    PostgresSource(ConnectionParameters parameters, std::optional<ConnectionParameters> standby)
        : parameters_(std::move(parameters)), standby_(std::move(standby)) {}

    Result<std::unique_ptr<StreamSource>> OpenStream(const std::string& stream,
                                                     const TableParts& only) override {
        return postgres::OpenStreamSource(parameters_, standby(), stream, only);
    }
    Result<std::vector<Finding>> Examine(const StreamToExamine& stream) override {
        return postgres::Examine(parameters_, standby(), stream);
    }

  private:
    const ConnectionParameters* standby() const { return standby_ ? &*standby_ : nullptr; }

    const ConnectionParameters parameters_;
    const std::optional<ConnectionParameters> standby_;
};

}  // namespace

void RegisterPostgresSource(SourceRegistry& sources) {
    sources.Add("postgres",
                {.description = "PostgreSQL 10 or later, and what speaks its protocol.",
                 .settings = Settings(),
                 .open = [](const SettingValues& values) -> Result<std::unique_ptr<Source>> {
                     ConnectionParameters parameters;
                     auto all = values;
                     if (const auto url = values.find("url"); url != values.end()) {
                         for (const auto& [name, value] : BIWA_TRY(ParsePostgresUrl(url->second))) {
                             all.try_emplace(name, value);
                         }
                     }
                     for (const auto& [setting, libpq] : kKeywords) {
                         const auto found = all.find(setting);
                         if (found != all.end() && !found->second.empty()) {
                             parameters.keywords[libpq] = found->second;
                         }
                     }
                     auto& keywords = parameters.keywords;
                     if (const auto host = keywords.find("host");
                         host != keywords.end() && host->second.find(',') != std::string::npos) {
                         keywords.try_emplace("target_session_attrs", "read-write");
                     }
                     BIWA_TRY(AddTunnel(all, parameters));
                     std::optional<ConnectionParameters> standby;
                     if (const auto from = all.find("snapshot_from");
                         from != all.end() && !from->second.empty()) {
                         standby = parameters;
                         const auto there = BIWA_TRY(ParseEndpoint(from->second));
                         standby->keywords["host"] = there.host;
                         standby->keywords["port"] = std::to_string(there.port);
                         standby->keywords.erase("target_session_attrs");
                         BIWA_TRY(AddTunnel(all, *standby));
                     }
                     return std::make_unique<PostgresSource>(std::move(parameters),
                                                             std::move(standby));
                 },
                 .parse_url = ParsePostgresUrl,
                 .usual_schema = nullptr});
}

namespace {

// Whether libpq would take a part of the password for a host, a port or a database: it ends the
// user's part at the first @ or /.
bool IsTornApart(std::string_view url, const SettingValues& values) {
    const auto scheme = url.find("://");
    if (!url.starts_with("postgres") || scheme == std::string_view::npos) return false;
    url.remove_prefix(scheme + 3);
    if (const auto end = url.find_first_of("@/");
        end != std::string_view::npos && url[end] == '@') {
        url.remove_prefix(end + 1);
    }
    if (url.substr(0, url.find('?')).find('@') != std::string_view::npos) return true;
    const auto port = values.find("port");
    return port != values.end() &&
           port->second.find_first_not_of("0123456789,") != std::string::npos;
}

}  // namespace

Result<SettingValues> ParsePostgresUrl(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
        PQconninfoParse(url.c_str(), &message), PQconninfoFree);
    if (!options) {
        // libpq's message may quote the address, password and all.
        PQfreemem(message);
        return UserError(
            "this is not the address of a PostgreSQL database",
            std::string("Write it as postgres://user@host:5432/database. ") + kPercentEncoded);
    }
    SettingValues values;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        for (const auto& [setting, libpq] : kKeywords) {
            if (std::string_view(option->keyword) == libpq) values[setting] = option->val;
        }
    }
    if (IsTornApart(url, values)) {
        return UserError("the address of the PostgreSQL database cannot be taken apart",
                         kPercentEncoded);
    }
    return values;
}

}  // namespace biwa
