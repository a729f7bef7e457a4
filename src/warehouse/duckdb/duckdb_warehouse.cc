#include "warehouse/duckdb/duckdb_warehouse.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <tuple>
#include <utility>

#include "base/fair_lock.h"
#include "base/give_way.h"
#include "base/log.h"
#include "base/text.h"
#include "warehouse/duckdb/checkpoint_copy.h"
#include "warehouse/duckdb/checkpointer.h"
#include "warehouse/duckdb/early_writes.h"
#include "warehouse/duckdb/read_gate.h"
#include "warehouse/duckdb/rows_function.h"
#include "warehouse/duckdb/session.h"
#include "warehouse/duckdb/shadow_schema.h"
#include "warehouse/duckdb/widths.h"

namespace biwa {

namespace {

using duck::Connection;

void ReplaceAll(std::string& text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
}

class DuckDbTransaction final : public WriteTransaction {
  public:
    // `writer` is held by the caller and given back with the commit, or when the transaction goes;
    // may be null.
    static Result<std::unique_ptr<WriteTransaction>> Begin(duckdb_database database,
                                                           duck::RowsFunction& rows,
                                                           duck::Rests& rests,
                                                           duck::Checkpointer& checkpointer,
                                                           duck::ReadGate& gate, FairLock* writer) {
        // Made first, so that every way out gives the writer back.
        auto transaction = std::unique_ptr<DuckDbTransaction>(
            new DuckDbTransaction(rows, rests, checkpointer, gate, writer));
        if (duckdb_connect(database, transaction->own_connection_.out()) != DuckDBSuccess) {
            return Unavailable("cannot connect to the warehouse");
        }
        transaction->connection_ = transaction->own_connection_.get();
        BIWA_TRY(transaction->Open());
        return transaction;
    }
    // On a connection that outlives the transaction.
    static Result<std::unique_ptr<WriteTransaction>> BeginOn(duckdb_connection connection,
                                                             duck::RowsFunction& rows,
                                                             duck::Rests& rests,
                                                             duck::Checkpointer& checkpointer,
                                                             duck::ReadGate& gate) {
        auto transaction = std::unique_ptr<DuckDbTransaction>(
            new DuckDbTransaction(rows, rests, checkpointer, gate, nullptr));
        transaction->connection_ = connection;
        BIWA_TRY(transaction->Open());
        return transaction;
    }

    ~DuckDbTransaction() override {
        HurryUp();
        if (open_ && !duck::Execute(connection_, "ROLLBACK")) {
            LogDebug("a transaction of the warehouse was rolled back by the engine itself");
        }
        own_connection_ = Connection();
        if (is_inside_) checkpointer_.Leave(false);
        if (writer_ != nullptr) writer_->release();
    }

    Status Execute(std::string_view sql) override {
        const duck::ReadGate::Reader reader(gate_);
        BIWA_TRY(duck::Execute(connection_, std::string(sql), kNoTransactions, rests_in_use()));
        return {};
    }

    Result<std::unique_ptr<RowStream>> Query(std::string_view sql) override {
        // Until the stream goes.
        auto reader = std::make_shared<duck::ReadGate::Reader>(gate_);
        auto statement = BIWA_TRY(duck::Prepare(connection_, std::string(sql)));
        BIWA_TRY(duck::CheckIsNoTransaction(statement.get()));
        return duck::Stream(connection_, std::move(statement),
                            [held = std::move(reader)] { static_cast<void>(held); });
    }

    Result<std::vector<ColumnWidth>> Widths(const TableName& table) override {
        return duck::WidthsOf(connection_, table);
    }

