#include "oulad/load.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "database/database.h"
#include "oulad/dataset.h"
#include "schema_sql.h"

namespace oulad {

using biwa::Status;
using biwa::examples::Database;

Status Load(const LoadOptions& options) {
    constexpr std::size_t kPieceBytes = 1 << 20;
    auto database = BIWA_TRY(Database::ConnectOrCreate(options.url, "oulad"));
    BIWA_TRY(database.Execute("BEGIN"));
    for (const TableFile& table : TableFiles()) {
        if (options.replace) {
            BIWA_TRY(database.Execute(fmt::format("DROP TABLE IF EXISTS {} CASCADE", table.table)));
        } else if (BIWA_TRY(
                       database.Execute(fmt::format("SELECT 1 WHERE to_regclass({}) IS NOT NULL",
                                                    biwa::QuoteLiteral(table.table))))
                       .size() > 0) {
            return biwa::UserError(fmt::format("database \"{}\" already has a table \"{}\"",
                                               database.name(), table.table),
                                   "Give --replace to drop what an earlier load has made.");
        }
    }
    BIWA_TRY(database.Execute(std::string(kSchemaSql)));
    for (const TableFile& table : TableFiles()) {
        if (table.table == kSubmissionsTable && !options.with_submissions) continue;
        const std::string csv = BIWA_TRY(biwa::ReadFile(options.data / table.file));
        // An empty field is NULL even where the file has quotes around it.
        BIWA_TRY(database.BeginCopy(fmt::format(
            "COPY {0} ({1}) FROM STDIN WITH (FORMAT csv, HEADER match, FORCE_NULL ({1}))",
            table.table, table.columns)));
        for (std::size_t at = 0; at < csv.size(); at += kPieceBytes) {
            BIWA_TRY(database.PutCopy(std::string_view(csv).substr(at, kPieceBytes)));
        }
        const auto rows = database.EndCopy();
        if (!rows) return biwa::Within(fmt::format("{}", table.file), rows.error());
        fmt::print(stderr, "oulad: {:<20} {:>9} rows\n", table.table, biwa::HumanCount(*rows));
    }
    BIWA_TRY(database.Execute("COMMIT"));
    BIWA_TRY(database.Execute("ANALYZE"));
    return {};
}

}  // namespace oulad
