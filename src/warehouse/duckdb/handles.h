// Owners for the C API's handles.
#pragma once

#include <duckdb.h>

#include <string>
#include <utility>

namespace biwa::duck {

// T is a pointer type of duckdb.h, Destroy its function, which takes its address.
template <typename T, void (*Destroy)(T*)>
class Handle {
  public:
    Handle() = default;
    explicit Handle(T raw) : raw_(raw) {}
    Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~Handle() {
        if (raw_ != nullptr) Destroy(&raw_);
    }
    T get() const { return raw_; }
    T* out() { return &raw_; }  // for the C API to fill
    explicit operator bool() const { return raw_ != nullptr; }

  private:
    T raw_ = nullptr;
};

using Database = Handle<duckdb_database, duckdb_close>;
using Connection = Handle<duckdb_connection, duckdb_disconnect>;
using Config = Handle<duckdb_config, duckdb_destroy_config>;
using Prepared = Handle<duckdb_prepared_statement, duckdb_destroy_prepare>;
using Extracted = Handle<duckdb_extracted_statements, duckdb_destroy_extracted>;
using Pending = Handle<duckdb_pending_result, duckdb_destroy_pending>;
using LogicalType = Handle<duckdb_logical_type, duckdb_destroy_logical_type>;
using DataChunk = Handle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using TableFunction = Handle<duckdb_table_function, duckdb_destroy_table_function>;
using ScalarFunction = Handle<duckdb_scalar_function, duckdb_destroy_scalar_function>;
using ClientContext = Handle<duckdb_client_context, duckdb_destroy_client_context>;
using Expression = Handle<duckdb_expression, duckdb_destroy_expression>;
using ErrorData = Handle<duckdb_error_data, duckdb_destroy_error_data>;
using BoundValue = Handle<duckdb_value, duckdb_destroy_value>;

// duckdb_result is a struct, not a pointer.
class QueryResult {
  public:
    QueryResult() = default;
    QueryResult(QueryResult&& other) noexcept
        : raw_(std::exchange(other.raw_, duckdb_result{})),
          filled_(std::exchange(other.filled_, false)) {}
    QueryResult& operator=(QueryResult&& other) noexcept {
        std::swap(raw_, other.raw_);
        std::swap(filled_, other.filled_);
        return *this;
    }
    ~QueryResult() {
        if (filled_) duckdb_destroy_result(&raw_);
    }
    duckdb_result* out() {
        if (filled_) duckdb_destroy_result(&raw_);
        filled_ = true;
        return &raw_;
    }
    duckdb_result* get() { return &raw_; }

  private:
    duckdb_result raw_{};
    bool filled_ = false;
};

// A string that the C API allocated.
inline std::string TakeString(char* text) {
    std::string copy(text != nullptr ? text : "");
    if (text != nullptr) duckdb_free(text);
    return copy;
}

}  // namespace biwa::duck
