// Reads the rows of a range of keys anew, while changes flow.
//
// The keys are those that the source and those that the warehouse has in the range; the rows of
// each are then made what they are at the source, between two batches of changes, as a repair does
// it (RepairRows): whatever happens to them meanwhile comes out right. A row that comes into the
// range later comes as any change.
#pragma once

#include <cstdint>
#include <stop_token>

#include "base/result.h"
#include "model/table.h"
#include "replication/reconciler.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// How many keys were read. The table is live in `target`. kUser: it has no keys, or the range is
// none of theirs.
Result<std::uint64_t> Backfill(Warehouse& warehouse, StreamSource& source, ReconciledStream& stream,
                               const SourceTable& table, const TableName& target,
                               const KeyRange& range, std::stop_token stop);

}  // namespace biwa
