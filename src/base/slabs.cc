#include "base/slabs.h"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace biwa {

namespace {

// Of a line of the processor's cache.
constexpr std::size_t kAlignment = 64;

// Not by the C library, which keeps or gives back what is freed as it likes.
std::byte* Map(std::size_t bytes) {
    auto* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(memory);
}

}  // namespace

Slabs::Idle::~Idle() {
    for (auto* slab : slabs) ::munmap(slab, kSlabBytes);
}

std::shared_ptr<std::byte[]> Slabs::TakeSlab() const {
    std::byte* memory = nullptr;
    {
        std::lock_guard lock(idle_->mutex);
        if (!idle_->slabs.empty()) {
            memory = idle_->slabs.back();
            idle_->slabs.pop_back();
        }
    }
    if (memory == nullptr) memory = Map(kSlabBytes);
    return {memory, [idle = idle_](std::byte* slab) {
                std::unique_lock lock(idle->mutex);
                if (idle->slabs.size() < kIdleMax) {
                    idle->slabs.push_back(slab);
                    return;
                }
                lock.unlock();
                ::munmap(slab, kSlabBytes);
            }};
}

std::shared_ptr<std::byte[]> Slabs::Allocate(std::size_t bytes) {
    if (bytes > kPieceMax) return std::shared_ptr<std::byte[]>(new std::byte[bytes]);
    const auto size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    std::lock_guard lock(mutex_);
    if (!current_ || used_ + size > kSlabBytes) {
        current_ = TakeSlab();
        used_ = 0;
    }
    auto* const piece = current_.get() + used_;
    used_ += size;
    return {current_, piece};
}

void Slabs::Release() {
    std::vector<std::byte*> slabs;
    {
        std::lock_guard lock(mutex_);
        current_.reset();
        std::lock_guard idle_lock(idle_->mutex);
        slabs.swap(idle_->slabs);
    }
    for (auto* slab : slabs) ::munmap(slab, kSlabBytes);
}

}  // namespace biwa
