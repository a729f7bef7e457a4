// Has the system write to the disk what a long statement adds to the file, while it runs.
//
// Left alone the system begins when much has gathered, gigabytes on a large machine, or after some
// seconds; so the commit, which waits until all is on the disk, finds most of it still to be
// written, and the processors stand still.
//
// What is not read again soon does not stay in the system's memory either. Each page would be one
// that others have given up, or that a virtual machine has first to get from its host, which can
// take longer than everything else that is done with it; so the next ones get those that were just
// written.
#pragma once

#include <thread>

namespace biwa::duck {

// A thread while it lives. Nothing is waited for, and no error taken from the commit, which writes
// what is left: where the system cannot do it, all is as without it.
class EarlyWrites {
  public:
    enum class Pages { kStay, kGo };

    // The open file; below zero there is none, and nothing is done. Pages go that the file grows
    // by from now on, when they are on the disk.
    EarlyWrites(int file, Pages pages);

  private:
    std::jthread thread_;
};

}  // namespace biwa::duck