    Result<std::uint64_t> ExecuteWith(std::string_view sql,
                                      const std::vector<NamedRows>& rows) override {
        const duck::ReadGate::Reader reader(gate_);
        duck::ClientContext context;
        duckdb_connection_get_client_context(connection_, context.out());
        const auto connection_id = duckdb_client_context_get_connection_id(context.get());
        std::deque<duck::RowsFunction::Lease> leases;
        std::string text(sql);
        for (const auto& named : rows) {
            const auto& lease =
                leases.emplace_back(rows_, connection_id, named.rows, named.key, rests_in_use());
            ReplaceAll(text, "$" + named.name, fmt::format("biwa_rows({}::UBIGINT)", lease.id()));
            ReplaceAll(text, fmt::format("$in_{}(", named.name),
                       fmt::format("biwa_has({}::UBIGINT, ", lease.id()));
        }
        const bool are_many = std::any_of(rows.begin(), rows.end(), [](const NamedRows& named) {
            return named.rows.threads_max() > 1 || named.rows.rows_estimate() >= kRowsOfGroup;
        });
        const bool are_read_soon =
            std::any_of(rows.begin(), rows.end(),
                        [](const NamedRows& named) { return named.rows.are_read_soon(); });
        using Pages = duck::EarlyWrites::Pages;
        const duck::EarlyWrites early(are_many ? checkpointer_.file() : -1,
                                      are_read_soon ? Pages::kStay : Pages::kGo);
        auto changed = duck::Execute(connection_, text, kNoTransactions, rests_in_use());
        if (!changed) {
            for (const auto& lease : leases) {
                if (auto error = lease.error()) return tl::unexpected(std::move(*error));
            }
        }
        return changed;
    }

    Status HideUntilCommit(const TableName& table) override {
        hidden_.push_back(table);
        return {};
    }

    void TakeItEasy(std::function<bool()> nobody_waits) override {
        if (writer_ == nullptr || std::exchange(is_easy_, true)) return;
        rests_.Begin([writer = writer_, nobody_waits = std::move(nobody_waits)] {
            return !writer->is_awaited() && nobody_waits();
        });
    }

    void MayRest() override {
        if (is_easy_) rests_.RestIfDue();
    }

    Status Commit() override {
        MayRest();
        // Others may wait for what comes now.
        HurryUp();
        const bool is_alone = !hidden_.empty() && gate_.TryClose();
        if (!is_alone) {
            for (const auto& table : hidden_) BIWA_TRY(Hide(table));
        }
        open_ = false;
        const auto committed = duck::Execute(connection_, "COMMIT");
        if (is_alone) gate_.Open();
        if (!committed) return tl::unexpected(committed.error());
        is_inside_ = false;
        checkpointer_.Leave(true);
        // Whoever has committed may begin the next one while this is still in scope.
        if (writer_ != nullptr) std::exchange(writer_, nullptr)->release();
        return {};
    }

    void Interrupt() override { duckdb_interrupt(connection_); }

  private:
    DuckDbTransaction(duck::RowsFunction& rows, duck::Rests& rests,
                      duck::Checkpointer& checkpointer, duck::ReadGate& gate, FairLock* writer)
        : rows_(rows), rests_(rests), checkpointer_(checkpointer), gate_(gate), writer_(writer) {
        using Who = duck::Checkpointer::Who;
        checkpointer_.Enter(writer_ != nullptr ? Who::kWriter : Who::kBeside);
    }

    Status Open() {
        BIWA_TRY(duck::Execute(connection_, "BEGIN TRANSACTION"));
        open_ = true;
        return {};
    }

    duck::Rests* rests_in_use() { return is_easy_ ? &rests_ : nullptr; }
    void HurryUp() {
        if (std::exchange(is_easy_, false)) rests_.End();
    }

    // DuckDB 1.5.6 moves the row groups of a large insert into the table while it writes the commit
    // to its log, and marks them as that commit's afterwards: until then all see them, transactions
    // that are older too. Where a row of the insert was deleted again, it puts the others in one by
    // one instead, marked from the start, as it does with a small insert. That takes as long as
    // storing them once more, so it is done only while somebody reads.
    Status Hide(const TableName& table) {
        // Rows of the transaction's own have numbers from here on (its MAX_ROW_ID).
        constexpr std::int64_t kFirstOwnRow = 36'028'797'018'960'000;
        return Execute(
            fmt::format("INSERT INTO {0} DEFAULT VALUES; DELETE FROM {0} WHERE rowid = (SELECT "
                        "max(rowid) FROM {0} WHERE rowid >= {1})",
                        table.ToSql(), kFirstOwnRow));
    }

    static constexpr auto kNoTransactions = duck::TransactionStatements::kRefused;
    // Of fewer the engine writes nothing before the commit.
    static constexpr std::size_t kRowsOfGroup = 122'880;

