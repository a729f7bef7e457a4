// What could hinder a stream from a MariaDB or MySQL server.
#pragma once

#include <string>
#include <vector>

#include "source/mysql/connection.h"
#include "source/source.h"

namespace biwa::mysql {

Result<std::vector<Finding>> Examine(const ConnectionParameters& parameters,
                                     const std::vector<std::string>& tables);

}  // namespace biwa::mysql
