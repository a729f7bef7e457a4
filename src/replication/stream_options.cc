#include "replication/stream_options.h"

#include <algorithm>

namespace biwa {

namespace {

// Beside a running stream a copy writes in short slices: the stream writes in between.
constexpr std::chrono::milliseconds kSliceBeside{250};

}  // namespace

LineOptions OwnLine(const StreamOptions& options) {
    LineOptions line;
    line.name = options.name;
    line.dataset = options.dataset;
    line.history = options.history;
    line.snapshot = options.snapshot;
    line.texts = options.texts;
    line.commit_every = options.commit_every;
    line.queue_bytes_max = options.queue_bytes_max;
    line.may_write = options.may_write;
    line.is_read = options.is_read;
    return line;
}

LineOptions JoinLine(const StreamOptions& options) {
    auto line = OwnLine(options);
    line.name = JoinName(options.name);
    line.beside = true;
    // It begins when they are the stream's.
    line.history.clear();
    line.snapshot.slice = std::min(line.snapshot.slice, kSliceBeside);
    // Its position has to reach the stream's soon, changes or not.
    line.idle_every = std::chrono::milliseconds(200);
    // While tables are handed over the stream waits for it.
    line.is_read = [] { return true; };
    return line;
}

std::string JoinName(const std::string& stream) { return stream + "_join"; }

}  // namespace biwa
