// `juku load`: makes the schema and fills it with history, in one transaction.
#pragma once

#include <string>

#include "base/result.h"
#include "juku/history.h"

namespace juku {

struct LoadOptions {
    std::string url;  // libpq's environment where it says nothing
    HistoryOptions history;
    bool replace = false;  // drops what an earlier load has made
};

biwa::Status Load(const LoadOptions& options);

}  // namespace juku
