// Brings changes into the warehouse: folded by key, all tables and the position in one transaction.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "replication/change_buffer.h"
#include "replication/stream_state.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// The warehouse's table for a table of the source: in the stream's dataset, by the table's name;
// with the schema's name in front where it is not the source's usual one.
TableName TargetTable(const std::string& dataset, const std::string& source_schema,
                      const std::string& source_table);

// What the comment of a masked column begins with in the warehouse; its mask follows.
inline constexpr std::string_view kMaskComment = "masked: ";

// Makes the table, or gives it the columns that it lacks, and says in the comment of a new one how
// it is masked. kConflict when a column has another type.
Status PrepareTargetTable(WriteTransaction& transaction, const TableName& target,
                          const TableSchema& columns);

// Used by one thread. After an error it is spent: begin again from the position in the warehouse.
class Applier {
  public:
    // `source` is asked for rows that a copy has missed.
    Applier(Warehouse& warehouse, std::string stream, std::string dataset, const StreamState& state,
            StreamSource& source);
    ~Applier();

    // Takes a batch in. The warehouse is touched only if memory must be freed (a transaction larger
    // than `bytes_max`) or a table's columns changed.
    Status Add(ChangeBatch batch);

    // Whether what was taken in ends with a commit, so that it can be made visible.
    bool can_commit() const { return at_commit_ && position_.has_value(); }
    std::uint64_t changes() const { return changes_; }
    std::size_t bytes() const;

    struct Applied {
        Position position;
        Micros commit_time = 0;
        std::uint64_t changes = 0;
        std::vector<TableName> tables;
    };
    // Applies and commits what was taken in. Only when can_commit().
    Result<Applied> Commit();

    static constexpr std::size_t kBytesMax = 192 << 20;

  private:
    struct Table {
        std::string schema;  // as the source names it
        std::string name;
        TableName target;
        std::uint64_t overlap_until = 0;
        std::shared_ptr<const TableSchema> prepared;  // the target has these columns
        // One for each set of columns that the waiting changes have, in their order.
        std::vector<std::unique_ptr<ChangeBuffer>> buffers;
    };

    Status Open();
    Status Prepare(Table& table, const std::shared_ptr<const TableSchema>& columns);
    Status Flush(Table& table);
    Status FlushBuffer(Table& table, const ChangeBuffer& buffer);
    Status FlushAll();
    Status Complete(Table& table, const ChangeBuffer& buffer, RowSource& partial_rows);
    Status MendMissing(Table& table, const TableSchema& columns);

    Warehouse& warehouse_;
    const std::string stream_;
    StreamSource& source_;
    std::map<std::string, Table> tables_;  // by "schema.table" of the source
    std::unique_ptr<WriteTransaction> transaction_;
    std::map<TableName, bool> touched_;
    std::uint64_t known_until_;  // changes up to here were taken in
    std::optional<Position> position_;
    Micros commit_time_ = 0;
    std::uint64_t changes_ = 0;
    bool at_commit_ = true;
};

}  // namespace biwa
