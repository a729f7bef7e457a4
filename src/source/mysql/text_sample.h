// Which texts of a table seldom repeat: MariaDB and MySQL count distinct values only of what has an
// index, and not always.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/mysql/connection.h"
#include "source/source.h"

namespace biwa::mysql {

// How many different values a column has, by those of a sample, each as a number that is another
// one for another value; `of` are all that it has, NULLs left out here and there. The estimator
// Duj1 of Haas and Stokes ("Estimating the Number of Classes in a Finite Population", 1998), which
// PostgreSQL's ANALYZE uses too.
double EstimateDistinct(std::vector<std::uint32_t> values, double of);

// Columns of texts of which at least every second value is another one, by some rows of each of
// `ranges` (key_ranges.h). None where the table is small, is one range, has rows so large that
// looking at some would take long, or where too few are found.
Result<std::set<std::string>> TextsThatSeldomRepeat(const Connection& connection,
                                                    const SourceTable& table,
                                                    const std::vector<SnapshotRange>& ranges);

}  // namespace biwa::mysql
