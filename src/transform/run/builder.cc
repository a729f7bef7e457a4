#include "transform/run/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/text.h"
#include "transform/run/engine_error.h"

namespace biwa::transform {

namespace {

constexpr std::string_view kApplied = "_biwa.applied";
// A model that is built every few seconds must not fill the warehouse with its history.
constexpr Micros kAppliedKept = Micros{24} * 3600 * 1'000'000;

// The rows of a small result, as text.
Result<std::vector<std::vector<std::optional<std::string>>>> ReadTexts(RowStream& stream) {
    std::vector<std::vector<std::optional<std::string>>> rows;
    while (const RowBlock* block = BIWA_TRY(stream.Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            auto& texts = rows.emplace_back();
            for (const auto& cells : block->columns) {
                if (cells.IsNull(row)) {
                    texts.emplace_back();
                } else {
                    texts.emplace_back(cells.GetString(row));
                }
            }
        }
    }
    return rows;
}

template <typename Connection>
Result<std::uint64_t> ReadCount(Connection& connection, std::string_view sql) {
    const auto stream = BIWA_TRY(connection.Query(sql));
    std::uint64_t count = 0;
    while (const RowBlock* block = BIWA_TRY(stream->Next())) {
        if (block->rows > 0)
            count = static_cast<std::uint64_t>(block->columns[0].template Get<std::int64_t>(0));
    }
    return count;
}

std::string Lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// FNV-1a, 64 bits.
std::string ContentHash(const BuildSql& build) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&](const SqlText& text) {
        for (const unsigned char c : text.sql) hash = (hash ^ c) * 0x100000001b3;
        hash = (hash ^ 0xFF) * 0x100000001b3;
    };
    for (const auto& text : build.pre_operations) add(text);
    add(build.query);
    for (const auto& text : build.post_operations) add(text);
    return fmt::format("{:016x}", hash);
}

std::string TimestampSql(Micros time) { return fmt::format("make_timestamptz({})", time); }

enum class Existing { kNothing, kTable, kView };

class ModelBuild {
  public:
    ModelBuild(const BuildContext& context, const Action& action, WriteTransaction& transaction,
               const Cancellation& cancellation)
        : context_(context),
          action_(action),
          transaction_(transaction),
          cancellation_(cancellation),
          target_(action.target.ToSql()) {}

    Result<std::optional<std::uint64_t>> Run() {
        const Micros started_at = context_.clock.Now();
        std::string kind(ToString(action_.type));
        const BuildSql* build = &action_.full;
        if (action_.type == ActionType::kOperations) {
            for (const auto& operation : action_.operations) BIWA_TRY(Execute("", operation));
        } else {
            const auto existing = BIWA_TRY(FindExisting());
            if (action_.type == ActionType::kIncremental && existing == Existing::kTable &&
                !context_.full_refresh) {
                build = &action_.incremental;
            } else if (action_.type == ActionType::kIncremental) {
                kind = "incremental, full";
            }
            for (const auto& sql : build->pre_operations) BIWA_TRY(Execute("", sql));
            if (build == &action_.incremental) {
                BIWA_TRY(Extend());
            } else {
                BIWA_TRY(Replace(existing));
            }
            for (const auto& sql : build->post_operations) BIWA_TRY(Execute("", sql));
        }
        std::optional<std::uint64_t> rows;
        if (action_.type == ActionType::kTable || action_.type == ActionType::kIncremental)
            rows = BIWA_TRY(ReadCount(transaction_, "SELECT count(*) FROM " + target_));
        BIWA_TRY(Record(kind, started_at, rows, ContentHash(*build)));
        if (cancellation_.requested()) return Cancelled();
        BIWA_TRY(transaction_.Commit());
        return rows;
    }

  private:
    tl::unexpected<Error> Cancelled() const { return UserError("the run was cancelled"); }

    // `head` ends with a line end, or is empty: the model's SQL begins a line of its own.
    Status Execute(const std::string& head, const SqlText& sql) {
        if (cancellation_.requested()) return Cancelled();
        auto done = transaction_.Execute(head + sql.sql);
        if (done) return done;
        const auto lines_before = static_cast<int>(std::count(head.begin(), head.end(), '\n'));
        return tl::unexpected(InFile(std::move(done).error(), action_, sql, lines_before));
    }

