// Reading a copy from a standby, so that the primary is spared.
//
// The slot is made at the primary, and the standby is read when it has replayed the log up to there
// or further. So what is read holds all changes from before the slot's position, and may hold some
// from after it. Those come once more with the stream, which applies them by key: each makes a row
// what it was after that change, and the last one makes it what it is, whether the copy had it
// before or not; a delete of what the copy does not have does nothing. So from the moment when the
// stream has passed the position that the standby was at, the table is exact. A table whose rows
// are not told apart by a key cannot be read so: there each change counts.
#pragma once

#include <memory>

#include "source/postgres/catalog.h"
#include "source/postgres/connection.h"
#include "source/source.h"

namespace biwa::postgres {

// A connection to the standby, which has replayed what the primary has written before this call.
// kUser: it is no standby of this primary. kUnavailable: it does not get there in time.
Result<Connection> OpenStandby(const ConnectionParameters& standby, const Connection& primary);

// Its state as of now, or later, for PostgresSnapshot.
Result<std::unique_ptr<SnapshotReader>> SnapshotOf(const ConnectionParameters& parameters,
                                                   Connection exporter, const TableParts& only);

// Why a table cannot be read so, as SourceTable::refusal says it.
void RefuseWithoutKey(SourceTable& table);

}  // namespace biwa::postgres
