// Between DuckDB's types and data chunks and the model's types and row blocks.
#pragma once

#include <duckdb.h>

#include <deque>
#include <memory>
#include <optional>

#include "model/rows.h"
#include "warehouse/duckdb/handles.h"

namespace biwa::duck {

LogicalType ToLogicalType(const Type& type);

// Nothing where the model has no such type.
std::optional<Type> FromLogicalType(duckdb_logical_type type);

// The SQL type that stands in for one which FromLogicalType does not know.
const char* StandInFor(duckdb_logical_type type);

// Row blocks over the memory of data chunks. Lends: the cells are good while the chunk is.
class ChunkBlock {
  public:
    explicit ChunkBlock(const std::vector<Column>& columns);

    // An empty chunk, to be filled.
    RowBlock& ForWriting(duckdb_data_chunk chunk);
    // A filled one, to be read.
    const RowBlock& ForReading(duckdb_data_chunk chunk);

  private:
    // What the owner of one vector's memory is asked for.
    class VectorOwner final : public CellsOwner {
      public:
        void MakeValidity(Cells& cells) override;
        Cells& GrowChild(Cells& cells, std::size_t size) override;

        duckdb_vector vector = nullptr;
        std::unique_ptr<VectorOwner> child;
        Cells child_cells;
    };
    static void Point(VectorOwner& owner, Cells& cells, duckdb_vector vector, bool for_reading);

    RowBlock block_;
    std::deque<VectorOwner> owners_;
};

}  // namespace biwa::duck
