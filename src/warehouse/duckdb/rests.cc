#include "warehouse/duckdb/rests.h"

#include <time.h>

#include <thread>

namespace biwa::duck {

namespace {

using std::chrono::microseconds;

microseconds WorkOfThisThread() {
    timespec worked{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
    return std::chrono::duration_cast<microseconds>(std::chrono::seconds(worked.tv_sec) +
                                                    std::chrono::nanoseconds(worked.tv_nsec));
}

}  // namespace

void Rests::Begin(std::function<bool()> nobody_waits) {
    std::lock_guard lock(mutex_);
    nobody_waits_ = std::move(nobody_waits);
    rested_us_ = 0;
    is_on_ = true;
}

void Rests::End() {
    std::lock_guard lock(mutex_);
    is_on_ = false;
    nobody_waits_ = nullptr;
}

Rests::Pace Rests::pace() {
    std::lock_guard lock(mutex_);
    return nobody_waits_ && nobody_waits_() ? kUnawaited : kAwaited;
}

void Rests::RestIfDue() {
    if (!is_on_) return;
    thread_local microseconds worked_before{0};
    const auto worked = WorkOfThisThread();
    if (worked - worked_before < kUnawaited.work) return;
    const auto [work, rest_of, long_rests] = pace();
    if (worked - worked_before < work) return;
    const auto rest = microseconds(rested_us_) < long_rests ? rest_of : work;
    std::this_thread::sleep_for(rest);
    rested_us_ += rest.count();
    worked_before = worked;
}

}  // namespace biwa::duck
