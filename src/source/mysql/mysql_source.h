// MariaDB and MySQL as sources: registration, and a stream's end of them.
#pragma once

#include "source/registry.h"

namespace biwa {

// Adds the kinds "mariadb" and "mysql", which are the same.
void RegisterMySqlSource(SourceRegistry& sources);

// The settings of a connection out of "mysql://user:password@host:port/database?ssl_mode=require"
// or "mariadb://…".
Result<SettingValues> ParseMySqlUrl(const std::string& url);

}  // namespace biwa
