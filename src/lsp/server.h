// A language server (LSP 3.17) for the definitions of projects.
//
// One thread reads messages, another answers them in their order; a request that is cancelled
// before its turn is not worked on. What is wrong with a project is told when nothing was typed for
// a moment. A document outside of any project has a layout and symbols, and nothing more.
#pragma once

#include <chrono>
#include <istream>
#include <ostream>
#include <string>

#include "lsp/project_tools.h"

namespace biwa::lsp {

struct ServerOptions {
    std::string version;
    // After the last change, before the project is compiled.
    std::chrono::milliseconds quiet_time{20};
    // And before its folder is read again.
    std::chrono::milliseconds folder_time{2000};
};

// Serves until "exit" or the end of the input. Returns the exit code that the protocol asks for: 0
// where "shutdown" came first. An error when what comes in is no message. Closes nothing.
Result<int> Serve(std::istream& in, std::ostream& out, ProjectTools& tools,
                  const ServerOptions& options);

}  // namespace biwa::lsp
