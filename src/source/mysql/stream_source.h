// A stream's end at a MariaDB or MySQL server. Nothing is made there: the server keeps its binary
// log for as long as it is told to, whoever reads it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "source/mysql/connection.h"
#include "source/source.h"

namespace biwa::mysql {

// `acknowledged`: the order of what is durable, shared by all that look at the stream.
Result<std::unique_ptr<StreamSource>> OpenStreamSource(
    const ConnectionParameters& parameters,
    std::shared_ptr<std::atomic<std::uint64_t>> acknowledged);

}  // namespace biwa::mysql
