// The tables of meta.db, and how older files get them.
#pragma once

#include "base/result.h"
#include "state/sqlite.h"

namespace biwa {

// Checks the file and runs the migrations that it has not seen, in one transaction.
Status PrepareSchema(const SqliteDatabase& database);

}  // namespace biwa
