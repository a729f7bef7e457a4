// What the tests of this folder share: a warehouse in memory and results as text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "query/query_service.h"
#include "query/sink.h"
#include "warehouse/duckdb/duckdb_warehouse.h"

namespace biwa::testing {

inline std::unique_ptr<Warehouse> OpenWarehouse() {
    auto warehouse = OpenDuckDb({});
    if (!warehouse) ADD_FAILURE() << warehouse.error().ToString();
    return std::move(*warehouse);
}

// Everything that a query gives through a sink of type Sink.
template <typename Sink>
std::string Render(Warehouse& warehouse, std::string_view sql) {
    std::string text;
    Sink sink([&](std::string_view bytes) -> Status {
        text += bytes;
        return {};
    });
    QueryService queries(warehouse, {.running_max = 1});
    const auto stats = queries.Run({.sql = std::string(sql)}, sink);
    if (!stats) ADD_FAILURE() << sql << ": " << stats.error().ToString();
    return text;
}

}  // namespace biwa::testing
