#include "source/mysql/doctor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "source/mysql/catalog.h"

namespace biwa::mysql {

namespace {

using Level = Finding::Level;

class Examination {
  public:
    Examination(const Connection& connection, const ConnectionParameters& parameters,
                const StreamToExamine& stream)
        : connection_(connection), parameters_(parameters), stream_(stream) {}

    Status Run() {
        BIWA_TRY(Server());
        BIWA_TRY(Log());
        BIWA_TRY(User());
        BIWA_TRY(Tables());
        return {};
    }
    std::vector<Finding> TakeFindings() { return std::move(findings_); }

  private:
    void Add(Level level, std::string what, std::string why = "", std::string mend = "") {
        findings_.push_back({level, std::move(what), std::move(why), std::move(mend)});
    }
    // Empty where the server has no such setting.
    Result<std::string> Show(const std::string& setting) {
        const auto rows = BIWA_TRY(
            connection_.Query("SHOW GLOBAL VARIABLES LIKE " + connection_.Literal(setting)));
        return rows.empty() ? std::string() : rows.Text(0, 1);
    }
    static std::string AndInFile(const std::string& sql) {
        return sql + "  -- and the same in the server's configuration";
    }

    Status Server() {
        const auto version = connection_.server_version();
        const bool is_old = version < (connection_.is_mariadb() ? 100'300UL : 80'000UL);
        Add(is_old ? Level::kWarning : Level::kGood,
            fmt::format("{} {}", connection_.is_mariadb() ? "MariaDB" : "MySQL",
                        connection_.server_version_text()),
            is_old ? "it is older than what this was made for" : "");
        if (BIWA_TRY(Show("server_id")) == "0") {
            Add(Level::kProblem, "server_id is 0", "the server accepts nobody who follows its log",
                AndInFile("SET GLOBAL server_id = 1;"));
        }
        return {};
    }

    Status Log() {
        if (BIWA_TRY(Show("log_bin")) != "ON") {
            Add(Level::kProblem, "log_bin is OFF", "changes can be followed in a binary log only",
                "log_bin = mysql-bin  -- in the server's configuration, then restart it");
            return {};
        }
        Add(Level::kGood, "log_bin is ON");
        const auto format = BIWA_TRY(Show("binlog_format"));
        if (!format.empty() && format != "ROW") {
            Add(Level::kProblem, "binlog_format is " + format,
                "changes are followed row by row; sessions that are open keep the old format",
                AndInFile("SET GLOBAL binlog_format = 'ROW';"));
        } else {
            Add(Level::kGood, "binlog_format is ROW");
        }
        const auto image = BIWA_TRY(Show("binlog_row_image"));
        if (image != "FULL") {
            Add(Level::kWarning, "binlog_row_image is " + image,
                "what a change leaves out is taken from the warehouse, which takes longer",
                AndInFile("SET GLOBAL binlog_row_image = 'FULL';"));
        } else {
            Add(Level::kGood, "binlog_row_image is FULL");
        }
        const auto metadata = BIWA_TRY(Show("binlog_row_metadata"));
        if (metadata != "FULL") {
            Add(Level::kWarning,
                "binlog_row_metadata is " + (metadata.empty() ? "not there" : metadata),
                "the log does not name columns: a table that is altered while changes from before "
                "are still to be read has to be copied anew",
                metadata.empty() ? "" : AndInFile("SET GLOBAL binlog_row_metadata = 'FULL';"));
        } else {
            Add(Level::kGood, "binlog_row_metadata is FULL");
        }
        if (!BIWA_TRY(Show("binlog_row_value_options")).empty()) {
            Add(Level::kProblem, "binlog_row_value_options is PARTIAL_JSON",
                "parts of JSON values cannot be followed",
                AndInFile("SET GLOBAL binlog_row_value_options = '';"));
        }
        return Expiry();
    }

    Status Expiry() {
        auto seconds = BIWA_TRY(Show("binlog_expire_logs_seconds"));
        double days = seconds.empty() ? 0 : std::stod(seconds) / 86'400;
        if (days == 0) {
            const auto text = BIWA_TRY(Show("expire_logs_days"));
            days = text.empty() ? 0 : std::stod(text);
        }
        const auto size = BIWA_TRY(Show("max_binlog_total_size"));
        if (days > 0 && days < 2) {
            Add(Level::kWarning, fmt::format("the binary log is kept for {:.2g} days", days),
                "the server does not know of Biwa: if it is stopped for longer, its tables have to "
                "be copied anew",
                AndInFile("SET GLOBAL binlog_expire_logs_seconds = 604800;"));
        } else {
            Add(Level::kGood, days > 0 ? fmt::format("the binary log is kept for {:.3g} days", days)
                                       : std::string("the binary log is kept until it is purged"));
        }
        if (!size.empty() && size != "0") {
            Add(Level::kWarning, "max_binlog_total_size is " + size,
                "the server removes what Biwa may not have read yet");
        }
        return {};
    }

