// A stream's end at a MariaDB or MySQL server. Nothing is made there: the server keeps its binary
// log for as long as it is told to, whoever reads it.
#pragma once

#include <memory>

#include "source/mysql/bearings.h"
#include "source/mysql/connection.h"
#include "source/source.h"

namespace biwa::mysql {

Result<std::unique_ptr<StreamSource>> OpenStreamSource(const ConnectionParameters& parameters,
                                                       std::shared_ptr<Bearings> bearings);

}  // namespace biwa::mysql
