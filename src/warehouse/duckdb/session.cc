#include "warehouse/duckdb/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "warehouse/duckdb/blocks.h"

namespace biwa::duck {

namespace {

constexpr std::string_view kCancelled = "the query was cancelled";

class ChunkStream final : public RowStream {
  public:
    ChunkStream(Prepared statement, QueryResult result, std::vector<Column> columns,
                std::function<void()> at_end)
        : at_end_(std::move(at_end)),
          statement_(std::move(statement)),
          result_(std::move(result)),
          columns_(std::move(columns)),
          block_(columns_) {}
    ~ChunkStream() override {
        chunk_ = DataChunk();
        result_ = QueryResult();
        statement_ = Prepared();
        if (at_end_) at_end_();
    }

    const std::vector<Column>& columns() const override { return columns_; }

    Result<const RowBlock*> Next() override {
        for (;;) {
            chunk_ = DataChunk(duckdb_fetch_chunk(*result_.get()));
            if (!chunk_) {
                const char* message = duckdb_result_error(result_.get());
                if (message != nullptr && *message != '\0') {
                    return tl::unexpected(
                        EngineError(duckdb_result_error_type(result_.get()), message));
                }
                return nullptr;
            }
            if (duckdb_data_chunk_get_size(chunk_.get()) > 0) break;
        }
        return &block_.ForReading(chunk_.get());
    }

