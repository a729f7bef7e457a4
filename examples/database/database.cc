#include "database/database.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include "base/check.h"
#include "base/text.h"

namespace biwa::examples {
namespace {

std::string OneLine(const char* message) {
    std::string line(Trim(message));
    for (char& c : line) {
        if (c == '\n' || c == '\t') c = ' ';
    }
    return line;
}

struct Options {
    std::vector<std::string> keywords;
    std::vector<std::string> values;

    void Set(const std::string& keyword, const std::string& value) {
        for (std::size_t i = 0; i < keywords.size(); ++i) {
            if (keywords[i] == keyword) {
                values[i] = value;
                return;
            }
        }
        keywords.push_back(keyword);
        values.push_back(value);
    }
    std::string Get(const std::string& keyword) const {
        for (std::size_t i = 0; i < keywords.size(); ++i) {
            if (keywords[i] == keyword) return values[i];
        }
        return "";
    }
};

Result<Options> ParseUrl(const std::string& url, const std::string& default_database) {
    Options options;
    if (!url.empty()) {
        char* message = nullptr;
        const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
            PQconninfoParse(url.c_str(), &message), &PQconninfoFree);
        if (!parsed) {
            const std::string reason = message ? OneLine(message) : "out of memory";
            PQfreemem(message);
            return UserError(fmt::format("reading the connection \"{}\": {}", HidePasswords(url),
                                         HidePasswords(reason)),
                             "Write it as postgres://user:password@host:port/database.");
        }
        for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
            if (option->val != nullptr) options.Set(option->keyword, option->val);
        }
    }
    if (options.Get("dbname").empty()) {
        const char* from_environment = std::getenv("PGDATABASE");
        options.Set("dbname", from_environment != nullptr && *from_environment != '\0'
                                  ? from_environment
                                  : default_database);
    }
    return options;
}

PGconn* Open(const Options& options) {
    std::vector<const char*> keywords, values;
    for (const auto& keyword : options.keywords) keywords.push_back(keyword.c_str());
    for (const auto& value : options.values) values.push_back(value.c_str());
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    PGconn* connection = PQconnectdbParams(keywords.data(), values.data(), 0);
    // Notices ("table does not exist, skipping") are no news to the user of an example.
    PQsetNoticeProcessor(
        connection, [](void*, const char*) {}, nullptr);
    return connection;
}

// A statement has at most so many parameters.
std::array<const char*, 16> Values(std::span<const Parameter> parameters) {
    std::array<const char*, 16> values{};
    BIWA_CHECK(parameters.size() <= values.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        values[i] = parameters[i] ? parameters[i]->c_str() : nullptr;
    }
    return values;
}

constexpr std::string_view kHint =
    "Is the server up? Give --url postgres://user:password@host:port/database, or set PGHOST, "
    "PGPORT, PGUSER and PGPASSWORD (scripts/postgres prints them).";

}  // namespace

std::int64_t Rows::Int(int row, int column) const {
    const auto text = Text(row, column);
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

double Rows::Double(int row, int column) const {
    return std::strtod(PQgetvalue(result_.get(), row, column), nullptr);
}

std::int64_t Rows::affected() const {
    return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10);
}

Result<Database> Database::Connect(const std::string& url, const std::string& default_database) {
    const auto options = BIWA_TRY(ParseUrl(url, default_database));
    Database database(Open(options));
    if (PQstatus(database.connection_.get()) != CONNECTION_OK) {
        return Unavailable(fmt::format("connecting to PostgreSQL: {}",
                                       OneLine(PQerrorMessage(database.connection_.get()))),
                           std::string(kHint));
    }
    return database;
}

