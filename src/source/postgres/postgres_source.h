// PostgreSQL as a source: registration, and a stream's end of it.
#pragma once

#include "source/registry.h"

namespace biwa {

// Adds the kind "postgres".
void RegisterPostgresSource(SourceRegistry& sources);

// The settings of a connection out of
// "postgres://user:password@host:port/database?sslmode=require".
Result<SettingValues> ParsePostgresUrl(const std::string& url);

}  // namespace biwa
