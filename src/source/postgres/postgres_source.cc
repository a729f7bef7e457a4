#include "source/postgres/postgres_source.h"

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
};

std::vector<Setting> Settings() {
    const auto text = [](const char* name, const char* description, bool required,
                         const char* default_text = "") {
        return Setting{name, SettingType::kText, description, required, default_text, {}, {}};
    };
    std::vector<Setting> settings = {
        text("url", "All of the connection in one: postgres://user@host:5432/database.", false),
        text("host", "Name or address of the server, or the folder of its Unix socket.", true),
        {"port", SettingType::kText, "Port of the server.", false, "5432", {}, {}},
        text("database", "Name of the database.", true),
        text("user", "Role to connect as; it needs LOGIN, REPLICATION and SELECT on the tables.",
             true),
        {"password", SettingType::kSecret, "Password of the role.", false, "", {}, {}},
        {"sslmode",
         SettingType::kText,
         "How far the connection has to be encrypted and checked.",
         false,
         "prefer",
         {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
         {}},
        text("sslrootcert", "File of the certificates that the server's is checked against.",
             false),
        text("sslcert", "File of the client's certificate.", false),
        text("sslkey", "File of the client's key.", false),
        text("application_name", "What pg_stat_activity shows.", false, "biwa"),
        text("connect_timeout", "Seconds to wait for a connection.", false, "10"),
    };
    return settings;
}

class PostgresSource final : public Source {
  public:
    explicit PostgresSource(ConnectionParameters parameters) : parameters_(std::move(parameters)) {}

    Result<std::unique_ptr<StreamSource>> OpenStream(const std::string& stream,
                                                     const TableParts& only) override {
        return postgres::OpenStreamSource(parameters_, stream, only);
    }
    Result<std::vector<Finding>> Examine(const std::string& stream,
                                         const std::vector<std::string>& tables,
                                         const TableParts& only) override {
        return postgres::Examine(parameters_, stream, tables, only);
    }

  private:
    const ConnectionParameters parameters_;
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
                             parameters[libpq] = found->second;
                         }
                     }
                     return std::make_unique<PostgresSource>(std::move(parameters));
                 },
                 .parse_url = ParsePostgresUrl,
                 .usual_schema = nullptr});
}

Result<SettingValues> ParsePostgresUrl(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
        PQconninfoParse(url.c_str(), &message), PQconninfoFree);
    if (!options) {
        // libpq's message may quote the address, password and all.
        PQfreemem(message);
        return UserError("this is not the address of a PostgreSQL database",
                         "Write it as postgres://user@host:5432/database");
    }
    SettingValues values;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        for (const auto& [setting, libpq] : kKeywords) {
            if (std::string_view(option->keyword) == libpq) values[setting] = option->val;
        }
    }
    return values;
}

}  // namespace biwa
