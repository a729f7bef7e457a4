// The command line.
#pragma once

#include "instance/instance.h"

namespace biwa::cli {

// Runs one command. Data goes to stdout, talk to stderr. Returns the exit code: 0 good, 1 failed,
// 2 changes pending (plan --detailed-exitcode), 64 wrong usage.
int Main(int argc, char** argv, Engine& engine);

}  // namespace biwa::cli
