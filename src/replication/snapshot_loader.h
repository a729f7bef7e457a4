// Copies the ranges of one table into the warehouse: as many as fit into a slice of time in one
// transaction, with the note that they are done.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "replication/stream_state.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

struct SnapshotOptions {
    std::size_t readers = 2;  // connections to the source at once
    // What a crash repeats, about; of wide tables up to five times that, until a slice has as many
    // rows as the engine writes well.
    std::chrono::milliseconds slice{2000};
};

// Copies some of `table.ranges_left`, at least one, and takes them out of it. `rows_copied` grows
// while it works. Rolled back as a whole on an error.
Status CopySlice(Warehouse& warehouse, const std::string& stream, SnapshotReader& snapshot,
                 const SourceTable& source, const TableName& target, StreamState::Table& table,
                 const SnapshotOptions& options, std::atomic<std::int64_t>& rows_copied,
                 std::stop_token stop);

}  // namespace biwa
