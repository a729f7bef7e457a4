#include "warehouse/duckdb/rows_function.h"

#include <algorithm>
#include <memory>
#include <utility>

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
    bool is_done = false;
};

// Of biwa_has.
struct Condition {
    std::shared_ptr<Loan> loan;
    // The id and what is compared; empty if it is not of the key's types, and nothing can be told.
    std::vector<Column> arguments;
};

template <typename T>
void Delete(void* object) {
    delete static_cast<T*>(object);
}

template <typename T>
void* Copy(void* object) {
    return new T(*static_cast<const T*>(object));
}

std::vector<const Cells*> PlacesOf(const RowBlock& block, const std::vector<std::size_t>& columns) {
    std::vector<const Cells*> places;
    for (const auto column : columns) places.push_back(&block.columns[column]);
    return places;
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
    // The planner takes a fifth of a table to be left by a condition that it knows nothing of, as
    // biwa_has. Only if the keys are few by the same measure does it hash the fewer of the two.
    const auto rows = loan->source->rows_estimate();
    duckdb_bind_set_cardinality(info, loan->key.empty() ? rows : rows / 5, false);
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
    ++bind.loan->readers;
    auto* local = new LocalState{std::move(*reader), ChunkBlock(bind.loan->source->columns())};
    duckdb_init_set_init_data(info, local, Delete<LocalState>);
}

void Fill(duckdb_function_info info, duckdb_data_chunk chunk) {
    auto& local = *static_cast<LocalState*>(duckdb_function_get_local_init_data(info));
    auto& loan = *static_cast<BindData*>(duckdb_function_get_bind_data(info))->loan;
    auto& block = local.block.ForWriting(chunk);
    const auto rows = local.reader->Fill(block);
    if (!rows) {
        Remember(loan, rows.error());
        duckdb_function_set_error(info, rows.error().message.c_str());
        return;
    }
    if (loan.filter) loan.filter->Add(PlacesOf(block, loan.key), *rows);
    if (*rows == 0 && !std::exchange(local.is_done, true)) ++loan.readers_done;
    duckdb_data_chunk_set_size(chunk, *rows);
}

// The value of an argument that is a constant.
BoundValue ConstantOf(duckdb_client_context context, duckdb_expression argument) {
    BoundValue value;
    if (duckdb_expression_is_foldable(argument)) {
        const ErrorData error(duckdb_expression_fold(context, argument, value.out()));
        if (duckdb_error_data_has_error(error.get())) return {};
    }
    return value;
}

void BindHas(duckdb_bind_info info) {
    auto& function = *static_cast<RowsFunction*>(duckdb_scalar_function_bind_get_extra_info(info));
    ClientContext context;
    duckdb_scalar_function_get_client_context(info, context.out());
    auto condition = std::make_unique<Condition>();
    const Expression id(duckdb_scalar_function_bind_get_argument(info, 0));
    if (const auto value = ConstantOf(context.get(), id.get())) {
        condition->loan = function.Find(duckdb_get_uint64(value.get()),
                                        duckdb_client_context_get_connection_id(context.get()));
    }
    if (!condition->loan) {
        duckdb_scalar_function_bind_set_error(info, "biwa_has is for Biwa itself");
        return;
    }
    const auto& loan = *condition->loan;
    const auto count = duckdb_scalar_function_bind_get_argument_count(info) - 1;
    bool is_key = loan.filter != nullptr && count == loan.key.size();
    condition->arguments = {{"id", {TypeId::kInt64}, false, ""}};
    for (idx_t i = 0; is_key && i < count; ++i) {
        const Expression argument(duckdb_scalar_function_bind_get_argument(info, i + 1));
        const LogicalType type(duckdb_expression_return_type(argument.get()));
        const auto& of_key = loan.source->columns()[loan.key[i]];
        is_key = FromLogicalType(type.get()) == of_key.type;
        condition->arguments.push_back(of_key);
    }
    if (!is_key) condition->arguments.clear();
    duckdb_scalar_function_set_bind_data(info, condition.release(), Delete<Condition>);
    duckdb_scalar_function_set_bind_data_copy(info, Copy<Condition>);
}

// Called for each 2,048 rows.
void Has(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector result) {
    const auto& condition =
        *static_cast<const Condition*>(duckdb_scalar_function_get_bind_data(info));
    const auto& loan = *condition.loan;
    if (loan.rests != nullptr) loan.rests->RestIfDue();
    const bool is_whole = loan.readers_done != 0 && loan.readers_done == loan.readers;
    if (condition.arguments.empty() || !is_whole) {
        // One value for all of them: the engine then looks at no row.
        const BoundValue always(duckdb_create_bool(true));
        duckdb_vector_reference_value(result, always.get());
        return;
    }
    ChunkBlock block(condition.arguments);
    const auto& rows = block.ForReading(chunk);
    std::vector<const Cells*> key;
    for (std::size_t i = 1; i < rows.columns.size(); ++i) key.push_back(&rows.columns[i]);
    loan.filter->MayHave(key, rows.rows, static_cast<bool*>(duckdb_vector_get_data(result)));
}

Status RegisterHas(duckdb_connection connection, RowsFunction& of) {
    const ScalarFunction function(duckdb_create_scalar_function());
    const LogicalType id(duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT));
    const LogicalType any(duckdb_create_logical_type(DUCKDB_TYPE_ANY));
    const LogicalType boolean(duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN));
    duckdb_scalar_function_set_name(function.get(), "biwa_has");
    duckdb_scalar_function_add_parameter(function.get(), id.get());
    duckdb_scalar_function_set_varargs(function.get(), any.get());
    duckdb_scalar_function_set_return_type(function.get(), boolean.get());
    // What it says changes once the keys have been read; and it is asked for NULLs as well.
    duckdb_scalar_function_set_volatile(function.get());
    duckdb_scalar_function_set_special_handling(function.get());
    duckdb_scalar_function_set_extra_info(function.get(), &of, nullptr);
    duckdb_scalar_function_set_bind(function.get(), BindHas);
    duckdb_scalar_function_set_function(function.get(), Has);
    if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess) {
        return Corrupt("DuckDB did not take the function biwa_has");
    }
    return {};
}

}  // namespace

Status RowsFunction::Register(duckdb_connection connection) {
    BIWA_TRY(RegisterHas(connection, *this));
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

RowsFunction::Lease::Lease(RowsFunction& function, idx_t connection_id, RowSource& source,
                           std::vector<std::size_t> key, Rests* rests)
    : function_(function) {
    auto loan = std::make_shared<Loan>();
    loan->connection_id = connection_id;
    loan->source = &source;
    loan->rests = rests;
    const bool can_tell = std::all_of(key.begin(), key.end(), [&](std::size_t column) {
        return KeyFilter::CanTell(source.columns()[column].type);
    });
    if (!key.empty() && can_tell) {
        loan->filter = std::make_unique<KeyFilter>(source.rows_estimate());
    }
    loan->key = std::move(key);
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
