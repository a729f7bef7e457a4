#include "source/postgres/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include "base/text.h"

namespace biwa::postgres {

namespace {

std::string StateOf(const PGresult* result) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "";
}

Error FromResult(const PGresult* result, std::string_view doing) {
    const auto state = StateOf(result);
    const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char* hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    Error error;
    error.message = fmt::format("{}: {}", doing,
                                Trim(primary != nullptr ? primary : PQresultErrorMessage(result)));
    const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    // 0A not supported, 42 syntax and rights: their details are about SQL. Others may show values.
    if (detail != nullptr && (state.starts_with("0A") || state.starts_with("42"))) {
        error.message += fmt::format(" ({})", Trim(detail));
    }
    error.hint = hint != nullptr ? hint : state == "42501" ? kAskDoctor : "";
    // SQLSTATE classes (PostgreSQL manual, appendix A): 08 connection, 40 rolled back to let others
    // go on, 53 resources, 55 object state, 57 operator intervention, 58 system.
    // No table, schema or column of the name: it was there when it was looked for, and has gone.
    const bool has_gone = state == "42P01" || state == "3F000" || state == "42703";
    const auto klass = state.substr(0, 2);
    error.kind = klass.empty() || klass == "08" || klass == "40" || klass == "53" ||
                         klass == "55" || klass == "57" || klass == "58" || has_gone
                     ? ErrorKind::kUnavailable
                     : ErrorKind::kUser;
    return error;
}

Error ConnectError(PGconn* connection, SshTunnel* tunnel) {
    std::string message(Trim(PQerrorMessage(connection)));
    if (tunnel != nullptr) {
        const auto complaint = tunnel->TakeComplaint();
        if (!complaint.empty()) message += fmt::format(" (the bastion: {})", complaint);
    }
    Error error;
    error.kind = ErrorKind::kUnavailable;
    error.message = "cannot connect to PostgreSQL: " + HidePasswords(message);
    const auto has = [&](const char* text) { return message.find(text) != std::string::npos; };
    if (has("root certificate file")) {
        error.kind = ErrorKind::kUser;
        error.hint = "Check sslrootcert of the connection.";
    } else if (has("password authentication failed") || has("no password supplied") ||
               has("pg_hba.conf")) {
        error.kind = ErrorKind::kUser;
        error.hint = "Check user and password of the connection, and what pg_hba.conf lets in.";
    } else if (has("does not exist")) {
        error.kind = ErrorKind::kUser;
        error.hint = "Check database and user of the connection.";
    } else if (has("certificate verify failed") || has("does not match host name")) {
        error.hint =
            "Check sslrootcert and host of the connection: sslmode verify-ca wants a certificate "
            "that it vouches for, verify-full one with the name in host too.";
    } else if (has("server does not support SSL")) {
        error.hint = "Turn ssl on at the server, or set sslmode of the connection.";
    } else if (has("to start walsender") || has("to start WAL sender")) {
        error.kind = ErrorKind::kUser;
        error.hint = kAskDoctor;
    } else if (has("session is read-only") || has("server is in hot standby mode")) {
        error.hint = "No host of the connection is as target_session_attrs wants it.";
    } else if (has("Connection refused") || has("No such file or directory")) {
        error.hint = "Is the server running there? Check host and port of the connection.";
    } else if (has("could not translate host name")) {
        // A name server that does not answer for a while says the same.
        error.hint = "Check host of the connection.";
    }
    return error;
}

}  // namespace

