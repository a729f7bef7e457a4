#include "warehouse/duckdb/shadow_schema.h"

#include <fmt/format.h>

#include <set>
#include <thread>
#include <utility>

#include "base/text.h"
#include "warehouse/duckdb/bound_plan.h"
#include "warehouse/duckdb/session.h"

namespace biwa::duck {

namespace {

class DuckDbShadowSchema final : public ShadowSchema {
  public:
    ~DuckDbShadowSchema() override {
        // A database that ends makes the thread it ends on forget the blocks that it keeps for the
        // warehouse (duckdb_warehouse.cc, KeepBlocks): those were lost for good.
        std::thread([this] {
            Connection() = std::move(connection_);
            Database() = std::move(database_);
        }).join();
    }

    static Result<std::unique_ptr<ShadowSchema>> Make() {
        Config config;
        duckdb_create_config(config.out());
        // It holds no rows; a query over constants may still be computed while it is bound.
        for (const auto& [name, value] : {std::pair{"memory_limit", "256MB"},
                                          {"threads", "1"},
                                          {"temp_directory", ""},
                                          {"autoinstall_known_extensions", "false"},
                                          {"autoload_known_extensions", "false"},
                                          {"allow_community_extensions", "false"},
                                          {"enable_external_access", "false"}}) {
            if (duckdb_set_config(config.get(), name, value) != DuckDBSuccess) {
                return Corrupt(fmt::format("DuckDB does not take the setting {}", name));
            }
        }
        auto schema = std::make_unique<DuckDbShadowSchema>();
        if (duckdb_open_ext(nullptr, schema->database_.out(), config.get(), nullptr) !=
                DuckDBSuccess ||
            duckdb_connect(schema->database_.get(), schema->connection_.out()) != DuckDBSuccess) {
            return Unavailable("cannot make a database in memory");
        }
        return schema;
    }

    Status Define(const TableName& table, const std::vector<BoundColumn>& columns) override {
        std::string list;
        for (const auto& column : columns) {
            list += fmt::format("{}{} {}", list.empty() ? "" : ", ", QuoteIdentifier(column.name),
                                column.type);
        }
        BIWA_TRY(MakeDataset(table.dataset));
        BIWA_TRY(Execute(connection_.get(),
                         fmt::format("CREATE OR REPLACE TABLE {} ({})", table.ToSql(), list)));
        return {};
    }

    Result<BoundQuery> Define(const TableName& table, std::string_view sql) override {
        auto query = BIWA_TRY(Bind(sql));
        BIWA_TRY(MakeDataset(table.dataset));
        // The line end closes a comment at the end of the query.
        BIWA_TRY(Execute(connection_.get(), fmt::format("CREATE OR REPLACE TABLE {} AS FROM ({}\n) "
                                                        "LIMIT 0",
                                                        table.ToSql(), Bare(sql))));
        return query;
    }

    Result<BoundQuery> Bind(std::string_view sql) override {
        const auto plan = BIWA_TRY(Ask(fmt::format(
            "SELECT json_serialize_plan({}::VARCHAR)::VARCHAR", QuoteLiteral(Bare(sql)))));
        if (plan.size() != 1) return Corrupt("the engine gives no plan");
        auto lineage = BIWA_TRY(ReadPlan(plan.front().front()));
        // A SELECT around it has the names that the table would have.
        const auto columns = BIWA_TRY(Ask(
            fmt::format("SELECT column_name, column_type FROM (DESCRIBE FROM ({}\n))", Bare(sql))));
        if (columns.size() != lineage.columns.size()) {
            return Unavailable(
                fmt::format("the engine's plan has {} columns where the query has {}",
                            lineage.columns.size(), columns.size()));
        }
        BoundQuery query;
        query.conditions = std::move(lineage.conditions);
        for (std::size_t i = 0; i < columns.size(); ++i) {
            query.columns.push_back(
                {columns[i].at(0), columns[i].at(1), std::move(lineage.columns[i])});
        }
        return query;
    }

  private:
    // Without a semicolon, so that it may stand in brackets.
    static std::string_view Bare(std::string_view sql) {
        auto bare = Trim(sql);
        while (!bare.empty() && bare.back() == ';') bare = Trim(bare.substr(0, bare.size() - 1));
        return bare;
    }

    Status MakeDataset(const std::string& dataset) {
        if (!datasets_.insert(dataset).second) return {};
        BIWA_TRY(
            Execute(connection_.get(), "CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(dataset)));
        return {};
    }

    // A result that is all text.
    Result<std::vector<std::vector<std::string>>> Ask(const std::string& sql) {
        auto stream =
            BIWA_TRY(Stream(connection_.get(), BIWA_TRY(Prepare(connection_.get(), sql)), nullptr));
        std::vector<std::vector<std::string>> rows;
        for (;;) {
            const auto* block = BIWA_TRY(stream->Next());
            if (block == nullptr) return rows;
            for (std::size_t row = 0; row < block->rows; ++row) {
                auto& texts = rows.emplace_back();
                for (const auto& cells : block->columns) {
                    texts.emplace_back(cells.IsNull(row) ? "" : cells.GetString(row));
                }
            }
        }
    }

    std::set<std::string> datasets_;
    Database database_;
    Connection connection_;
};

}  // namespace

Result<std::unique_ptr<ShadowSchema>> MakeShadowSchema() { return DuckDbShadowSchema::Make(); }

}  // namespace biwa::duck
