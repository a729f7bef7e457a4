// The table function biwa_rows(id), by which a statement reads a RowSource: the way of all bulk
// data into DuckDB. It decodes into the engine's own vectors, on as many threads as the source
// bears.
#pragma once

#include <duckdb.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/result.h"
#include "model/rows.h"

namespace biwa::duck {

class RowsFunction {
  public:
    Status Register(duckdb_connection connection);

    // Lends a source to the statements of one connection for the lifetime of this object. Anybody
    // else's biwa_rows(id) is refused: an id is no permission.
    class Lease {
      public:
        Lease(RowsFunction& function, idx_t connection_id, RowSource& source);
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease();
        std::uint64_t id() const { return id_; }
        // The first error of the source's readers: what DuckDB reports keeps only its text.
        std::optional<Error> error() const;

      private:
        RowsFunction& function_;
        std::uint64_t id_;
    };

    // One lent source; shared with the function's callbacks.
    struct Loan {
        idx_t connection_id = 0;
        RowSource* source = nullptr;
        std::mutex mutex;
        std::optional<Error> error;
    };
    std::shared_ptr<Loan> Find(std::uint64_t id, idx_t connection_id);

  private:
    mutable std::mutex mutex_;
    std::map<std::uint64_t, std::shared_ptr<Loan>> loans_;
    std::uint64_t next_id_ = 1;
};

}  // namespace biwa::duck
