#include "source/mysql/connection.h"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysqld_error.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/text.h"
#include "source/silence.h"

namespace biwa::mysql {

namespace {

// Longer than any pause between two rows of a copy or two heartbeats of a stream.
constexpr unsigned kStreamTimeoutS = 30;
unsigned ReadTimeoutS(Connection::Kind kind) {
    const auto silence = std::chrono::ceil<std::chrono::seconds>(SilenceMax()).count();
    const auto seconds = std::max(1U, static_cast<unsigned>(silence));
    return kind == Connection::Kind::kReplication ? std::min(kStreamTimeoutS, seconds) : seconds;
}

Error ConnectError(MYSQL* connection) {
    const unsigned number = mysql_errno(connection);
    Error error;
    error.kind = KindOfError(number);
    error.message = fmt::format("cannot connect to MariaDB or MySQL: {}",
                                HidePasswords(mysql_error(connection)));
    switch (number) {
        case ER_ACCESS_DENIED_ERROR:
        case ER_DBACCESS_DENIED_ERROR:
            error.hint = "Check user and password of the connection, and what the user may see.";
            break;
        case ER_BAD_DB_ERROR:
            error.hint = "Check database of the connection.";
            break;
        case CR_CONNECTION_ERROR:
        case CR_CONN_HOST_ERROR:
            error.hint = "Is the server running there? Check host and port of the connection.";
            break;
        case CR_UNKNOWN_HOST:
            error.hint = "Check host of the connection.";
            break;
        case CR_SSL_CONNECTION_ERROR:
            error.hint = "Check ssl_mode and the files of the connection.";
            break;
        default:
            break;
    }
    return error;
}

void SetOptions(MYSQL* mysql, const ConnectionParameters& parameters, Connection::Kind kind,
                bool with_tls) {
    const unsigned timeout = ReadTimeoutS(kind);
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &parameters.connect_timeout_s);
    mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &kStreamTimeoutS);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const std::size_t packet_max = 1U << 30;
    mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max);
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "biwa");
    // "localhost" would mean a Unix socket.
    const unsigned protocol =
        parameters.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    // A server that asks for a file of ours is not served.
    const unsigned no = 0;
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
    if (!with_tls) return;
    const auto file = [](const std::string& path) { return path.empty() ? nullptr : path.c_str(); };
    mysql_ssl_set(mysql, file(parameters.tls_key), file(parameters.tls_cert),
                  file(parameters.tls_ca), nullptr, nullptr);
    const my_bool enforce = 1;
    // With a file of certificates the server's is checked against them in any case; this adds its
    // name.
    const my_bool verify = parameters.tls == TlsMode::kVerifyFull ? 1 : 0;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

}  // namespace

ErrorKind KindOfError(unsigned number) {
    switch (number) {
        case ER_MASTER_FATAL_ERROR_READING_BINLOG:
            return ErrorKind::kConflict;
        case ER_CON_COUNT_ERROR:
        case ER_OUT_OF_RESOURCES:
        case ER_SERVER_SHUTDOWN:
        case ER_NORMAL_SHUTDOWN:
        case ER_NET_PACKETS_OUT_OF_ORDER:
        case ER_NET_READ_ERROR:
        case ER_NET_READ_INTERRUPTED:
        case ER_NET_ERROR_ON_WRITE:
        case ER_NET_WRITE_INTERRUPTED:
        case ER_LOCK_WAIT_TIMEOUT:
        case ER_LOCK_DEADLOCK:
        case ER_QUERY_INTERRUPTED:
        case ER_TABLE_DEF_CHANGED:
        case ER_CONNECTION_KILLED:
        case ER_STATEMENT_TIMEOUT:
        case 1203:  // too many connections of the user
            return ErrorKind::kUnavailable;
        default:
            // The library's own are of the connection.
            return number == 0 || number >= CR_MIN_ERROR ? ErrorKind::kUnavailable
                                                         : ErrorKind::kUser;
    }
}

const std::string& QueryRows::Text(std::size_t row, std::size_t column) const {
    static const std::string none;
    const auto& value = rows_[row][column];
    return value ? *value : none;
}

std::int64_t QueryRows::Number(std::size_t row, std::size_t column) const {
    return std::strtoll(Text(row, column).c_str(), nullptr, 10);
}

