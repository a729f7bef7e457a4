// Rows and keys as they are now, each on a connection of its own: StreamSource::ReadRows, ReadKeys.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/postgres/connection.h"
#include "source/source.h"

namespace biwa::postgres {

// `only`: of tables that are among them no more than that part.
Result<std::unique_ptr<RowReader>> ReadRowsByKey(const ConnectionParameters& parameters,
                                                 const SourceTable& table,
                                                 const std::vector<std::vector<std::string>>& keys,
                                                 const TableParts& only);
Result<std::unique_ptr<RowReader>> ReadKeysInRange(const ConnectionParameters& parameters,
                                                   const SourceTable& table, const KeyRange& range,
                                                   const TableParts& only);

}  // namespace biwa::postgres
