#include "source/dump/line_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace biwa::dump {

namespace {

constexpr std::size_t kBufferBytes = 1 << 20;

FileMark Mark(const struct stat& found) {
    return {static_cast<std::uint64_t>(found.st_size),
            std::int64_t{found.st_mtim.tv_sec} * 1'000'000 + found.st_mtim.tv_nsec / 1'000};
}

// What the first bytes say that it is instead; nothing when it may be lines.
Status RefuseOthers(const std::string& path, std::string_view head) {
    if (head.starts_with("PGDMP")) {
        return UserError(fmt::format("{} is in pg_dump's custom format", path),
                         fmt::format("Make a plain one of it: pg_restore -f - {} | gzip > "
                                     "dump.sql.gz",
                                     path));
    }
    constexpr std::string_view kFirstOfTar = "toc.dat";
    if (head.starts_with(kFirstOfTar) && head.size() > kFirstOfTar.size() &&
        head[kFirstOfTar.size()] == '\0') {
        return UserError(fmt::format("{} is in pg_dump's tar format", path),
                         fmt::format("Make a plain one of it: pg_restore -f - {} | gzip > "
                                     "dump.sql.gz",
                                     path));
    }
    for (const auto& [magic, command] :
         {std::pair<std::string_view, const char*>{"\x28\xb5\x2f\xfd", "zstd -dc"},
          {"BZh", "bzip2 -dc"},
          {std::string_view("\xfd\x37zXZ\0", 6), "xz -dc"},
          {std::string_view("PK\x03\x04", 4), "unzip -p"}}) {
        if (!head.starts_with(magic)) continue;
        return UserError(fmt::format("{} is compressed, and not by gzip", path),
                         fmt::format("{} {} | gzip > another.gz", command, path));
    }
    return {};
}

}  // namespace

std::string FileMark::ToString() const { return fmt::format("{}-{}", bytes, changed_us); }

Result<FileMark> MarkOf(const std::string& path) {
    struct stat found {};
    if (stat(path.c_str(), &found) == 0) return Mark(found);
    return Unavailable(fmt::format("{}: {}", path, std::strerror(errno)));
}

LineFile::LineFile(std::string path, gzFile file, int descriptor)
    : path_(std::move(path)), file_(file, gzclose_r), descriptor_(descriptor) {
    buffer_.resize(kBufferBytes);
}

Result<LineFile> LineFile::Open(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return Unavailable(fmt::format("{}: {}", path, std::strerror(errno)));
    struct stat found {};
    if (fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode)) {
        close(descriptor);
        return UserError(fmt::format("{} is no file", path),
                         "Of pg_dump's directory format make a plain one: pg_restore -f - FOLDER");
    }
    const gzFile file = gzdopen(descriptor, "rb");
    if (file == nullptr) {
        close(descriptor);
        return Unavailable(fmt::format("{}: out of memory", path));
    }
    gzbuffer(file, kBufferBytes);
    LineFile lines(path, file, descriptor);
    BIWA_TRY(lines.Fill());
    BIWA_TRY(RefuseOthers(path, {lines.buffer_.data(), lines.end_}));
    return lines;
}

Result<FileMark> LineFile::mark() const {
    struct stat found {};
    if (fstat(descriptor_, &found) == 0) return Mark(found);
    return Unavailable(fmt::format("{}: {}", path_, std::strerror(errno)));
}

Result<bool> LineFile::Fill() {
    const int read = gzread(file_.get(), buffer_.data(), static_cast<unsigned>(buffer_.size()));
    int code = Z_OK;
    const char* message = gzerror(file_.get(), &code);
    // An end in the midst of what is compressed is told with what was read before it, or later.
    if (read < 0 || code == Z_BUF_ERROR) {
        return Fail(code == Z_ERRNO ? ErrorKind::kUnavailable : ErrorKind::kUser,
                    fmt::format("{}:{}: {}", path_, place_.line,
                                code == Z_BUF_ERROR ? "the file is cut off"
                                : code == Z_ERRNO   ? std::strerror(errno)
                                                    : message));
    }
    begin_ = 0;
    end_ = static_cast<std::size_t>(read);
    return read > 0;
}

Result<bool> LineFile::Next(std::string_view& line) {
    line_.clear();
    for (;;) {
        const char* const from = buffer_.data() + begin_;
        const auto* const at = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
        if (at != nullptr) {
            const auto size = static_cast<std::size_t>(at - from);
            begin_ += size + 1;
            if (line_.empty()) {
                line = {from, size};
            } else {
                line = line_.append(from, size);
            }
            place_.offset += line.size() + 1;
            ++place_.line;
            return true;
        }
        line_.append(from, end_ - begin_);
        begin_ = end_;
        if (BIWA_TRY(Fill())) continue;
        line = line_;
        if (line_.empty()) return false;
        place_.offset += line.size();
        ++place_.line;
        return true;
    }
}

Status LineFile::Seek(const LinePlace& place) {
    begin_ = end_ = 0;
    if (gzseek(file_.get(), static_cast<z_off_t>(place.offset), SEEK_SET) < 0) {
        return Unavailable(fmt::format("{}: there is no line {}", path_, place.line));
    }
    place_ = place;
    return {};
}

}  // namespace biwa::dump
