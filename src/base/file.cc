#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace biwa {

namespace {

tl::unexpected<Error> SystemError(std::string_view doing, const std::filesystem::path& path) {
    const int code = errno;
    return Fail(code == ENOSPC ? ErrorKind::kUnavailable : ErrorKind::kUser,
                fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(code)),
                code == ENOSPC ? "Free some disk space and try again." : "");
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        errno = EISDIR;
        return SystemError("read", path);
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) return SystemError("read", path);
    std::ostringstream content;
    content << file.rdbuf();
    if (file.bad()) return SystemError("read", path);
    return std::move(content).str();
}

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content,
                           mode_t mode) {
    auto aside = path;
    aside += fmt::format(".{}.new", ::getpid());
    const int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (file < 0) return SystemError("write", path);
    bool written = ::fchmod(file, mode) == 0;
    while (written && !content.empty()) {
        const auto n = ::write(file, content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        written = n > 0;
        if (written) content.remove_prefix(static_cast<std::size_t>(n));
    }
    written = written && ::fsync(file) == 0;
    const int code = errno;
    ::close(file);
    errno = code;
    if (!written || ::rename(aside.c_str(), path.c_str()) != 0) {
        auto error = SystemError("write", path);
        ::unlink(aside.c_str());
        return error;
    }
    return {};
}

Result<FileLock> FileLock::Acquire(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return SystemError("open the lock", path);
    // Whoever looks for the holder has the lock for a moment, which is no reason to give up.
    bool is_ours = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    for (int attempt = 0; !is_ours && attempt < 20; ++attempt) {
        ::usleep(5'000);
        is_ours = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    }
    if (!is_ours) {
        ::close(file);
        return Fail(ErrorKind::kConflict,
                    fmt::format("{} is in use by process {}", path.string(), Holder(path)));
    }
    const auto holder = fmt::format("{}\n", ::getpid());
    // In this order, which needs no room on a full disk where the file was there before.
    const auto size = static_cast<ssize_t>(holder.size());
    if (::pwrite(file, holder.data(), holder.size(), 0) != size || ::ftruncate(file, size) != 0) {
        auto error = SystemError("write the lock", path);
        ::close(file);
        return error;
    }
    return FileLock(file);
}

pid_t FileLock::Holder(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const bool is_free = ::flock(file, LOCK_SH | LOCK_NB) == 0;
    ::close(file);
    if (is_free) return 0;
    const auto content = ReadFile(path);
    return content ? static_cast<pid_t>(std::atoi(content->c_str())) : 0;
}

FileLock::~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace biwa
