// The rows of one section of a file.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/rows.h"
#include "source/dump/contents.h"

namespace biwa::dump {

// In the columns of `wanted`, which are some of the table's. A value that is none of its column's
// type is kUser, with the file, the line and the column, and without the value. kUnavailable: the
// file is another one by now.
Result<std::unique_ptr<RowReader>> ReadSection(const std::string& path,
                                               std::shared_ptr<const Contents> contents,
                                               const DumpedTable& table, std::size_t section,
                                               const TableSchema& wanted,
                                               std::atomic<std::uint64_t>& unrepresentable);

}  // namespace biwa::dump