  private:
    std::function<void()> at_end_;
    Prepared statement_;
    QueryResult result_;
    std::vector<Column> columns_;
    DataChunk chunk_;
    ChunkBlock block_;
};

// Where a column's type is unknown to the model, the same statement with that column cast.
std::optional<std::string> WithStandIns(duckdb_prepared_statement statement, std::string_view sql) {
    const auto count = duckdb_prepared_statement_column_count(statement);
    std::string select, names;
    bool needed = false;
    for (idx_t i = 0; i < count; ++i) {
        const LogicalType type(duckdb_prepared_statement_column_logical_type(statement, i));
        const auto name =
            TakeString(const_cast<char*>(duckdb_prepared_statement_column_name(statement, i)));
        const auto alias = fmt::format("c{}", i);
        const bool known = FromLogicalType(type.get()).has_value();
        needed = needed || !known;
        select += fmt::format(
            "{}{} AS {}", i == 0 ? "" : ", ",
            known ? alias : fmt::format("CAST({} AS {})", alias, StandInFor(type.get())),
            QuoteIdentifier(name));
        names += (i == 0 ? "" : ", ") + alias;
    }
    if (!needed) return std::nullopt;
    auto inner = Trim(sql);
    while (!inner.empty() && inner.back() == ';') inner = Trim(inner.substr(0, inner.size() - 1));
    // The line end closes a comment at the end of the statement.
    return fmt::format("SELECT {} FROM ({}\n) AS biwa_result({})", select, inner, names);
}

// Of an error while preparing or on the way only the text is known, which begins with its kind.
duckdb_error_type TypeOf(std::string_view message) {
    static constexpr std::pair<std::string_view, duckdb_error_type> kKinds[] = {
        {"INTERRUPT", DUCKDB_ERROR_INTERRUPT}, {"TransactionContext", DUCKDB_ERROR_TRANSACTION},
        {"IO Error", DUCKDB_ERROR_IO},         {"Out of Memory", DUCKDB_ERROR_OUT_OF_MEMORY},
        {"FATAL", DUCKDB_ERROR_FATAL},         {"INTERNAL", DUCKDB_ERROR_INTERNAL},
    };
    for (const auto& [beginning, type] : kKinds) {
        if (message.starts_with(beginning)) return type;
    }
    return DUCKDB_ERROR_INVALID;
}

}  // namespace

Error EngineError(duckdb_error_type type, std::string message) {
    // DuckDB begins with the kind of error: "Binder Error: Table with name …".
    auto kind = ErrorKind::kUser;
    std::string hint;
    if (type == DUCKDB_ERROR_INVALID) type = TypeOf(message);
    switch (type) {
        case DUCKDB_ERROR_INTERRUPT:
            return Error{ErrorKind::kUser, std::string(kCancelled), ""};
        case DUCKDB_ERROR_TRANSACTION:
            kind = ErrorKind::kConflict;
            break;
        case DUCKDB_ERROR_IO:
            kind = ErrorKind::kUnavailable;
            break;
        case DUCKDB_ERROR_OUT_OF_MEMORY:
            kind = ErrorKind::kUnavailable;
            // Settings that nobody can change here.
            message = message.substr(0, message.find("\n\nPossible solutions:"));
            hint =
                "Ask for less at once, or give the warehouse more memory: warehouse.memory_limit "
                "in "
                "biwa.yaml.";
            break;
        case DUCKDB_ERROR_FATAL:
        case DUCKDB_ERROR_INTERNAL:
            kind = ErrorKind::kCorrupt;
            break;
        default:
            break;
    }
    if (message.find("No space left") != std::string::npos) {
        kind = ErrorKind::kUnavailable;
        hint = "The disk of the warehouse is full: free some space, then try again.";
    }
    return Error{kind, std::move(message), std::move(hint)};
}

Result<Prepared> Prepare(duckdb_connection connection, const std::string& sql) {
    Prepared statement;
    if (duckdb_prepare(connection, sql.c_str(), statement.out()) != DuckDBSuccess) {
        const char* message = duckdb_prepare_error(statement.get());
        return tl::unexpected(
            EngineError(DUCKDB_ERROR_INVALID, message != nullptr ? message : "not a statement"));
    }
    const auto type = duckdb_prepared_statement_type(statement.get());
    if (type != DUCKDB_STATEMENT_TYPE_SELECT) return statement;
    const auto cast = WithStandIns(statement.get(), sql);
    if (!cast) return statement;
    Prepared wrapped;
    if (duckdb_prepare(connection, cast->c_str(), wrapped.out()) != DuckDBSuccess) {
        return UserError(fmt::format("the result has columns of a type that cannot be shown: {}",
                                     duckdb_prepare_error(wrapped.get())),
                         "Cast them to VARCHAR in the query.");
    }
    return wrapped;
}

std::vector<Column> ColumnsOf(duckdb_prepared_statement statement) {
    std::vector<Column> columns;
    const auto count = duckdb_prepared_statement_column_count(statement);
    for (idx_t i = 0; i < count; ++i) {
        const LogicalType type(duckdb_prepared_statement_column_logical_type(statement, i));
        auto& column = columns.emplace_back();
        column.name =
            TakeString(const_cast<char*>(duckdb_prepared_statement_column_name(statement, i)));
        column.type = FromLogicalType(type.get()).value_or(Type{TypeId::kText});
    }
    return columns;
}

namespace {

enum class Rows { kWhole, kStreamed };

// duckdb_query and duckdb_execute_prepared turn round and round in the calling thread while the
// engine's others still have something to do: a fifth of the processor, in a stream of small
// commits. This sleeps instead, for longer the longer it takes.
Result<QueryResult> ExecutePrepared(duckdb_prepared_statement statement, Rows rows,
                                    Rests* rests = nullptr) {
    constexpr std::chrono::microseconds kFirst{20}, kLongest{1000};
    Pending pending;
    const auto begun = rows == Rows::kWhole
                           ? duckdb_pending_prepared(statement, pending.out())
                           : duckdb_pending_prepared_streaming(statement, pending.out());
    auto state = begun == DuckDBSuccess ? DUCKDB_PENDING_RESULT_NOT_READY : DUCKDB_PENDING_ERROR;
    for (auto pause = kFirst; state != DUCKDB_PENDING_RESULT_READY;) {
        if (state == DUCKDB_PENDING_ERROR) {
            return tl::unexpected(
                EngineError(DUCKDB_ERROR_INVALID, duckdb_pending_error(pending.get())));
        }
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
            std::this_thread::sleep_for(pause);
            pause = std::min(pause * 2, kLongest);
        } else {
            pause = kFirst;
            if (rests != nullptr) rests->RestIfDue();
        }
        state = duckdb_pending_execute_task(pending.get());
    }
    QueryResult result;
    if (duckdb_execute_pending(pending.get(), result.out()) != DuckDBSuccess) {
        const char* message = duckdb_result_error(result.get());
        return tl::unexpected(EngineError(duckdb_result_error_type(result.get()),
                                          message != nullptr ? message : "the statement failed"));
    }
    return result;
}

}  // namespace