    Result<Existing> FindExisting() {
        const auto count = [&](std::string_view function, std::string_view column) {
            return ReadCount(transaction_,
                             fmt::format("SELECT count(*) FROM {}() WHERE database_name = "
                                         "current_database() AND lower(schema_name) = lower({}) "
                                         "AND lower({}) = lower({})",
                                         function, QuoteLiteral(action_.target.dataset), column,
                                         QuoteLiteral(action_.target.name)));
        };
        if (BIWA_TRY(count("duckdb_tables", "table_name")) > 0) return Existing::kTable;
        if (BIWA_TRY(count("duckdb_views", "view_name")) > 0) return Existing::kView;
        return Existing::kNothing;
    }

    Status Replace(Existing existing) {
        const bool is_view = action_.type == ActionType::kView;
        if (existing == (is_view ? Existing::kTable : Existing::kView)) {
            BIWA_TRY(transaction_.Execute(
                fmt::format("DROP {} {}", is_view ? "TABLE" : "VIEW", target_)));
        }
        BIWA_TRY(Execute(
            fmt::format("CREATE OR REPLACE {} {} AS\n", is_view ? "VIEW" : "TABLE", target_),
            action_.full.query));
        return CheckUnique(target_);
    }

    // Adds the rows of the incremental query, in place of those with the same key.
    Status Extend() {
        constexpr std::string_view kNew = "biwa_new_rows";
        BIWA_TRY(Execute(fmt::format("CREATE OR REPLACE TEMP TABLE {} AS\n", kNew),
                         action_.incremental.query));
        const auto had = BIWA_TRY(DescribeTable(target_));
        const auto got = BIWA_TRY(DescribeTable(std::string(kNew)));
        BIWA_TRY(CompareColumns(had, got));
        if (!action_.unique_key.empty()) {
            BIWA_TRY(CheckUnique(std::string(kNew)));
            std::vector<std::string> matches;
            for (const auto& column : action_.unique_key) {
                matches.push_back(fmt::format("old_rows.{0} IS NOT DISTINCT FROM new_rows.{0}",
                                              QuoteIdentifier(column)));
            }
            BIWA_TRY(transaction_.Execute(
                fmt::format("DELETE FROM {} AS old_rows USING {} AS new_rows WHERE {}", target_,
                            kNew, Join(matches, " AND "))));
        }
        BIWA_TRY(transaction_.Execute(
            fmt::format("INSERT INTO {} BY NAME SELECT * FROM {}", target_, kNew)));
        return transaction_.Execute(fmt::format("DROP TABLE {}", kNew));
    }

    // A key that comes twice would make a table that no later upsert could mend.
    Status CheckUnique(const std::string& table) {
        if (action_.unique_key.empty()) return {};
        std::vector<std::string> columns;
        for (const auto& column : action_.unique_key) columns.push_back(QuoteIdentifier(column));
        const auto key = Join(columns, ", ");
        auto twice = ReadCount(transaction_,
                               fmt::format("SELECT count(*) FROM (SELECT {0} FROM {1} GROUP BY {0} "
                                           "HAVING count(*) > 1)",
                                           key, table));
        if (!twice) {
            return tl::unexpected(
                Within(fmt::format("{}: checking uniqueKey", action_.location.ToString()),
                       std::move(twice).error()));
        }
        if (*twice == 0) return {};
        return UserError(
            fmt::format("{}: uniqueKey ({}) is not unique: {} of its values come more than once",
                        action_.location.ToString(), Join(action_.unique_key, ", "),
                        HumanCount(static_cast<std::int64_t>(*twice))),
            "Choose other columns for uniqueKey, or let the query give one row for each value "
            "(QUALIFY row_number() OVER (…) = 1).");
    }

    using Columns = std::map<std::string, std::pair<std::string, std::string>>;  // name and type

    Result<Columns> DescribeTable(const std::string& table) {
        const auto stream = BIWA_TRY(transaction_.Query(
            fmt::format("SELECT column_name, column_type FROM (DESCRIBE {})", table)));
        Columns columns;
        for (auto& row : BIWA_TRY(ReadTexts(*stream))) {
            columns[Lower(*row[0])] = {*row[0], *row[1]};
        }
        return columns;
    }

    Status CompareColumns(const Columns& had, const Columns& got) const {
        std::vector<std::string> differences;
        for (const auto& [key, column] : got) {
            const auto old = had.find(key);
            if (old == had.end()) {
                differences.push_back(fmt::format("{} is new", column.first));
            } else if (old->second.second != column.second) {
                differences.push_back(fmt::format("{} was {} and is {} now", column.first,
                                                  old->second.second, column.second));
            }
        }
        for (const auto& [key, column] : had) {
            if (!got.contains(key)) differences.push_back(fmt::format("{} is gone", column.first));
        }
        if (differences.empty()) return {};
        return UserError(
            fmt::format("{}: the columns of {} have changed: {}", action_.location.ToString(),
                        action_.target.ToString(), Join(differences, "; ")),
            fmt::format("Build it anew: biwa run --full-refresh --select {}",
                        action_.target.ToString()));
    }

