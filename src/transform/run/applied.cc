#include "transform/run/applied.h"

#include <fmt/format.h>

#include "base/text.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

constexpr std::string_view kApplied = "_biwa.applied";
constexpr Micros kKept = Micros{24} * 3600 * 1'000'000;

std::string TimestampSql(Micros time) { return fmt::format("make_timestamptz({})", time); }

Result<std::map<std::string, AppliedBuild>> Read(Warehouse& warehouse, const std::string& rest) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const auto there =
        BIWA_TRY(ReadCount(*session,
                           "SELECT count(*) FROM duckdb_tables() WHERE database_name = "
                           "current_database() AND schema_name = '_biwa' AND table_name = "
                           "'applied'"));
    std::map<std::string, AppliedBuild> builds;
    if (there == 0) return builds;
    const auto stream = BIWA_TRY(session->Query(fmt::format(
        "SELECT model, run_id, kind, epoch_us(started_at)::VARCHAR, "
        "epoch_us(finished_at)::VARCHAR, rows::VARCHAR, content_hash, bytes::VARCHAR FROM {} {}",
        kApplied, rest)));
    for (auto& row : BIWA_TRY(ReadTexts(*stream))) {
        AppliedBuild build;
        build.model = *row[0];
        build.run_id = *row[1];
        build.kind = *row[2];
        build.started_at = std::stoll(*row[3]);
        build.finished_at = std::stoll(*row[4]);
        if (row[5]) build.rows = std::stoull(*row[5]);
        build.content_hash = *row[6];
        if (row[7]) build.bytes = std::stoull(*row[7]);
        builds[build.model] = std::move(build);
    }
    return builds;
}

// FNV-1a, 64 bits.
class Hash {
  public:
    void Add(std::string_view text) {
        for (const unsigned char c : text) hash_ = (hash_ ^ c) * kPrime;
        // No byte of UTF-8: "ab", "c" is not "a", "bc".
        hash_ = (hash_ ^ 0xFF) * kPrime;
    }
    void Add(const std::vector<std::string>& texts) {
        for (const auto& text : texts) Add(text);
        Add("");
    }
    void Add(const std::vector<SqlText>& texts) {
        for (const auto& text : texts) Add(text.sql);
        Add("");
    }
    void Add(const BuildSql& build) {
        Add(build.pre_operations);
        Add(build.query.sql);
        Add(build.post_operations);
    }
    std::string ToString() const { return fmt::format("{:016x}", hash_); }

  private:
    static constexpr std::uint64_t kPrime = 0x100000001b3;
    std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

Status PrepareApplied(WriteTransaction& transaction) {
    return transaction.Execute(fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (model VARCHAR NOT NULL, run_id VARCHAR NOT "
        "NULL, kind VARCHAR NOT NULL, started_at TIMESTAMPTZ NOT NULL, finished_at "
        "TIMESTAMPTZ NOT NULL, rows BIGINT, content_hash VARCHAR NOT NULL, bytes BIGINT)",
        kApplied));
}

Result<bool> MendApplied(WriteTransaction& transaction) {
    return AddMissingColumn(transaction, {"_biwa", "applied"}, {"bytes", "BIGINT"});
}

Status RecordApplied(WriteTransaction& transaction, const std::vector<AppliedBuild>& builds) {
    const auto number = [](const std::optional<std::uint64_t>& value) {
        return value ? fmt::format("{}", *value) : "NULL";
    };
    std::string sql = fmt::format("INSERT INTO {} VALUES", kApplied);
    for (const auto& build : builds) {
        sql += fmt::format("{} ({}, {}, {}, {}, {}, {}, {}, {})", &build == &builds[0] ? "" : ",",
                           QuoteLiteral(build.model), QuoteLiteral(build.run_id),
                           QuoteLiteral(build.kind), TimestampSql(build.started_at),
                           TimestampSql(build.finished_at), number(build.rows),
                           QuoteLiteral(build.content_hash), number(build.bytes));
    }
    return transaction.Execute(sql);
}

Status PruneApplied(WriteTransaction& transaction, Micros now) {
    return transaction.Execute(
        fmt::format("DELETE FROM {0} AS old USING (SELECT model, max(finished_at) AS last FROM {0} "
                    "GROUP BY model) AS newest WHERE old.model = newest.model AND old.finished_at "
                    "< newest.last AND old.finished_at < {1}",
                    kApplied, TimestampSql(now - kKept)));
}

Result<std::map<std::string, AppliedBuild>> LastBuilds(Warehouse& warehouse) {
    return Read(warehouse,
                "QUALIFY row_number() OVER (PARTITION BY model ORDER BY finished_at DESC) = 1");
}

Result<std::map<std::string, AppliedBuild>> BuildsOfRun(Warehouse& warehouse,
                                                        const std::string& run_id) {
    return Read(warehouse, "WHERE run_id = " + QuoteLiteral(run_id));
}

std::string ContentHash(const Action& action) {
    Hash hash;
    hash.Add(ToString(action.type));
    hash.Add(action.full);
    hash.Add(action.operations);
    if (const auto& history = action.history) {
        hash.Add(fmt::format("history {} {}", history->updated_at, history->keeps_vanished));
        hash.Add(history->compare);
        hash.Add(action.unique_key);
    }
    if (action.type != ActionType::kIncremental) return hash.ToString();
    hash.Add(action.incremental);
    hash.Add(action.unique_key);
    const auto& options = action.incremental_options;
    hash.Add(options.strategy == IncrementalStrategy::kInsertOverwrite
                 ? "overwrite " + action.bigquery.partition_by
                 : "");
    if (const auto& intervals = action.intervals) {
        hash.Add(
            fmt::format("{} {} {}", intervals->column, intervals->from, intervals->every.count()));
    }
    hash.Add(options.update_partition_filter);
    hash.Add(options.predicates);
    return hash.ToString();
}

}  // namespace biwa::transform
