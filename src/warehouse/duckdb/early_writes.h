// Has the system write to the disk what a long statement adds to the file, while it runs.
//
// Left alone the system begins when much has gathered, gigabytes on a large machine, or after some
// seconds; so the commit, which waits until all is on the disk, finds most of it still to be
// written, and the processors stand still.
#pragma once

#include <thread>

namespace biwa::duck {

// A thread while it lives. Nothing is waited for, and no error taken from the commit, which writes
// what is left: where the system cannot do it, all is as without it.
class EarlyWrites {
  public:
    // The open file; below zero there is none, and nothing is done.
    explicit EarlyWrites(int file);

  private:
    std::jthread thread_;
};

}  // namespace biwa::duck