    Status Record(const std::string& kind, Micros started_at, std::optional<std::uint64_t> rows,
                  const std::string& content_hash) {
        const auto model = QuoteLiteral(action_.target.ToString());
        BIWA_TRY(transaction_.Execute(
            fmt::format("DELETE FROM {} WHERE model = {} AND finished_at < {}", kApplied, model,
                        TimestampSql(started_at - kAppliedKept))));
        return transaction_.Execute(
            fmt::format("INSERT INTO {} VALUES ({}, {}, {}, {}, {}, {}, {})", kApplied, model,
                        QuoteLiteral(context_.run_id), QuoteLiteral(kind), TimestampSql(started_at),
                        TimestampSql(context_.clock.Now()),
                        rows ? fmt::format("{}", *rows) : "NULL", QuoteLiteral(content_hash)));
    }

    const BuildContext& context_;
    const Action& action_;
    WriteTransaction& transaction_;
    const Cancellation& cancellation_;
    const std::string target_;
};

}  // namespace

Status PrepareDatasets(Warehouse& warehouse, const CompiledGraph& graph) {
    std::set<std::string> wanted{"_biwa"};
    for (const auto& action : graph.actions) {
        if (action.MakesTable() && !action.disabled) wanted.insert(action.target.dataset);
    }
    auto transaction = BIWA_TRY(warehouse.BeginBeside());
    bool changed = false;
    for (const auto& dataset : wanted) {
        // Even CREATE … IF NOT EXISTS conflicts with another that runs, so it is said only when
        // there is need.
        const auto there = BIWA_TRY(ReadCount(
            *transaction, fmt::format("SELECT count(*) FROM duckdb_schemas() WHERE database_name = "
                                      "current_database() AND lower(schema_name) = lower({})",
                                      QuoteLiteral(dataset))));
        if (there > 0) continue;
        changed = true;
        BIWA_TRY(transaction->Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(dataset)));
    }
    const auto applied = BIWA_TRY(ReadCount(
        *transaction,
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND "
        "schema_name = '_biwa' AND table_name = 'applied'"));
    if (applied == 0) {
        changed = true;
        BIWA_TRY(transaction->Execute(
            fmt::format("CREATE TABLE IF NOT EXISTS {} (model VARCHAR NOT NULL, run_id VARCHAR NOT "
                        "NULL, kind VARCHAR NOT NULL, started_at TIMESTAMPTZ NOT NULL, "
                        "finished_at TIMESTAMPTZ NOT NULL, rows BIGINT, content_hash VARCHAR NOT "
                        "NULL)",
                        kApplied)));
    }
    if (changed) BIWA_TRY(transaction->Commit());
    return {};
}

Result<std::optional<std::uint64_t>> Build(const BuildContext& context, const Action& action,
                                           Cancellation& cancellation) {
    const auto transaction = BIWA_TRY(context.warehouse.BeginBeside());
    const Cancellation::Guard guard(cancellation, [&] { transaction->Interrupt(); });
    return ModelBuild(context, action, *transaction, cancellation).Run();
}

Result<FailingRows> Check(Warehouse& warehouse, const Action& action, Cancellation& cancellation) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const Cancellation::Guard guard(cancellation, [&] { session->Interrupt(); });
    const auto& query = action.full.query;
    const auto locate = [&](Error error) {
        return tl::unexpected(InFile(std::move(error), action, query, 1));
    };
    FailingRows failing;
    // The line ends keep a comment at the query's end to itself.
    auto count = ReadCount(*session, fmt::format("SELECT count(*) FROM (\n{}\n)", query.sql));
    if (!count) return locate(std::move(count).error());
    failing.count = *count;
    if (failing.count == 0) return failing;
    auto sample = session->Query(fmt::format(
        "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n{}\n) LIMIT {}", query.sql, kSampleRows));
    if (!sample) return locate(std::move(sample).error());
    for (const auto& column : (*sample)->columns()) failing.columns.push_back(column.name);
    failing.sample = BIWA_TRY(ReadTexts(**sample));
    return failing;
}

}  // namespace biwa::transform
