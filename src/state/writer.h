// The one thread that writes to meta.db.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "state/meta_store.h"
#include "state/sqlite.h"

namespace biwa {

// Jobs that wait at the same time are committed by one transaction, and so by one sync. A job that
// fails takes nothing of the others with it.
class MetaStore::Writer {
  public:
    using Job = std::function<Status(const SqliteDatabase&)>;

    explicit Writer(SqliteDatabase database);
    // After all jobs that were handed in.
    ~Writer();

    // Returns when the job's changes are durable, or are not and never will be. From any thread.
    Status Write(Job job);

    std::uint64_t commits() const { return commits_; }

  private:
    struct Waiting {
        Job job;
        Status status;
        bool done = false;
    };

    void Loop();
    void CommitTogether(const std::deque<Waiting*>& batch);

    SqliteDatabase database_;
    std::atomic<std::uint64_t> commits_ = 0;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::condition_variable finished_;
    std::deque<Waiting*> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace biwa
