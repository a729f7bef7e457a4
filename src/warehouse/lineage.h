// What a query's columns are made of. Plain data.
#pragma once

#include <string>
#include <vector>

#include "model/table.h"

namespace biwa {

struct ColumnSource {
    TableName table;
    std::string column;
    // The value goes on unchanged; else something is computed with it.
    bool is_copied = false;

    friend auto operator<=>(const ColumnSource&, const ColumnSource&) = default;
};

struct BoundColumn {
    std::string name;
    std::string type;  // in the warehouse's own words
    // Sorted, each column once.
    std::vector<ColumnSource> sources;
};

struct BoundQuery {
    std::vector<BoundColumn> columns;
    // What decides which rows there are: columns of filters, joins, groups, set operations. Sorted.
    std::vector<ColumnSource> conditions;
};

}  // namespace biwa
