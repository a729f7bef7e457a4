// How threads that work in bursts share the processors with what else runs on the machine.
#pragma once

#include <cstdint>

namespace biwa {

// While it lives, its thread gives way: whoever wakes up on its processor, a session of a database
// say, is let in at once, and not when the thread's turn is over, milliseconds later. So do the
// threads that are started meanwhile, for good. It takes no less of the processors than before.
//
// This is what long time slices mean to Linux 6.12 and later, across sessions and services too,
// whose priorities count among themselves only. Before 6.6 whoever wakes up is let in anyway; where
// it cannot be had nothing happens.
class GivesWay {
  public:
    GivesWay();
    ~GivesWay();
    GivesWay(const GivesWay&) = delete;
    GivesWay& operator=(const GivesWay&) = delete;

  private:
    std::uint64_t slice_before_ns_ = 0;  // 0: as it was
};

}  // namespace biwa
