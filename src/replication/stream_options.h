// What a stream is to do: its settings, and what may be asked of it while it runs.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/log_guard.h"
#include "replication/stream_line.h"
#include "replication/target_table.h"
#include "source/source.h"

namespace biwa {

struct StreamOptions {
    std::string name;
    TargetDataset dataset;
    std::vector<std::string> tables;   // patterns
    std::vector<std::string> exclude;  // "schema.table", "schema.prefix*"
    std::vector<std::string> history;  // those of them whose history is kept
    SnapshotOptions snapshot;
    std::optional<TextStorage> texts = {};  // in tables that are made; nothing: as there is room
    // Changes become visible at most this often, unless many wait: a commit costs, and each makes
    // dashboards and models look again.
    std::chrono::milliseconds commit_every{100};
    std::size_t queue_bytes_max = 32 << 20;
    LogGuard log_guard;
    // The first wait after an error; each further one is twice as long, up to half a minute.
    std::chrono::milliseconds retry_first{500};
    // How often to look for tables that have come, gone or changed.
    std::chrono::milliseconds discover_every{10'000};
    // When the source does not have the changes any more: copy all tables anew. Else stop.
    bool recopy_when_lost = false;
    // How often all tables are compared with the source, and whether what differs is read anew; 0:
    // only when asked.
    std::chrono::milliseconds reconcile_every{0};
    bool reconcile_repairs = false;
    // Whether there is room for what comes; from the stream's threads.
    std::function<Status()> may_write = [] { return Status(); };
    // Whether somebody has read from the warehouse of late: while nobody does, commits that cost
    // something are rarer. From the stream's threads.
    std::function<bool()> is_read = [] { return true; };
};

// What somebody asks of a running stream.
enum class StreamRequest { kRecopy, kDropColumns, kDropTables, kPause, kResume };

// Opens the source's end of a line of the stream (its own, or JoinName of it).
using OpenStreamSource =
    std::function<Result<std::unique_ptr<StreamSource>>(const std::string& line)>;

// Called after each commit with the tables that changed, from the stream's thread.
using OnTablesChanged = std::function<void(const std::vector<TableName>&)>;

// The line that the stream itself is, and the one on which tables come to it.
LineOptions OwnLine(const StreamOptions& options);
LineOptions JoinLine(const StreamOptions& options);
// The name of the second one, in the warehouse's books and at the source.
std::string JoinName(const std::string& stream);

}  // namespace biwa
