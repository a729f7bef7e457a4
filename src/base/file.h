// Files, whole. Errors name the path and what the system said.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace biwa {

Result<std::string> ReadFile(const std::filesystem::path& path);

// Writes beside the file, syncs and renames: the file is the old one or the new one, never a part.
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content,
                           mode_t mode = 0644);

// An advisory lock held until destruction; the file's content names its holder's process id.
class FileLock {
  public:
    // kConflict, naming the holder, when another process has it.
    static Result<FileLock> Acquire(const std::filesystem::path& path);
    // The process id of the holder, or 0 when nobody holds it.
    static pid_t Holder(const std::filesystem::path& path);

    FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileLock& operator=(FileLock&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~FileLock();

  private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

}  // namespace biwa