Status CheckIsNoTransaction(duckdb_prepared_statement statement) {
    if (duckdb_prepared_statement_type(statement) != DUCKDB_STATEMENT_TYPE_TRANSACTION) return {};
    return UserError(
        "a statement here would begin or end a transaction; all of them are one, and nothing of it "
        "may come before the whole",
        "Take out BEGIN, COMMIT and ROLLBACK.");
}

Result<std::uint64_t> Execute(duckdb_connection connection, const std::string& sql,
                              TransactionStatements transactions, Rests* rests) {
    Extracted statements;
    const auto count = duckdb_extract_statements(connection, sql.c_str(), statements.out());
    if (count == 0) {
        const char* message = duckdb_extract_statements_error(statements.get());
        if (message == nullptr || *message == '\0') return std::uint64_t{0};
        return tl::unexpected(EngineError(DUCKDB_ERROR_INVALID, message));
    }
    std::uint64_t changed = 0;
    for (idx_t i = 0; i < count; ++i) {
        Prepared statement;
        if (duckdb_prepare_extracted_statement(connection, statements.get(), i, statement.out()) !=
            DuckDBSuccess) {
            return tl::unexpected(
                EngineError(DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement.get())));
        }
        if (transactions == TransactionStatements::kRefused)
            BIWA_TRY(CheckIsNoTransaction(statement.get()));
        if (rests != nullptr) rests->RestIfDue();
        auto result = BIWA_TRY(ExecutePrepared(statement.get(), Rows::kWhole, rests));
        changed = duckdb_rows_changed(result.get());
    }
    return changed;
}

Result<std::unique_ptr<RowStream>> Stream(duckdb_connection connection, Prepared statement,
                                          std::function<void()> at_end) {
    (void)connection;
    auto columns = ColumnsOf(statement.get());
    auto result = ExecutePrepared(statement.get(), Rows::kStreamed);
    if (!result) {
        statement = Prepared();
        if (at_end) at_end();
        return tl::unexpected(std::move(result).error());
    }
    return std::make_unique<ChunkStream>(std::move(statement), std::move(*result),
                                         std::move(columns), std::move(at_end));
}

namespace {

class DuckDbReadSession final : public ReadSession {
  public:
    DuckDbReadSession(duckdb_database database, ReadGate& gate, Connection connection)
        : database_(database), gate_(gate), connection_(std::move(connection)) {}
    // On an attached catalogue, which it detaches in the end; names of `hidden` are refused.
    DuckDbReadSession(duckdb_database database, ReadGate& gate, Connection connection,
                      std::string catalogue, std::string hidden)
        : database_(database),
          gate_(gate),
          connection_(std::move(connection)),
          catalogue_(std::move(catalogue)),
          hidden_(std::move(hidden)) {}
    ~DuckDbReadSession() override {
        if (catalogue_.empty()) return;
        End();
        connection_ = Connection();
        Connection last;
        if (duckdb_connect(database_, last.out()) != DuckDBSuccess) return;
        if (const auto detached = Execute(last.get(), "DETACH " + catalogue_); !detached) {
            LogDebug("detaching {}: {}", catalogue_, detached.error().message);
        }
    }

    Result<std::unique_ptr<RowStream>> Query(std::string_view sql) override {
        {
            std::lock_guard lock(mutex_);
            was_interrupted_ = false;
        }
        auto rows = BIWA_TRY(Run(sql));
        return std::make_unique<ReadStream>(*this, std::string(sql), std::move(rows));
    }