Result<Connection> Connection::Open(const ConnectionParameters& parameters, Kind kind) {
    auto all = parameters.keywords;
    if (parameters.tunnel) {
        const auto ports = BIWA_TRY(parameters.tunnel->Open());
        std::string addresses, numbers;
        for (const auto port : ports) {
            addresses += addresses.empty() ? "127.0.0.1" : ",127.0.0.1";
            numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", port);
        }
        // The host stays what a certificate is checked against.
        all["hostaddr"] = addresses;
        all["port"] = numbers;
    }
    all.try_emplace("fallback_application_name", "biwa");
    // What is said here counts before what a service says.
    if (!all.contains("service")) {
        all.try_emplace("connect_timeout", "10");
        // A network that swallows everything is found out within a minute, not in a quarter of an
        // hour.
        all.try_emplace("keepalives_idle", "30");
        all.try_emplace("keepalives_interval", "10");
        all.try_emplace("keepalives_count", "3");
        all.try_emplace("tcp_user_timeout", "60000");
    }
    all["client_encoding"] = "UTF8";
    if (kind == Kind::kReplication) all["replication"] = "database";
    // Text forms that the decoders know, whatever the server's or the role's settings are.
    // A timeout of the role must not cut off a snapshot or a stream that is well. Rows that a
    // policy hides from the role are in the log all the same: a copy without them must fail.
    all["options"] =
        "-c DateStyle=ISO -c IntervalStyle=iso_8601 -c TimeZone=UTC -c extra_float_digits=3 "
        "-c bytea_output=hex -c statement_timeout=0 -c lock_timeout=10000 "
        "-c idle_in_transaction_session_timeout=0 -c row_security=off "
        "-c standard_conforming_strings=on";
    // Money is written as the locale has it; else it is left alone, to be asked how that is.
    if (kind == Kind::kReplication) all["options"] += " -c lc_monetary=C";
    std::vector<const char*> keywords, values;
    for (const auto& [keyword, value] : all) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    Connection connection(PQconnectdbParams(keywords.data(), values.data(), 0));
    if (!connection.connection_) return Unavailable("cannot connect to PostgreSQL: out of memory");
    if (!connection.is_good()) {
        return tl::unexpected(ConnectError(connection.raw(), parameters.tunnel.get()));
    }
    PQsetNoticeProcessor(
        connection.raw(), [](void*, const char*) {}, nullptr);
    // A server before their versions would refuse a connection with these among the options.
    std::string later;
    if (connection.server_version() >= 140'000) later += "SET idle_session_timeout = 0;";
    if (connection.server_version() >= 170'000) later += "SET transaction_timeout = 0;";
    if (!later.empty()) BIWA_TRY(connection.Execute(later));
    return connection;
}

Result<QueryRows> Connection::Query(const std::string& sql) const {
    last_state_.clear();
    if (PQsendQuery(raw(), sql.c_str()) == 1) return Await();
    return tl::unexpected(LastError("PostgreSQL"));
}

Result<QueryRows> Connection::Query(const std::string& sql,
                                    const std::vector<std::string>& parameters) const {
    last_state_.clear();
    std::vector<const char*> values;
    for (const auto& parameter : parameters) values.push_back(parameter.c_str());
    if (PQsendQueryParams(raw(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                          values.data(), nullptr, nullptr, 0) == 1) {
        return Await();
    }
    return tl::unexpected(LastError("PostgreSQL"));
}

Result<QueryRows> Connection::Await() const {
    std::unique_ptr<PGresult, ResultDeleter> last;
    for (;;) {
        while (silence_max_.count() > 0 && PQisBusy(raw()) == 1) {
            pollfd socket{PQsocket(raw()), POLLIN, 0};
            const int ready = ::poll(&socket, 1, static_cast<int>(silence_max_.count()));
            if (ready == 0) {
                is_given_up_ = true;
                return Unavailable(fmt::format(
                    "PostgreSQL has said nothing for {} s, though it was asked",
                    std::chrono::duration_cast<std::chrono::seconds>(silence_max_).count()));
            }
            // What is wrong PQgetResult tells.
            if (ready > 0 && PQconsumeInput(raw()) != 1) break;
        }
        std::unique_ptr<PGresult, ResultDeleter> result(PQgetResult(raw()));
        if (!result) break;
        // Of several statements the first that fails is the last.
        last = std::move(result);
        const auto status = PQresultStatus(last.get());
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) break;
        if (PQstatus(raw()) != CONNECTION_OK) break;
    }
    if (last) last_state_ = StateOf(last.get());
    if (!last) return tl::unexpected(LastError("PostgreSQL"));
    const auto status = PQresultStatus(last.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        return tl::unexpected(FromResult(last.get(), "PostgreSQL"));
    }
    return QueryRows(last.release());
}

Status Connection::Execute(const std::string& sql) const {
    BIWA_TRY(Query(sql));
    return {};
}

Status Connection::BeginCopy(const std::string& sql) const {
    const std::unique_ptr<PGresult, ResultDeleter> result(PQexec(raw(), sql.c_str()));
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COPY_OUT && status != PGRES_COPY_BOTH) {
        return tl::unexpected(FromResult(result.get(), "PostgreSQL"));
    }
    return {};
}

Error Connection::ErrorAtEnd(std::string_view what) const {
    const std::unique_ptr<PGresult, ResultDeleter> result(PQgetResult(raw()));
    if (PQresultStatus(result.get()) != PGRES_FATAL_ERROR) {
        return Error{ErrorKind::kUnavailable, std::string(what), ""};
    }
    auto error = FromResult(result.get(), what);
    error.kind = ErrorKind::kUnavailable;
    return error;
}

Error Connection::LastError(std::string_view doing) const {
    return Error{ErrorKind::kUnavailable,
                 fmt::format("{}: {}", doing, HidePasswords(Trim(PQerrorMessage(raw())))), ""};
}

}  // namespace biwa::postgres
