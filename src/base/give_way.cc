#include "base/give_way.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>

namespace biwa {

namespace {

// The kernel's struct sched_attr, in its first version; glibc 2.36 has neither it nor the calls.
struct Attributes {
    std::uint32_t size = sizeof(Attributes);
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 0;  // of ordinary threads: the slice
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
};

// The longest that the kernel takes.
constexpr std::uint64_t kSliceNs = 100'000'000;

// The calling thread's, if it is an ordinary one on a kernel that has slices of threads.
std::optional<Attributes> OwnAttributes() {
    Attributes own;
    if (::syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) != 0) return std::nullopt;
    const bool is_ordinary = own.policy == SCHED_OTHER || own.policy == SCHED_BATCH;
    if (!is_ordinary || own.runtime_ns == 0) return std::nullopt;
    own.flags = 0;
    return own;
}

bool SetSlice(Attributes own, std::uint64_t slice_ns) {
    own.runtime_ns = slice_ns;
    return ::syscall(SYS_sched_setattr, 0, &own, 0) == 0;
}

}  // namespace

GivesWay::GivesWay() {
    const auto own = OwnAttributes();
    if (own && SetSlice(*own, kSliceNs)) slice_before_ns_ = own->runtime_ns;
}

GivesWay::~GivesWay() {
    if (slice_before_ns_ == 0) return;
    if (const auto own = OwnAttributes()) SetSlice(*own, slice_before_ns_);
}

}  // namespace biwa
