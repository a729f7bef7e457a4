#include "warehouse/duckdb/checkpoint_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/log.h"

namespace biwa::duck {

namespace {

// The copy:  magic, bytes of a block (u64), blocks (u64) | the header
//            | each block: its number (u64), its bytes | crc32 of all before (u32)
constexpr std::string_view kMagic = "biwacp01";
constexpr std::size_t kPrefixBytes = 24;
// DuckDB's: storage_info.hpp and single_file_block_manager.cpp of version 1.5.
constexpr std::size_t kPartBytes = 4096;
constexpr std::size_t kHeaderBytes = 3 * kPartBytes;
constexpr std::uint64_t kBlockBytesMax = std::uint64_t{16} << 20;

std::uint64_t WordAt(std::string_view bytes, std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

void Append(std::string& bytes, std::uint64_t word) {
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
}

// Parts of the header and blocks alike begin with a checksum of their other words.
bool IsWhole(std::string_view bytes) {
    std::uint64_t sum = 5381;
    for (std::size_t at = 8; at + 8 <= bytes.size(); at += 8) {
        sum ^= WordAt(bytes, at) * 0xbf58476d1ce4e5b9ULL;
    }
    return WordAt(bytes, 0) == sum;
}

struct Header {
    std::string_view what;     // what the file is
    std::string_view counts;   // the slot that counts
    std::string_view other;    // the one that the next checkpoint writes
    std::size_t other_at = 0;  // of the file
    static Header Of(std::string_view bytes) {
        const auto first = bytes.substr(kPartBytes, kPartBytes);
        const auto second = bytes.substr(2 * kPartBytes, kPartBytes);
        const auto what = bytes.substr(0, kPartBytes);
        // As DuckDB decides: of two that are equal the second.
        if (Number(first) > Number(second)) return {what, first, second, 2 * kPartBytes};
        return {what, second, first, kPartBytes};
    }
    static std::uint64_t Number(std::string_view slot) { return WordAt(slot, 8); }
    std::uint64_t block_bytes() const { return WordAt(counts, 40); }
};

Error SystemError(std::string_view doing, const std::filesystem::path& path) {
    const int code = errno;
    return Error{code == ENOSPC ? ErrorKind::kUnavailable : ErrorKind::kUser,
                 fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(code)),
                 code == ENOSPC ? "Free some disk space." : ""};
}

bool ReadAt(int file, std::uint64_t at, std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const auto n =
            ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;  // the file ends before
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return true;
}

bool WriteAt(int file, std::uint64_t at, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += static_cast<std::uint64_t>(n);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// Makes the coming and going of the folder's files durable.
bool SyncFolderOf(const std::filesystem::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    const OpenFile file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems of networks cannot, and say so.
    return file && (::fsync(file.get()) == 0 || errno == EINVAL);
}

// Writes one thing after the other.
class CopyWriter {
  public:
    explicit CopyWriter(int file) : file_(file) {}
    bool Write(std::string_view bytes) {
        crc_ = ::crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
        const auto at = std::exchange(written_, written_ + bytes.size());
        return WriteAt(file_, at, bytes);
    }
    bool WriteCrc() {
        const auto crc = static_cast<std::uint32_t>(crc_);
        return Write({reinterpret_cast<const char*>(&crc), sizeof crc});
    }
    std::uint64_t written() const { return written_; }

  private:
    const int file_;
    uLong crc_ = 0;
    std::uint64_t written_ = 0;
};

Result<std::uint64_t> WriteCopy(int file, const std::filesystem::path& warehouse,
                                const std::vector<std::int64_t>& blocks,
                                const std::filesystem::path& path) {
    std::string header(kHeaderBytes, '\0');
    if (!ReadAt(file, 0, header)) return tl::unexpected(SystemError("read", warehouse));
    const auto now = Header::Of(header);
    const auto block_bytes = now.block_bytes();
    if (!IsWhole(now.what) || !IsWhole(now.counts) || !IsWhole(now.other) ||
        block_bytes < kPartBytes || block_bytes > kBlockBytesMax) {
        return Corrupt(fmt::format("the header of {} is not as it should be", warehouse.string()));
    }
    const OpenFile copy(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!copy) return tl::unexpected(SystemError("write", path));
    CopyWriter writer(copy.get());
    std::string prefix(kMagic);
    Append(prefix, block_bytes);
    Append(prefix, blocks.size());
    bool is_written = writer.Write(prefix) && writer.Write(header);
    std::string block(block_bytes, '\0');
    for (const auto id : blocks) {
        const auto at = kHeaderBytes + static_cast<std::uint64_t>(id) * block_bytes;
        if (!ReadAt(file, at, block)) return tl::unexpected(SystemError("read", warehouse));
        if (!IsWhole(block)) {
            return Corrupt(fmt::format("{} is damaged: block {} does not have its checksum",
                                       warehouse.string(), id));
        }
        std::string number;
        Append(number, static_cast<std::uint64_t>(id));
        is_written = is_written && writer.Write(number) && writer.Write(block);
    }
    is_written = is_written && writer.WriteCrc() && ::fsync(copy.get()) == 0 && SyncFolderOf(path);
    if (!is_written) return tl::unexpected(SystemError("write", path));
    return writer.written();
}

struct Copy {
    std::string_view header;
    std::uint64_t block_bytes = 0;
    std::vector<std::pair<std::uint64_t, std::string_view>> blocks;
};

// Nothing when it is not whole: the checkpoint that it was for had not begun.
std::optional<Copy> ReadCopy(std::string_view bytes) {
    if (bytes.size() < kPrefixBytes + kHeaderBytes + 4 || !bytes.starts_with(kMagic)) return {};
    std::uint32_t crc = 0;
    std::memcpy(&crc, bytes.data() + bytes.size() - sizeof crc, sizeof crc);
    bytes.remove_suffix(sizeof crc);
    if (::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) != crc) return {};
    Copy copy;
    copy.block_bytes = WordAt(bytes, 8);
    const auto count = WordAt(bytes, 16);
    copy.header = bytes.substr(kPrefixBytes, kHeaderBytes);
    bytes.remove_prefix(kPrefixBytes + kHeaderBytes);
    if (copy.block_bytes > kBlockBytesMax || bytes.size() / (8 + copy.block_bytes) != count ||
        bytes.size() % (8 + copy.block_bytes) != 0) {
        return {};
    }
    for (; !bytes.empty(); bytes.remove_prefix(8 + copy.block_bytes)) {
        copy.blocks.emplace_back(WordAt(bytes, 0), bytes.substr(8, copy.block_bytes));
    }
    return copy;
}

// Whether the checkpoint was cut off before its slot was written: neither done, nor is this another
// file than the one that was copied.
bool IsCutOff(const Copy& copy, std::string_view header_now) {
    const auto then = Header::Of(copy.header);
    if (header_now.substr(0, kPartBytes) != then.what) return false;
    const auto counted_at = 3 * kPartBytes - then.other_at;
    if (header_now.substr(counted_at, kPartBytes) != then.counts) return false;
    // A torn slot was not synced, so that what it stands for may not be there either.
    const auto other_now = header_now.substr(then.other_at, kPartBytes);
    return !IsWhole(other_now) || Header::Number(other_now) <= Header::Number(then.counts);
}

}  // namespace

OpenFile::~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::filesystem::path CheckpointCopyPath(const std::filesystem::path& warehouse) {
    return warehouse.string() + ".checkpoint";
}

Result<std::uint64_t> KeepCheckpointCopy(int file, const std::filesystem::path& warehouse,
                                         const std::vector<std::int64_t>& blocks) {
    const auto path = CheckpointCopyPath(warehouse);
    auto written = WriteCopy(file, warehouse, blocks, path);
    if (!written) ::unlink(path.c_str());
    return written;
}

void DropCheckpointCopy(const std::filesystem::path& warehouse) {
    // One that comes back after a power failure is found to be done with.
    ::unlink(CheckpointCopyPath(warehouse).c_str());
}

Status MendWarehouse(const std::filesystem::path& warehouse) {
    const auto path = CheckpointCopyPath(warehouse);
    std::error_code none;
    if (!std::filesystem::exists(path, none)) return {};
    const OpenFile file(::open(warehouse.c_str(), O_RDWR | O_CLOEXEC));
    if (!file && errno != ENOENT) return tl::unexpected(SystemError("open", warehouse));
    if (file) {
        // The lock that DuckDB takes: who has it may be in the middle of its checkpoint.
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        if (::fcntl(file.get(), F_SETLK, &lock) != 0) {
            if (errno != EACCES && errno != EAGAIN) {
                return tl::unexpected(SystemError("lock", warehouse));
            }
            return Fail(ErrorKind::kConflict, "another process has it open");
        }
        const auto bytes = BIWA_TRY(ReadFile(path));
        const auto copy = ReadCopy(bytes);
        std::string header(kHeaderBytes, '\0');
        if (copy && ReadAt(file.get(), 0, header) && IsCutOff(*copy, header)) {
            bool is_written = true;
            for (const auto& [id, block] : copy->blocks) {
                const auto at = kHeaderBytes + id * copy->block_bytes;
                is_written = is_written && WriteAt(file.get(), at, block);
            }
            const auto then = Header::Of(copy->header);
            is_written = is_written && WriteAt(file.get(), then.other_at, then.other);
            if (!is_written || ::fsync(file.get()) != 0) {
                return tl::unexpected(SystemError("write", warehouse));
            }
            LogInfo("{}: folding its log was cut off; {} blocks were put back as they were",
                    warehouse.string(), copy->blocks.size());
        }
    }
    DropCheckpointCopy(warehouse);
    return {};
}

}  // namespace biwa::duck
