// Which server's log a stream is in: found out when it begins to follow, and again after a
// failover.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "source/mysql/connection.h"
#include "source/mysql/position.h"

namespace biwa::mysql {

// Shared by all who look at one line of a stream, from any thread.
struct Bearings {
    // The order of what is durable: the server is not told.
    std::atomic<std::uint64_t> acknowledged = 0;
    // BinlogPlace::base of the server as it is now; shared by all lines of a stream, which only
    // raise it.
    std::shared_ptr<std::atomic<std::uint64_t>> base;

    void RaiseBase(std::uint64_t to) const;
};

// The server's server_id.
Result<std::uint32_t> ServerNumber(const Connection& connection);

// Whether this is another server than the one that the place is of. Of MySQL without GTIDs, and of
// places from before servers were noted, it is not known: the log's files tell.
bool IsElsewhere(const Connection& connection, std::uint32_t server, const BinlogPlace& place);

// kConflict when the server's log cannot be gone on with after what the place's GTIDs say.
Status CheckGtids(const Connection& connection, const BinlogPlace& place);

// kConflict when the log that is being followed was begun anew (RESET MASTER), of which whoever
// follows is told nothing: the server goes on to wait in a file that is gone, or goes over into the
// next one of the new log. `at_begin_of_file`: nothing of the place's file was read yet, and all of
// the one before. Else it is seen as long as the new log has less than was read of the old one.
Status CheckLogGoesOn(const Connection& connection, const BinlogPlace& place,
                      bool at_begin_of_file);

}  // namespace biwa::mysql