Result<Connection> Connection::Open(const ConnectionParameters& parameters, Kind kind) {
    if (parameters.tls == TlsMode::kVerifyCa && parameters.tls_ca.empty()) {
        return UserError(
            "ssl_mode is verify-ca, and there is no ssl_ca to check the server's against",
            "Set ssl_ca to the file of its certificates.");
    }
    auto hosts = parameters.hosts;
    if (!parameters.socket.empty()) hosts.resize(1);
    if (parameters.tunnel) {
        const auto ports = BIWA_TRY(parameters.tunnel->Open());
        for (std::size_t i = 0; i < hosts.size(); ++i) hosts[i] = {"127.0.0.1", ports[i]};
    }
    if (hosts.size() == 1) return OpenAt(parameters, hosts[0], kind);
    // After a failover the one that was first may be back, as a replica.
    std::optional<Error> failed;
    bool has_read_only = false;
    for (const auto& host : hosts) {
        auto opened = OpenAt(parameters, host, kind);
        if (!opened) {
            failed = std::move(opened).error();
            continue;
        }
        if (BIWA_TRY(opened->Query("SELECT @@GLOBAL.read_only")).Number(0, 0) == 0) return opened;
        has_read_only = true;
    }
    if (failed) {
        if (has_read_only) failed->message += "; the other hosts are read-only";
        return tl::unexpected(std::move(*failed));
    }
    return Unavailable(
        "cannot connect to MariaDB or MySQL: all of its hosts are read-only",
        "Is a replica to be promoted, or is read_only still set at the new primary?");
}

Result<Connection> Connection::OpenAt(const ConnectionParameters& parameters,
                                      const Endpoint& endpoint, Kind kind) {
    // A Unix socket needs no TLS unless it is asked for.
    const bool may_do_without = parameters.tls == TlsMode::kPrefer;
    if (parameters.tls == TlsMode::kDisable || (may_do_without && !parameters.socket.empty())) {
        return OpenOnce(parameters, endpoint, kind, false);
    }
    auto opened = OpenOnce(parameters, endpoint, kind, true);
    if (!opened && may_do_without && opened.error().message.find("SSL") != std::string::npos) {
        return OpenOnce(parameters, endpoint, kind, false);
    }
    return opened;
}

Result<Connection> Connection::OpenOnce(const ConnectionParameters& parameters,
                                        const Endpoint& endpoint, Kind kind, bool with_tls) {
    MYSQL* const mysql = mysql_init(nullptr);
    if (mysql == nullptr) return Unavailable("cannot connect to MariaDB or MySQL: out of memory");
    Connection connection(mysql);
    SetOptions(mysql, parameters, kind, with_tls);
    const auto text = [](const std::string& value) {
        return value.empty() ? nullptr : value.c_str();
    };
    if (mysql_real_connect(mysql, parameters.socket.empty() ? text(endpoint.host) : nullptr,
                           text(parameters.user), text(parameters.password),
                           text(parameters.database), endpoint.port, text(parameters.socket),
                           0) == nullptr) {
        return tl::unexpected(ConnectError(mysql));
    }
    connection.is_mariadb_ =
        mysql_get_server_info(mysql) != nullptr &&
        (connection.server_version_text().find("MariaDB") != std::string::npos ||
         mariadb_connection(mysql) != 0);
    // Values in forms that the decoders know, whatever the server's settings are. A slow warehouse
    // must not make the server give up a copy; a lock is not waited for as long as it waits by
    // itself.
    BIWA_TRY(connection.Execute(
        "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600, "
        "net_read_timeout = 3600, wait_timeout = 28800, lock_wait_timeout = 10"));
    BIWA_TRY(connection.Execute(connection.is_mariadb_ ? "SET SESSION max_statement_time = 0"
                                                       : "SET SESSION max_execution_time = 0"));
    return connection;
}

Result<QueryRows> Connection::Query(const std::string& sql) const {
    if (mysql_real_query(raw(), sql.data(), static_cast<unsigned long>(sql.size())) != 0) {
        return tl::unexpected(LastError("MariaDB or MySQL"));
    }
    QueryRows rows;
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> result(mysql_store_result(raw()),
                                                                  mysql_free_result);
    if (!result) {
        if (mysql_errno(raw()) != 0) return tl::unexpected(LastError("MariaDB or MySQL"));
        return rows;
    }
    const unsigned columns = mysql_num_fields(result.get());
    while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
        const auto* const lengths = mysql_fetch_lengths(result.get());
        auto& values = rows.rows_.emplace_back();
        for (unsigned i = 0; i < columns; ++i) {
            if (row[i] == nullptr) {
                values.emplace_back();
            } else {
                values.emplace_back(std::string(row[i], lengths[i]));
            }
        }
    }
    return rows;
}

Status Connection::Execute(const std::string& sql) const {
    BIWA_TRY(Query(sql));
    return {};
}

std::string Connection::Literal(std::string_view text) const {
    std::string escaped(2 * text.size() + 1, '\0');
    escaped.resize(mysql_real_escape_string(raw(), escaped.data(), text.data(),
                                            static_cast<unsigned long>(text.size())));
    return "'" + escaped + "'";
}

Error Connection::LastError(std::string_view doing) const {
    const unsigned number = mysql_errno(raw());
    if (number == 0 || number >= CR_MIN_ERROR) is_good_ = false;
    return Error{KindOfError(number),
                 fmt::format("{}: {}", doing, HidePasswords(Trim(mysql_error(raw())))), ""};
}

std::string QuoteName(std::string_view name) {
    std::string quoted = "`";
    for (const char c : name) {
        if (c == '`') quoted += '`';
        quoted += c;
    }
    return quoted + "`";
}

}  // namespace biwa::mysql
