// `oulad load`: makes the schema and fills it from the CSV files, in one transaction.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace oulad {

struct LoadOptions {
    std::string url;
    std::filesystem::path data;  // the folder of the CSV files
    bool with_submissions = true;
    bool replace = false;
};

biwa::Status Load(const LoadOptions& options);

}  // namespace oulad
