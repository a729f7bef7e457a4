#include "project/files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace biwa {

namespace fs = std::filesystem;

namespace {
constexpr std::uintmax_t kFileBytesMax = 4 << 20;
constexpr int kFoldersDeepMax = 32;
}  // namespace

ProjectFiles::ProjectFiles(const fs::path& root, UnsavedTexts unsaved)
    : unsaved_(std::move(unsaved)) {
    std::error_code error;
    root_ = fs::canonical(root, error);
    if (error) root_ = root;
}

bool ProjectFiles::Exists(const std::string& path) const {
    if (unsaved_.contains(path)) return true;
    std::error_code ignored;
    return fs::symlink_status(root_ / path, ignored).type() != fs::file_type::not_found;
}

bool ProjectFiles::IsInside(const std::string& path, Problems& problems) const {
    std::error_code error;
    const auto real = fs::canonical(root_ / path, error);
    if (error) {
        problems.Add({path}, "cannot be read: " + error.message());
        return false;
    }
    const auto [end, ignored] = std::mismatch(root_.begin(), root_.end(), real.begin(), real.end());
    if (end == root_.end()) return true;
    problems.Add({path},
                 "is a symbolic link that leads outside of the project, and is not followed");
    return false;
}

std::optional<std::string> ProjectFiles::Read(const std::string& path, Problems& problems) const {
    if (const auto unsaved = unsaved_.find(path); unsaved != unsaved_.end()) {
        return unsaved->second;
    }
    if (!IsInside(path, problems)) return std::nullopt;
    std::error_code error;
    if (!fs::is_regular_file(root_ / path, error)) {
        problems.Add({path}, "is not a file");
        return std::nullopt;
    }
    const auto size = fs::file_size(root_ / path, error);
    if (!error && size > kFileBytesMax) {
        problems.Add({path},
                     fmt::format("has {}; a project file has 4 MiB at most", HumanBytes(size)));
        return std::nullopt;
    }
    auto text = ReadFile(root_ / path);
    if (!text) {
        problems.Add({path}, text.error().message);
        return std::nullopt;
    }
    if (!IsValidUtf8(*text)) {
        problems.Add({path}, "is not UTF-8 text; save it with that encoding");
        return std::nullopt;
    }
    return std::move(*text);
}

std::vector<std::string> ProjectFiles::List(const std::string& folder, Depth depth,
                                            Problems& problems) const {
    std::vector<std::string> files;
    if (Exists(folder)) ListInto(folder, depth, 1, problems, files);
    for (const auto& [path, text] : unsaved_) {
        const bool is_below = path.starts_with(folder + "/");
        const bool is_deep = is_below && path.find('/', folder.size() + 1) != std::string::npos;
        if (is_below && (depth == Depth::kTree || !is_deep)) files.push_back(path);
    }
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    return files;
}

void ProjectFiles::ListInto(const std::string& folder, Depth depth, int level, Problems& problems,
                            std::vector<std::string>& files) const {
    if (!IsInside(folder, problems)) return;
    if (level > kFoldersDeepMax) {
        problems.Add({folder}, fmt::format("lies more than {} folders deep", kFoldersDeepMax));
        return;
    }
    std::error_code error;
    fs::directory_iterator entries(root_ / folder, error);
    if (error) {
        problems.Add({folder}, "cannot be read as a folder: " + error.message());
        return;
    }
    for (; entries != fs::directory_iterator(); entries.increment(error)) {
        const auto& entry = *entries;
        const auto name = entry.path().filename().string();
        if (name.empty() || name.front() == '.' || name == "node_modules") continue;
        const auto path = folder + "/" + name;
        std::error_code ignored;
        if (!entry.is_directory(ignored)) {
            files.push_back(path);
        } else if (depth == Depth::kFolder) {
            problems.Add({path}, fmt::format("is a folder; files are read from {}/ only", folder));
        } else if (entry.is_symlink(ignored)) {
            problems.Add({path},
                         "is a symbolic link to a folder; only links to files are followed");
        } else {
            ListInto(path, depth, level + 1, problems, files);
        }
        if (error) break;
    }
    if (error) problems.Add({folder}, "cannot be read as a folder: " + error.message());
}

}  // namespace biwa
