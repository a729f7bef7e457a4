#include "warehouse/duckdb/rests.h"

#include <time.h>

#include <thread>

#include "warehouse/duckdb/handles.h"

namespace biwa::duck {

namespace {

using std::chrono::microseconds;

microseconds WorkOfThisThread() {
    timespec worked{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
    return std::chrono::duration_cast<microseconds>(std::chrono::seconds(worked.tv_sec) +
                                                    std::chrono::nanoseconds(worked.tv_nsec));
}

// Called for each 2,048 rows.
void Rest(duckdb_function_info info, duckdb_data_chunk, duckdb_vector result) {
    static_cast<Rests*>(duckdb_scalar_function_get_extra_info(info))->RestIfDue();
    // One value for all of them: the engine then looks at no row.
    const BoundValue always(duckdb_create_bool(true));
    duckdb_vector_reference_value(result, always.get());
}

}  // namespace

Status Rests::Register(duckdb_connection connection) {
    const ScalarFunction function(duckdb_create_scalar_function());
    const LogicalType any(duckdb_create_logical_type(DUCKDB_TYPE_ANY));
    const LogicalType boolean(duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN));
    duckdb_scalar_function_set_name(function.get(), "biwa_rest");
    duckdb_scalar_function_add_parameter(function.get(), any.get());
    duckdb_scalar_function_set_return_type(function.get(), boolean.get());
    // Else it would be computed once, when the statement is planned, and not for rows with NULL.
    duckdb_scalar_function_set_volatile(function.get());
    duckdb_scalar_function_set_special_handling(function.get());
    duckdb_scalar_function_set_extra_info(function.get(), this, nullptr);
    duckdb_scalar_function_set_function(function.get(), Rest);
    if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess) {
        return Corrupt("DuckDB did not take the function biwa_rest");
    }
    return {};
}

void Rests::Begin(std::function<bool()> nobody_waits) {
    std::lock_guard lock(mutex_);
    nobody_waits_ = std::move(nobody_waits);
    rested_us_ = 0;
    is_on_ = true;
}

void Rests::End() {
    std::lock_guard lock(mutex_);
    is_on_ = false;
    nobody_waits_ = nullptr;
}

Rests::Pace Rests::pace() {
    std::lock_guard lock(mutex_);
    return nobody_waits_ && nobody_waits_() ? kUnawaited : kAwaited;
}

void Rests::RestIfDue() {
    if (!is_on_) return;
    thread_local microseconds worked_before{0};
    const auto worked = WorkOfThisThread();
    if (worked - worked_before < kUnawaited.work) return;
    const auto [work, rest_of, long_rests] = pace();
    if (worked - worked_before < work) return;
    const auto rest = microseconds(rested_us_) < long_rests ? rest_of : work;
    std::this_thread::sleep_for(rest);
    rested_us_ += rest.count();
    worked_before = worked;
}

}  // namespace biwa::duck
