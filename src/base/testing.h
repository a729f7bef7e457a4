// For tests of all folders.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include <stdlib.h>

#include "base/check.h"

namespace biwa {

// An empty folder of its own, which goes with it and all that is in it.
class TempFolder {
  public:
    TempFolder() {
        std::string name = std::filesystem::temp_directory_path() / "biwa-test-XXXXXX";
        BIWA_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = std::move(name);
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace biwa
