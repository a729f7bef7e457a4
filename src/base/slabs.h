// Memory for what comes and goes about together, as the rows of one batch do.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace biwa {

// Room for what comes and goes about together, as the rows of one batch do: pieces lie side by
// side in slabs of a large page. A slab of which nobody holds a piece any more serves again; what
// is given back to the system comes back zeroed, page by page.
//
// From any thread; pieces may outlive this.
class Slabs {
  public:
    // Pieces of less than this are better had from the C library.
    static constexpr std::size_t kPieceMin = 16 << 10;

    Slabs() : idle_(std::make_shared<Idle>()) {}
    // Uninitialised.
    std::shared_ptr<std::byte[]> Allocate(std::size_t bytes);
    // Gives back to the system what nobody uses.
    void Release();

  private:
    static constexpr std::size_t kSlabBytes = 2 << 20;
    static constexpr std::size_t kPieceMax = kSlabBytes / 2;
    static constexpr std::size_t kIdleMax = 96;  // 192 MiB

    // Slabs that wait to be used again.
    struct Idle {
        ~Idle();
        std::mutex mutex;
        std::vector<std::byte*> slabs;
    };
    std::shared_ptr<std::byte[]> TakeSlab() const;

    const std::shared_ptr<Idle> idle_;
    std::mutex mutex_;  // guards the two below
    std::shared_ptr<std::byte[]> current_;
    std::size_t used_ = 0;
};

}  // namespace biwa