    Result<std::vector<Column>> Describe(std::string_view sql) override {
        const auto statement = BIWA_TRY(PrepareRead(sql));
        return ColumnsOf(statement.get());
    }

    void Interrupt() override {
        std::lock_guard lock(mutex_);
        was_interrupted_ = true;
        duckdb_interrupt(connection_.get());
    }

  private:
    // The rows of a query. The engine, when one of its threads finds an error, stops the others as
    // if somebody had interrupted them; the one that fetches may be so and says nothing else.
    class ReadStream final : public RowStream {
      public:
        ReadStream(DuckDbReadSession& session, std::string sql, std::unique_ptr<RowStream> rows)
            : session_(session),
              sql_(std::move(sql)),
              columns_(rows->columns()),
              rows_(std::move(rows)) {}

        const std::vector<Column>& columns() const override { return columns_; }

        Result<const RowBlock*> Next() override {
            if (failed_) return tl::unexpected(*failed_);
            auto block = rows_->Next();
            if (block || block.error().message != kCancelled || session_.was_interrupted()) {
                return block;
            }
            // Its end is the end of the session's transaction.
            rows_.reset();
            failed_ = session_.HearWhyItFails(sql_);
            return tl::unexpected(*failed_);
        }

      private:
        DuckDbReadSession& session_;
        const std::string sql_;
        const std::vector<Column> columns_;
        std::unique_ptr<RowStream> rows_;
        std::optional<Error> failed_;
    };

    bool was_interrupted() {
        std::lock_guard lock(mutex_);
        return was_interrupted_;
    }

    // Runs the query again, to nowhere, until the engine tells.
    Error HearWhyItFails(std::string_view sql) {
        constexpr int kTries = 4;
        for (int i = 0; i < kTries; ++i) {
            const auto rows = Run(sql);
            if (!rows) return rows.error();
            auto block = (*rows)->Next();
            while (block && *block != nullptr) block = (*rows)->Next();
            if (block) break;
            if (block.error().message != kCancelled || was_interrupted()) return block.error();
        }
        return Error{ErrorKind::kUnavailable, "the query failed, and the engine does not say why",
                     "Run it again."};
    }

    Result<std::unique_ptr<RowStream>> Run(std::string_view sql) {
        // Two locks on the same door: only SELECT and EXPLAIN are let in, and the transaction they
        // run in cannot write (EXPLAIN ANALYZE would run what it explains).
        End();
        reader_.emplace(gate_);
        // Open even should an Interrupt come between its beginning and its being said so.
        is_open_ = true;
        if (auto begun = Execute(connection_.get(), "BEGIN TRANSACTION READ ONLY"); !begun) {
            End();
            return tl::unexpected(std::move(begun).error());
        }
        auto statement = PrepareRead(sql);
        if (!statement) {
            End();
            // An Interrupt that hit the BEGIN shows only now.
            constexpr std::string_view kAborted = "Current transaction is aborted";
            if (statement.error().message.find(kAborted) != std::string::npos) {
                return UserError(std::string(kCancelled));
            }
            return tl::unexpected(std::move(statement).error());
        }
        return Stream(connection_.get(), std::move(*statement), [this] { End(); });
    }

    Result<Prepared> PrepareRead(std::string_view sql) {
        const std::string text(sql);
        Extracted statements;
        const auto count =
            duckdb_extract_statements(connection_.get(), text.c_str(), statements.out());
        if (count == 0) {
            const char* message = duckdb_extract_statements_error(statements.get());
            return UserError(message != nullptr && *message != '\0' ? message
                                                                    : "there is no statement here");
        }
        if (count > 1) {
            return UserError(fmt::format("there are {} statements here", count),
                             "Run them one at a time.");
        }
        BIWA_TRY(CheckNames(text));
        auto statement = BIWA_TRY(Prepare(connection_.get(), text));
        const auto type = duckdb_prepared_statement_type(statement.get());
        if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN) {
            return UserError(
                "a query can only read: this statement would change something",
                "Write with models (definitions/), streams and transfers; read with SELECT.");
        }
        if (duckdb_nparams(statement.get()) > 0) {
            return UserError("the query has parameters, and there is nothing to fill them with");
        }
        return statement;
    }