Result<Database> Database::ConnectOrCreate(const std::string& url,
                                           const std::string& default_database) {
    const auto options = BIWA_TRY(ParseUrl(url, default_database));
    Options maintenance = options;
    maintenance.Set("dbname", "postgres");
    Database server(Open(maintenance));
    // A user who may not connect to the database postgres may still own the one that is meant.
    if (PQstatus(server.connection_.get()) == CONNECTION_OK) {
        const std::string name = options.Get("dbname");
        const auto found = BIWA_TRY(server.Execute(
            fmt::format("SELECT 1 FROM pg_database WHERE datname = {}", QuoteLiteral(name))));
        if (found.size() == 0) {
            BIWA_TRY(server.Execute(fmt::format(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", QuoteIdentifier(name))));
        }
    }
    return Connect(url, default_database);
}

Status Database::Reconnect() {
    PQreset(connection_.get());
    under_way_ = 0;
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        return tl::unexpected(LastError("connecting to PostgreSQL again"));
    }
    return {};
}

Error Database::LastError(std::string_view doing) const {
    const bool lost = PQstatus(connection_.get()) != CONNECTION_OK;
    return {lost ? ErrorKind::kUnavailable : ErrorKind::kUser,
            fmt::format("{}: {}", doing, OneLine(PQerrorMessage(connection_.get()))), ""};
}

Result<Rows> Database::Execute(const std::string& sql) {
    PGresult* result = PQexec(connection_.get(), sql.c_str());
    const auto status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        PQclear(result);
        return tl::unexpected(LastError(fmt::format("running \"{}\"", sql.substr(0, 80))));
    }
    return Rows(result);
}

Status Database::Prepare(const std::string& name, const std::string& sql) {
    PGresult* result = PQprepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr);
    const bool prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!prepared) {
        return tl::unexpected(LastError(fmt::format("preparing \"{}\"", sql.substr(0, 80))));
    }
    return {};
}

Result<Rows> Database::Call(const std::string& name, std::span<const Parameter> parameters) {
    PGresult* result =
        PQexecPrepared(connection_.get(), name.c_str(), static_cast<int>(parameters.size()),
                       Values(parameters).data(), nullptr, nullptr, 0);
    const auto status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        PQclear(result);
        return tl::unexpected(LastError(name));
    }
    return Rows(result);
}

// In libpq's pipeline mode the statements up to a sync are one transaction.
Status Database::SendTransaction(std::span<const PreparedCall> calls) {
    bool sent = PQenterPipelineMode(connection_.get()) == 1;
    for (const auto& call : calls) {
        sent =
            sent && PQsendQueryPrepared(connection_.get(), call.name.c_str(),
                                        static_cast<int>(call.parameters.size()),
                                        Values(call.parameters).data(), nullptr, nullptr, 0) == 1;
    }
    if (!sent || PQpipelineSync(connection_.get()) != 1) {
        return tl::unexpected(LastError("sending a transaction"));
    }
    ++under_way_;
    return {};
}

Status Database::AwaitTransaction() {
    Status done;
    while (true) {
        PGresult* result = PQgetResult(connection_.get());
        const auto status = PQresultStatus(result);
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC) break;
        // Between the results of two statements libpq gives one null.
        if (result == nullptr && PQstatus(connection_.get()) == CONNECTION_OK) continue;
        if (done && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            done = tl::unexpected(LastError("performing a transaction"));
        }
        if (PQstatus(connection_.get()) != CONNECTION_OK) return done;
    }
    if (--under_way_ == 0) PQexitPipelineMode(connection_.get());
    return done;
}

Status Database::BeginCopy(const std::string& sql) {
    PGresult* result = PQexec(connection_.get(), sql.c_str());
    const bool started = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    if (!started) {
        return tl::unexpected(LastError(fmt::format("running \"{}\"", sql.substr(0, 80))));
    }
    return {};
}

Status Database::PutCopy(std::string_view bytes) {
    if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
        return tl::unexpected(LastError("sending rows by COPY"));
    }
    return {};
}

Result<std::int64_t> Database::EndCopy() {
    if (PQputCopyEnd(connection_.get(), nullptr) != 1) {
        return tl::unexpected(LastError("ending a COPY"));
    }
    Result<std::int64_t> rows = 0;
    while (PGresult* result = PQgetResult(connection_.get())) {
        const Rows owned(result);
        if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            rows = owned.affected();
        } else {
            rows = tl::unexpected(LastError("loading rows by COPY"));
        }
    }
    return rows;
}

}  // namespace biwa::examples
