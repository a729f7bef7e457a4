// What an instance tells of itself, for Prometheus.
#pragma once

#include <string>

#include "instance/status_json.h"

namespace biwa {

// The text format, version 0.0.4. Names and units are Prometheus's: seconds, bytes, …_total.
std::string MetricsText(const InstanceFacts& facts);

}  // namespace biwa
