// What a terminal shows while an instance serves: bars for what is being copied, then one line.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "replication/stream_status.h"
#include "workflow/refresher.h"

namespace biwa::cli {

class Progress {
  public:
    // Draws over what it drew before.
    void Draw(const std::vector<StreamStatus>& streams,
              const std::vector<workflow::ModelStatus>& models);
    void End();

  private:
    std::size_t lines_ = 0;
};

// The lines, each at most `width` cells wide.
std::vector<std::string> ProgressLines(const std::vector<StreamStatus>& streams,
                                       const std::vector<workflow::ModelStatus>& models,
                                       std::size_t width);

}  // namespace biwa::cli
