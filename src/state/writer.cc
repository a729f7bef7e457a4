#include "state/writer.h"

namespace biwa {

MetaStore::Writer::Writer(SqliteDatabase database)
    : database_(std::move(database)), thread_([this] { Loop(); }) {}

MetaStore::Writer::~Writer() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        arrived_.notify_one();
    }
    thread_.join();
}

Status MetaStore::Writer::Write(Job job) {
    Waiting waiting{std::move(job), {}, false};
    std::unique_lock lock(mutex_);
    queue_.push_back(&waiting);
    arrived_.notify_one();
    finished_.wait(lock, [&] { return waiting.done; });
    return std::move(waiting.status);
}

void MetaStore::Writer::Loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        arrived_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        std::deque<Waiting*> batch;
        batch.swap(queue_);
        lock.unlock();
        CommitTogether(batch);
        lock.lock();
        for (auto* waiting : batch) waiting->done = true;
        finished_.notify_all();
    }
}

void MetaStore::Writer::CommitTogether(const std::deque<Waiting*>& batch) {
    auto transaction = database_.Execute("BEGIN IMMEDIATE");
    for (auto* waiting : batch) {
        if (!transaction) break;
        transaction = database_.Execute("SAVEPOINT job");
        if (!transaction) break;
        waiting->status = waiting->job(database_);
        // A full disk may have ended the whole transaction; then this fails as well.
        if (!waiting->status) transaction = database_.Execute("ROLLBACK TO job");
        if (transaction) transaction = database_.Execute("RELEASE job");
    }
    if (transaction) transaction = database_.Execute("COMMIT");
    if (transaction) {
        ++commits_;
        return;
    }
    (void)database_.Execute("ROLLBACK");  // fails when SQLite has done so already
    for (auto* waiting : batch) {
        if (waiting->status) waiting->status = tl::unexpected(transaction.error());
    }
}

}  // namespace biwa
