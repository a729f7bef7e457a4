#include "warehouse/duckdb/early_writes.h"

#include <fcntl.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace biwa::duck {

namespace {

// Some ten megabytes of what a copy writes: no more are left when it ends.
constexpr auto kEvery = std::chrono::milliseconds(50);

void Write(int file, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, stop, kEvery, [&] { return stop.stop_requested(); })) {
        // Of the whole file (0, 0): the system knows which pages of it are to be written.
        if (::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) != 0) return;
    }
}

}  // namespace

EarlyWrites::EarlyWrites(int file) {
    if (file >= 0) thread_ = std::jthread([file](std::stop_token stop) { Write(file, stop); });
}

}  // namespace biwa::duck