    Status CheckNames(const std::string& sql) {
        if (hidden_.empty()) return {};
        auto* names = duckdb_get_table_names(connection_.get(), sql.c_str(), true);
        if (names == nullptr) return {};
        Status status;
        for (idx_t i = 0; status && i < duckdb_get_list_size(names); ++i) {
            auto* name = duckdb_get_list_child(names, i);
            const auto text = TakeString(duckdb_get_varchar(name));
            duckdb_destroy_value(&name);
            if (std::count(text.begin(), text.end(), '.') < 2) continue;
            status = UserError(fmt::format("{} names the warehouse itself", text),
                               "Say dataset.table here.");
        }
        duckdb_destroy_value(&names);
        return status;
    }

    // Ends the transaction, if one is open. An Interrupt that comes late may hit the ROLLBACK; a
    // connection that it leaves in no clear state gives way to a new one.
    void End() {
        if (!is_open_) return;
        is_open_ = false;
        reader_.reset();
        if (Execute(connection_.get(), "ROLLBACK")) return;
        Connection fresh;
        if (duckdb_connect(database_, fresh.out()) != DuckDBSuccess) return;
        if (!catalogue_.empty() && !Execute(fresh.get(), "USE " + catalogue_)) return;
        std::lock_guard lock(mutex_);
        connection_ = std::move(fresh);
    }

    const duckdb_database database_;
    ReadGate& gate_;
    std::optional<ReadGate::Reader> reader_;  // while a query runs
    std::mutex mutex_;                        // connection_ against Interrupt
    bool was_interrupted_ = false;            // since the last Query began; under mutex_
    Connection connection_;
    const std::string catalogue_;
    const std::string hidden_;
    bool is_open_ = false;
};

}  // namespace

Result<std::unique_ptr<ReadSession>> OpenReadSession(duckdb_database database, ReadGate& gate) {
    Connection connection;
    if (duckdb_connect(database, connection.out()) != DuckDBSuccess) {
        return Unavailable("cannot connect to the warehouse");
    }
    return std::make_unique<DuckDbReadSession>(database, gate, std::move(connection));
}

Result<std::unique_ptr<ReadSession>> OpenSessionOn(duckdb_database database, ReadGate& gate,
                                                   const std::vector<std::string>& datasets,
                                                   std::vector<std::string> views) {
    static std::atomic<std::uint64_t> count = 0;
    Connection connection;
    if (duckdb_connect(database, connection.out()) != DuckDBSuccess) {
        return Unavailable("cannot connect to the warehouse");
    }
    auto* const raw = connection.get();
    std::string hidden;
    {
        auto statement = BIWA_TRY(Prepare(raw, "SELECT current_database()"));
        const auto rows = BIWA_TRY(Stream(raw, std::move(statement), nullptr));
        hidden = BIWA_TRY(rows->Next())->columns[0].GetString(0);
    }
    const auto catalogue = fmt::format("biwa_session_{}", ++count);
    BIWA_TRY(Execute(raw, fmt::format("ATTACH ':memory:' AS {}", catalogue)));
    // From here on it is detached whatever comes.
    auto session = std::make_unique<DuckDbReadSession>(database, gate, std::move(connection),
                                                       catalogue, std::move(hidden));
    BIWA_TRY(Execute(raw, "USE " + catalogue));
    for (const auto& dataset : datasets) {
        BIWA_TRY(Execute(raw, "CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(dataset)));
    }
    // A view may be one of others: those that cannot be made yet are tried again after these.
    for (auto before = views.size() + 1; !views.empty() && views.size() < before;) {
        before = views.size();
        std::erase_if(views,
                      [&](const std::string& view) { return Execute(raw, view).has_value(); });
    }
    return session;
}

}  // namespace biwa::duck
