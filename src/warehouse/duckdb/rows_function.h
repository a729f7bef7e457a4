// The table function biwa_rows(id), by which a statement reads a RowSource: the way of all bulk
// data into DuckDB. It decodes into the engine's own vectors, on as many threads as the source
// bears.
//
// And biwa_has(id, column, …), true where these may be the key of one of that source's rows: in the
// condition of a join of a table with it, it passes over almost all rows of the table that have no
// such key, once all of the source's have been read. A hash join reads them first. Until then it is
// true for all, so that it is right in whichever order the engine reads.
#pragma once

#include <duckdb.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/result.h"
#include "model/rows.h"
#include "warehouse/duckdb/key_filter.h"
#include "warehouse/duckdb/rests.h"

namespace biwa::duck {

class RowsFunction {
  public:
    Status Register(duckdb_connection connection);

    // Lends a source to the statements of one connection for the lifetime of this object. Anybody
    // else's biwa_rows(id) is refused: an id is no permission. `key`: which of the source's columns
    // biwa_has compares. With `rests`, who asks biwa_has rests.
    class Lease {
      public:
        Lease(RowsFunction& function, idx_t connection_id, RowSource& source,
              std::vector<std::size_t> key, Rests* rests);
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

    // One lent source; shared with the functions' callbacks.
    struct Loan {
        idx_t connection_id = 0;
        RowSource* source = nullptr;
        std::vector<std::size_t> key;
        Rests* rests = nullptr;
        // Of the key; null where it cannot tell it. What is in it is all of it while no reader is
        // in the midst of its rows.
        std::unique_ptr<KeyFilter> filter;
        std::atomic<std::size_t> readers = 0;
        std::atomic<std::size_t> readers_done = 0;
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