    duck::RowsFunction& rows_;
    duck::Rests& rests_;
    duck::Checkpointer& checkpointer_;
    duck::ReadGate& gate_;
    FairLock* writer_;
    std::vector<TableName> hidden_;
    Connection own_connection_;
    duckdb_connection connection_ = nullptr;
    bool open_ = false;
    bool is_easy_ = false;
    bool is_inside_ = true;  // counted by the checkpointer
};

class DuckDbWorkbench final : public Workbench {
  public:
    static Result<std::unique_ptr<Workbench>> Open(duckdb_database database,
                                                   duck::RowsFunction& rows, duck::Rests& rests,
                                                   duck::Checkpointer& checkpointer,
                                                   duck::ReadGate& gate) {
        auto workbench =
            std::unique_ptr<DuckDbWorkbench>(new DuckDbWorkbench(rows, rests, checkpointer, gate));
        if (duckdb_connect(database, workbench->connection_.out()) != DuckDBSuccess) {
            return Unavailable("cannot connect to the warehouse");
        }
        return workbench;
    }
    Result<std::unique_ptr<WriteTransaction>> Begin() override {
        return DuckDbTransaction::BeginOn(connection_.get(), rows_, rests_, checkpointer_, gate_);
    }

  private:
    DuckDbWorkbench(duck::RowsFunction& rows, duck::Rests& rests, duck::Checkpointer& checkpointer,
                    duck::ReadGate& gate)
        : rows_(rows), rests_(rests), checkpointer_(checkpointer), gate_(gate) {}

    duck::RowsFunction& rows_;
    duck::Rests& rests_;
    duck::Checkpointer& checkpointer_;
    duck::ReadGate& gate_;
    Connection connection_;
};

class DuckDbWarehouse final : public Warehouse {
  public:
    explicit DuckDbWarehouse(const DuckDbOptions& options)
        : path_(options.path), checkpointer_(options.path, options.checkpoint_bytes) {}
    static Result<std::unique_ptr<Warehouse>> Open(const DuckDbOptions& options);

    Result<std::unique_ptr<WriteTransaction>> Begin() override {
        writer_.acquire();
        return DuckDbTransaction::Begin(database_.get(), rows_, rests_, checkpointer_, gate_,
                                        &writer_);
    }
    Result<std::unique_ptr<WriteTransaction>> BeginBeside() override {
        return DuckDbTransaction::Begin(database_.get(), rows_, rests_, checkpointer_, gate_,
                                        nullptr);
    }
    Result<std::unique_ptr<ReadSession>> OpenSession() override {
        return duck::OpenReadSession(database_.get(), gate_);
    }
    Result<std::unique_ptr<ReadSession>> OpenSessionOn(const std::vector<std::string>& datasets,
                                                       std::vector<std::string> views) override {
        return duck::OpenSessionOn(database_.get(), gate_, datasets, std::move(views));
    }
    Result<std::unique_ptr<Workbench>> OpenWorkbench() override {
        return DuckDbWorkbench::Open(database_.get(), rows_, rests_, checkpointer_, gate_);
    }

    Result<std::unique_ptr<ShadowSchema>> MakeShadowSchema() override {
        return duck::MakeShadowSchema();
    }

    Status Checkpoint() override {
        writer_.acquire();
        auto folded = checkpointer_.Fold();
        writer_.release();
        return folded;
    }

    std::uint64_t size_bytes() const override {
        std::error_code none;
        const auto size = std::filesystem::file_size(path_, none);
        return (none ? 0 : size) + checkpointer_.log_bytes();
    }
    std::uint64_t free_bytes() const override {
        std::error_code none;
        const auto disk = std::filesystem::space(path_, none);
        return none ? 0 : disk.available;
    }

