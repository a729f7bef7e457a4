// What could hinder a stream from a MariaDB or MySQL server.
#pragma once

#include <vector>

#include "source/mysql/connection.h"
#include "source/registry.h"

namespace biwa::mysql {

Result<std::vector<Finding>> Examine(const ConnectionParameters& parameters,
                                     const StreamToExamine& stream);

}  // namespace biwa::mysql
