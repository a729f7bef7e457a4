// A first dashboard for tables that nobody has described yet, found from their columns.
#pragma once

#include <string>
#include <vector>

#include "project/scaffold.h"

namespace biwa {

// A table where it will be found in the warehouse.
struct PlacedTable {
    const ScaffoldTable* table = nullptr;
    std::string dataset;
};

// dashboards/overview.yaml. `tables` is not empty.
std::string OverviewDashboard(const std::string& title, std::vector<PlacedTable> tables);

// The column's name lets one think of a person's name, address, password and the like.
bool LooksPersonal(const std::string& column);

}  // namespace biwa
