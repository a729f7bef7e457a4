#include "warehouse/duckdb/rows_function.h"

#include <algorithm>
#include <memory>

#include "warehouse/duckdb/blocks.h"
#include "warehouse/duckdb/handles.h"

namespace biwa::duck {

namespace {

using Loan = RowsFunction::Loan;

struct BindData {
    std::shared_ptr<Loan> loan;
};

struct LocalState {
    std::unique_ptr<RowReader> reader;
    ChunkBlock block;
};

template <typename T>
void Delete(void* object) {
    delete static_cast<T*>(object);
}

void Remember(Loan& loan, const Error& error) {
    std::lock_guard lock(loan.mutex);
    if (!loan.error) loan.error = error;
}

void Bind(duckdb_bind_info info) {
    auto& function = *static_cast<RowsFunction*>(duckdb_bind_get_extra_info(info));
    const BoundValue parameter(duckdb_bind_get_parameter(info, 0));
    ClientContext context;
    duckdb_table_function_get_client_context(info, context.out());
    auto loan = function.Find(duckdb_get_uint64(parameter.get()),
                              duckdb_client_context_get_connection_id(context.get()));
    if (!loan) {
        duckdb_bind_set_error(info, "biwa_rows is for Biwa itself");
        return;
    }
    for (const auto& column : loan->source->columns()) {
        const auto type = ToLogicalType(column.type);
        duckdb_bind_add_result_column(info, column.name.c_str(), type.get());
    }
    duckdb_bind_set_cardinality(info, loan->source->rows_estimate(), false);
    duckdb_bind_set_bind_data(info, new BindData{std::move(loan)}, Delete<BindData>);
}

void Init(duckdb_init_info info) {
    const auto& bind = *static_cast<BindData*>(duckdb_init_get_bind_data(info));
    duckdb_init_set_max_threads(info, std::max<std::size_t>(1, bind.loan->source->threads_max()));
}

void LocalInit(duckdb_init_info info) {
    const auto& bind = *static_cast<BindData*>(duckdb_init_get_bind_data(info));
    auto reader = bind.loan->source->Open();
    if (!reader) {
        Remember(*bind.loan, reader.error());
        duckdb_init_set_error(info, reader.error().message.c_str());
        return;
    }
    auto* local = new LocalState{std::move(*reader), ChunkBlock(bind.loan->source->columns())};
    duckdb_init_set_init_data(info, local, Delete<LocalState>);
}

void Fill(duckdb_function_info info, duckdb_data_chunk chunk) {
    auto& local = *static_cast<LocalState*>(duckdb_function_get_local_init_data(info));
    const auto rows = local.reader->Fill(local.block.ForWriting(chunk));
    if (!rows) {
        const auto& bind = *static_cast<BindData*>(duckdb_function_get_bind_data(info));
        Remember(*bind.loan, rows.error());
        duckdb_function_set_error(info, rows.error().message.c_str());
        return;
    }
    duckdb_data_chunk_set_size(chunk, *rows);
}

}  // namespace

Status RowsFunction::Register(duckdb_connection connection) {
    const TableFunction function(duckdb_create_table_function());
    const LogicalType id(duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT));
    duckdb_table_function_set_name(function.get(), "biwa_rows");
    duckdb_table_function_add_parameter(function.get(), id.get());
    duckdb_table_function_set_extra_info(function.get(), this, nullptr);
    duckdb_table_function_set_bind(function.get(), Bind);
    duckdb_table_function_set_init(function.get(), Init);
    duckdb_table_function_set_local_init(function.get(), LocalInit);
    duckdb_table_function_set_function(function.get(), Fill);
    if (duckdb_register_table_function(connection, function.get()) != DuckDBSuccess) {
        return Corrupt("DuckDB did not take the table function biwa_rows");
    }
    return {};
}

std::shared_ptr<RowsFunction::Loan> RowsFunction::Find(std::uint64_t id, idx_t connection_id) {
    std::lock_guard lock(mutex_);
    const auto found = loans_.find(id);
    if (found == loans_.end() || found->second->connection_id != connection_id) return nullptr;
    return found->second;
}

RowsFunction::Lease::Lease(RowsFunction& function, idx_t connection_id, RowSource& source)
    : function_(function) {
    auto loan = std::make_shared<Loan>();
    loan->connection_id = connection_id;
    loan->source = &source;
    std::lock_guard lock(function_.mutex_);
    id_ = function_.next_id_++;
    function_.loans_[id_] = std::move(loan);
}

RowsFunction::Lease::~Lease() {
    std::lock_guard lock(function_.mutex_);
    function_.loans_.erase(id_);
}

std::optional<Error> RowsFunction::Lease::error() const {
    std::lock_guard lock(function_.mutex_);
    auto& loan = *function_.loans_.at(id_);
    std::lock_guard loan_lock(loan.mutex);
    return loan.error;
}

}  // namespace biwa::duck
