// A file of rows as a source: a plain dump of pg_dump or a CSV, of a database that is not there any
// more, or is to be left alone.
//
// Its tables have no changes. A file that was replaced is other tables by the same names, which are
// copied anew; one that is gone leaves what was copied.
#pragma once

#include "source/registry.h"

namespace biwa {

void RegisterDumpSource(SourceRegistry& sources);

}  // namespace biwa
