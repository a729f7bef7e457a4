#include "base/disk_reserve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/text.h"

namespace biwa {

DiskReserve::DiskReserve(std::filesystem::path file, std::uint64_t bytes)
    : file_(std::move(file)), bytes_(bytes) {}

void DiskReserve::GiveUpIfLow() {
    if (!IsWhole() || FreeBytes() >= kLowBytes) return;
    if (::truncate(file_.c_str(), 0) != 0) {
        LogWarn("cannot give {} up: {}", file_.string(), std::strerror(errno));
        return;
    }
    is_given_up_ = true;
    LogWarn("the disk of {} is full: what was kept in reserve is used, and streams wait",
            file_.parent_path().string());
}

void DiskReserve::Look() {
    if (bytes_ == 0) {
        ::unlink(file_.c_str());
        return;
    }
    GiveUpIfLow();
    if (!IsWhole() && !is_impossible_ && FreeBytes() >= bytes_ + kEnoughBytes) Make();
}

bool DiskReserve::IsWhole() {
    struct stat found {};
    const bool is_there = bytes_ > 0 && ::stat(file_.c_str(), &found) == 0;
    // An empty file says that it was given up, to the next start too.
    is_given_up_ = is_there && found.st_size == 0;
    // What it really has on the disk: a copy of the folder may have made a file of holes of it.
    return is_there && static_cast<std::uint64_t>(found.st_size) == bytes_ &&
           static_cast<std::uint64_t>(found.st_blocks) * 512 >= bytes_ - bytes_ / 8;
}

Status DiskReserve::Check() const {
    if (!is_given_up_) return {};
    return Unavailable(fmt::format("the disk of {} is full: {} are free",
                                   file_.parent_path().string(), HumanBytes(FreeBytes())),
                       fmt::format("Free some space: from {} on it goes on by itself.",
                                   HumanBytes(bytes_ + kEnoughBytes)));
}

std::uint64_t DiskReserve::FreeBytes() const {
    struct statvfs disk {};
    if (::statvfs(file_.parent_path().c_str(), &disk) != 0) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

void DiskReserve::Make() {
    const int file = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) return;
    // Not posix_fallocate: where the file system cannot, that writes all of it.
    const bool is_made = ::fallocate(file, 0, 0, static_cast<off_t>(bytes_)) == 0 &&
                         ::ftruncate(file, static_cast<off_t>(bytes_)) == 0;
    const int code = errno;
    ::close(file);
    if (is_made) {
        if (is_given_up_) LogInfo("the disk of {} has room again", file_.parent_path().string());
        is_given_up_ = false;
        return;
    }
    // Somebody else was quicker: it stays as it was, given up or not made yet.
    if (code == ENOSPC && is_given_up_ && ::truncate(file_.c_str(), 0) == 0) return;
    ::unlink(file_.c_str());
    if (code == ENOSPC) return;
    is_impossible_ = true;
    is_given_up_ = false;
    LogDebug("no room is kept in reserve in {}: {}", file_.parent_path().string(),
             std::strerror(code));
}

}  // namespace biwa
