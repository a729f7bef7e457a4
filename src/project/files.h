// The files of a project's folder, read with care: nothing outside of it, nothing huge, only UTF-8.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "project/problems.h"

namespace biwa {

class ProjectFiles {
  public:
    // `unsaved` stands in place of what the folder has by the same paths, or beside it.
    explicit ProjectFiles(const std::filesystem::path& root, UnsavedTexts unsaved = {});

    bool Exists(const std::string& path) const;
    // Nothing when it cannot be read as a project file; why is among the problems then.
    std::optional<std::string> Read(const std::string& path, Problems& problems) const;

    enum class Depth { kFolder, kTree };
    // The files of a folder, sorted, as paths from the root with "/" between. Hidden ones and
    // node_modules are left out; a missing folder is an empty one.
    std::vector<std::string> List(const std::string& folder, Depth depth, Problems& problems) const;

  private:
    // What a path leads to lies inside of the root; otherwise a problem.
    bool IsInside(const std::string& path, Problems& problems) const;
    void ListInto(const std::string& folder, Depth depth, int level, Problems& problems,
                  std::vector<std::string>& files) const;

    std::filesystem::path root_;  // without symbolic links
    UnsavedTexts unsaved_;
};

}  // namespace biwa