    Status User() {
        const auto user = BIWA_TRY(connection_.Query("SELECT CURRENT_USER()")).Text(0, 0);
        const auto grants = BIWA_TRY(connection_.Query("SHOW GRANTS"));
        std::string all;
        for (std::size_t i = 0; i < grants.size(); ++i) {
            const auto& grant = grants.Text(i, 0);
            if (grant.find(" ON *.*") != std::string::npos) all += grant + "\n";
        }
        const auto has = [&](const char* right) {
            return all.find(right) != std::string::npos ||
                   all.find("ALL PRIVILEGES") != std::string::npos;
        };
        const auto quoted = Quoted(user);
        if (has("REPLICATION SLAVE") || has("REPLICATION REPLICA")) {
            Add(Level::kGood, fmt::format("user {} may follow the binary log", user));
        } else {
            Add(Level::kProblem, fmt::format("user {} may not follow the binary log", user),
                "following changes needs it",
                fmt::format("GRANT REPLICATION SLAVE ON *.* TO {};", quoted));
        }
        if (!has("REPLICATION CLIENT") && !has("BINLOG MONITOR")) {
            Add(Level::kProblem, fmt::format("user {} may not see where the log ends", user),
                "a copy has to know where it is in the log",
                fmt::format("GRANT REPLICATION CLIENT ON *.* TO {};", quoted));
        }
        if (connection_.is_mariadb() && !has("BINLOG ADMIN") && !has("SUPER")) {
            Add(Level::kWarning, fmt::format("user {} may not set sql_log_bin", user),
                "while tables are copied, the application cannot alter any that is begun: MariaDB "
                "lets go of a table earlier only where its reader may say that it logs nothing",
                fmt::format("GRANT BINLOG ADMIN ON *.* TO {};", quoted));
        }
        const bool locks = parameters_.snapshot_lock || !connection_.is_mariadb();
        if (locks && !has("RELOAD") && !has("FLUSH_TABLES")) {
            Add(Level::kProblem, fmt::format("user {} may not lock the tables", user),
                "the copy begins under a lock of some milliseconds",
                fmt::format("GRANT RELOAD ON *.* TO {};", quoted));
        }
        // A right of its own since MySQL 8.0 only.
        if (!connection_.Query("XA RECOVER")) {
            Add(Level::kWarning, fmt::format("user {} may not see XA transactions", user),
                "what one has changed that is prepared when a copy begins, and committed later, is "
                "missing in the copy",
                fmt::format("GRANT XA_RECOVER_ADMIN ON *.* TO {};", quoted));
        }
        return {};
    }

    // "'name'@'host'" of "name@host".
    std::string Quoted(const std::string& user) const {
        const auto at = user.rfind('@');
        return connection_.Literal(user.substr(0, at)) + "@" +
               connection_.Literal(user.substr(at + 1));
    }

    Status Tables() {
        const auto tables = ReadTables(connection_, parameters_.database, stream_.tables);
        if (!tables) {
            Add(Level::kProblem, tables.error().message, "", tables.error().hint);
            return {};
        }
        const auto user = BIWA_TRY(connection_.Query("SELECT CURRENT_USER()")).Text(0, 0);
        for (const auto& found : *tables) {
            const auto& table = found.table;
            if (stream_.is_excluded(table)) continue;
            const auto name = table.ToString();
            const auto quoted = QuoteName(table.schema) + "." + QuoteName(table.name);
            if (!table.refusal.empty()) {
                Add(Level::kProblem, fmt::format("table {} {}", name, table.refusal),
                    "it is left out of the stream until then", table.mend_sql);
                continue;
            }
            if (const auto read = connection_.Query("SELECT 1 FROM " + quoted + " LIMIT 0");
                !read) {
                Add(Level::kProblem, fmt::format("user {} may not read table {}", user, name), "",
                    fmt::format("GRANT SELECT ON {} TO {};", quoted, Quoted(user)));
                continue;
            }
            Add(Level::kGood,
                fmt::format("table {} (about {} rows, {})", name, HumanCount(table.rows_estimate),
                            HumanBytes(static_cast<std::uint64_t>(table.bytes))));
            for (const auto& note : table.notes) {
                Add(Level::kWarning, fmt::format("table {} {}", name, note));
            }
            for (const auto& column : table.columns.columns) {
                if (column.note.empty()) continue;
                Add(Level::kWarning,
                    fmt::format("column {}.{}: {}", name, column.name, column.note));
            }
            for (const auto& column : found.columns) {
                if (!column.is_virtual) continue;
                Add(Level::kWarning,
                    fmt::format("column {}.{} is computed when it is read, and is left out", name,
                                column.name));
            }
        }
        return {};
    }

    const Connection& connection_;
    const ConnectionParameters& parameters_;
    const StreamToExamine& stream_;
    std::vector<Finding> findings_;
};

}  // namespace

Result<std::vector<Finding>> Examine(const ConnectionParameters& parameters,
                                     const StreamToExamine& stream) {
    const auto connection = BIWA_TRY(Connection::Open(parameters));
    Examination examination(connection, parameters, stream);
    BIWA_TRY(examination.Run());
    return examination.TakeFindings();
}

}  // namespace biwa::mysql
