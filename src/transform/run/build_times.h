// How long the last build of each model took: which models are so small that what comes with a
// transaction is most of the work, and several of them are better built in one.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "transform/compile/graph.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// Thread-safe.
class BuildTimes {
  public:
    // Out of _biwa.applied, once. What cannot be read is not known.
    void Load(Warehouse& warehouse);

    // Nothing where the action was not built yet as it is defined now.
    std::optional<double> SecondsOf(const Action& action) const;
    void Note(const Action& action, double seconds);

  private:
    struct Time {
        std::string content_hash;
        double seconds = 0;
    };

    mutable std::mutex mutex_;
    bool is_loaded_ = false;
    std::map<std::string, Time> times_;  // by model
};

}  // namespace biwa::transform
