// Two tables compared by value: what a unit test expects with what was built, what is in the
// warehouse with what a definition would build now.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "transform/run/result.h"
#include "warehouse/warehouse.h"

namespace biwa::transform {

// How the two sides are called in samples.
struct DiffWords {
    std::string only_left;   // "missing"
    std::string only_right;  // "unexpected"
    std::string left;        // "expected": a row with the same key on the other side that differs
    std::string right;       // "got"
};

struct TableDiff {
    // A sentence each. Numbers of another type are the same column: they are compared by value.
    std::vector<std::string> columns;
    std::uint64_t left_rows = 0;
    std::uint64_t right_rows = 0;
    // Rows that come more than once count as often as they come.
    std::uint64_t only_left = 0;
    std::uint64_t only_right = 0;
    std::uint64_t changed = 0;  // with a key only: the same key, other values
    // How many of the changed rows have another value in it.
    std::vector<std::pair<std::string, std::uint64_t>> changed_columns;
    // By which rows were found again; none: by all of their values, so nothing is `changed`.
    std::vector<std::string> key;
    // Of each kind at most kSampleRows. The first column is the word for the row, with " ×3" where
    // it comes more than once; the names of the others have their types.
    std::vector<std::string> sample_columns;
    std::vector<std::vector<std::optional<std::string>>> sample;

    bool same() const {
        return columns.empty() && only_left == 0 && only_right == 0 && changed == 0;
    }
};

// `left` and `right` are names of tables, quoted. `key`: columns that find a row again; where they
// are not in both tables or not unique in each, rows are compared whole. NULL is equal to NULL.
Result<TableDiff> CompareTables(WriteTransaction& transaction, const std::string& left,
                                const std::string& right, const std::vector<std::string>& key,
                                const DiffWords& words);

}  // namespace biwa::transform
