// A file that only takes room on a disk, so that there is some left when the disk is full: to
// start, to write down what is applied, to take away what is not needed any more.
//
// It is given up when almost nothing else is free, and made again when there is room for it. While
// it is given up, those who write much must not (Check). A disk too small for it has none.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace biwa {

class DiskReserve {
  public:
    // 0 bytes: none is kept, and one that is there goes. Nothing happens before it is asked to
    // look.
    DiskReserve(std::filesystem::path file, std::uint64_t bytes);

    // Gives it up when little is free, so that what begins has some room. One thread at a time.
    void GiveUpIfLow();
    // That, or makes it when there is room. Quick enough to be called four times a second.
    void Look();

    // From any thread. kUnavailable, with what is free and what is needed, while it is given up.
    Status Check() const;
    bool is_given_up() const { return is_given_up_; }

    // With less than this free it is given up; with this free beside it, it can be made.
    static constexpr std::uint64_t kLowBytes = 8'000'000;
    static constexpr std::uint64_t kEnoughBytes = 16'000'000;

  private:
    std::uint64_t FreeBytes() const;
    bool IsWhole();
    void Make();

    const std::filesystem::path file_;
    const std::uint64_t bytes_;
    std::atomic<bool> is_given_up_ = false;
    bool is_impossible_ = false;  // the file system cannot set room aside
};

}  // namespace biwa
