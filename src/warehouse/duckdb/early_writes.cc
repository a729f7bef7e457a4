#include "warehouse/duckdb/early_writes.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace biwa::duck {

namespace {

// Some megabytes of what a copy writes: no more are left when it ends, and pages that go are still
// in the processor's cache when they come again.
constexpr auto kEvery = std::chrono::milliseconds(10);

// Pages from an offset on go.
void Write(int file, std::optional<off_t> go_from, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, stop, kEvery, [&] { return stop.stop_requested(); })) {
        // Of the whole file (0, 0): the system knows which pages of it are to be written.
        if (::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) != 0) return;
        // Those that are still on their way stay, until the next time.
        if (go_from) ::posix_fadvise(file, *go_from, 0, POSIX_FADV_DONTNEED);
    }
}

}  // namespace

EarlyWrites::EarlyWrites(int file, Pages pages) {
    if (file < 0) return;
    struct stat now {};
    std::optional<off_t> go_from;
    if (pages == Pages::kGo && ::fstat(file, &now) == 0) go_from = now.st_size;
    thread_ = std::jthread([=](std::stop_token stop) { Write(file, go_from, std::move(stop)); });
}

}  // namespace biwa::duck