  private:
    const std::filesystem::path path_;
    duck::RowsFunction rows_;
    duck::Rests rests_;
    FairLock writer_;
    duck::ReadGate gate_;
    duck::Checkpointer checkpointer_;
    duck::Database database_;
    Connection keeper_;
};

Error InUse(const DuckDbOptions& options) {
    return Error{ErrorKind::kConflict,
                 fmt::format("cannot open the warehouse {}: another process has it open",
                             options.path.string()),
                 "Stop that process, or ask it: `biwa query` and `biwa status` do."};
}

Error OpenError(const DuckDbOptions& options, const std::string& message) {
    const auto what = fmt::format("cannot open the warehouse {}: ", options.path.string());
    if (message.find("Could not set lock") != std::string::npos) return InUse(options);
    if (message.find("not a valid DuckDB database") != std::string::npos) {
        return Error{ErrorKind::kCorrupt, what + "it is not a DuckDB file",
                     "Move it away or set warehouse.path in biwa.yaml to another place."};
    }
    auto error = duck::EngineError(DUCKDB_ERROR_IO, message);
    error.message = what + error.message;
    return error;
}

// Whether memory counts when it is reserved, and not when it is used.
bool CountsReserved() {
    for (const auto limited : {RLIMIT_AS, RLIMIT_DATA}) {
        rlimit limit{};
        if (::getrlimit(limited, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) return true;
    }
    return std::ifstream("/proc/sys/vm/overcommit_memory").get() == '2';
}

// The engine keeps the memory of its blocks for the next ones, instead of giving it back and having
// it made ready again: what comes in as large tables is faster, and takes less of it. Half of what
// it may use, as the rest is for what queries need beside blocks (docs/decisions/0035).
void KeepBlocks(duckdb_connection connection, std::uint64_t memory_limit_bytes) {
    // Whatever it may keep, it reserves four fifths of the machine's memory for it: where that
    // counts, a database beside it would find none left, or we ourselves.
    if (CountsReserved()) return;
    // It refuses what is more than the machine has, and then goes on as without.
    std::ignore = duck::Execute(
        connection, fmt::format("SET block_allocator_memory = '{}B'", memory_limit_bytes / 2));
}

Result<std::unique_ptr<Warehouse>> DuckDbWarehouse::Open(const DuckDbOptions& options) {
    auto temp_directory = options.temp_directory;
    if (temp_directory.empty() && !options.path.empty()) {
        temp_directory = options.path.parent_path() / "temp";
    }
    duck::Config config;
    duckdb_create_config(config.out());
    const std::vector<std::pair<const char*, std::string>> settings = {
        {"memory_limit", fmt::format("{}B", options.memory_limit_bytes)},
        {"threads", fmt::format("{}", options.threads)},
        {"temp_directory", temp_directory.string()},
        // In memory there is no log, but room to be made of what was deleted. A file's log is
        // folded by the checkpointer alone.
        {"checkpoint_threshold",
         options.path.empty() ? fmt::format("{}B", options.checkpoint_bytes) : "1024TiB"},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        // Order is of no meaning to what is loaded, and keeping it costs threads and memory.
        {"preserve_insertion_order", "false"},
        // Whoever wants so much at once has blocks given back that are kept (KeepBlocks).
        {"allocator_bulk_deallocation_flush_threshold", "16MiB"},
        {"enable_external_access", "false"},
    };
    for (const auto& [name, value] : settings) {
        if (duckdb_set_config(config.get(), name, value.c_str()) != DuckDBSuccess) {
            return Corrupt(fmt::format("DuckDB does not take the setting {} = {}", name, value));
        }
    }
    if (!options.path.empty()) {
        if (auto mended = duck::MendWarehouse(options.path); !mended) {
            if (mended.error().kind != ErrorKind::kConflict) return tl::unexpected(mended.error());
            return tl::unexpected(InUse(options));
        }
    }
    auto warehouse = std::make_unique<DuckDbWarehouse>(options);
    const GivesWay engine_threads;
    char* message = nullptr;
    const auto path = options.path.string();
    if (duckdb_open_ext(path.empty() ? nullptr : path.c_str(), warehouse->database_.out(),
                        config.get(), &message) != DuckDBSuccess) {
        return tl::unexpected(OpenError(options, duck::TakeString(message)));
    }
    if (duckdb_connect(warehouse->database_.get(), warehouse->keeper_.out()) != DuckDBSuccess) {
        return Unavailable("cannot connect to the warehouse");
    }
    auto* const keeper = warehouse->keeper_.get();
    KeepBlocks(keeper, options.memory_limit_bytes);
    BIWA_TRY(duck::Execute(keeper, "SET GLOBAL TimeZone = " + QuoteLiteral(options.time_zone)));
    // Nor does the engine fold the log when it goes: a command that ends leaves it to the next.
    BIWA_TRY(duck::Execute(keeper, "PRAGMA disable_checkpoint_on_shutdown"));
    BIWA_TRY(warehouse->checkpointer_.Start(keeper));
    BIWA_TRY(warehouse->rows_.Register(keeper));
    BIWA_TRY(duck::Execute(keeper, "SET GLOBAL lock_configuration = true"));
    return warehouse;
}

}  // namespace

Result<std::unique_ptr<Warehouse>> OpenDuckDb(const DuckDbOptions& options) {
    return DuckDbWarehouse::Open(options);
}

}  // namespace biwa
