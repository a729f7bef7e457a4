// What a checkpoint of DuckDB can tear, kept beside the file until the checkpoint is through.
//
// DuckDB's file begins with a header of three parts of 4 KiB: what the file is, and two slots that
// are written in turn. The slot with the higher number says where the catalogue begins and counts.
// Behind it lie blocks of 256 KiB. Rows go to blocks that are free, but the catalogue's blocks have
// 64 places each, and a checkpoint writes those with a free place anew where they are. What the
// counting slot reaches in them stays as it was, but a block that is written half (the process is
// killed, the power fails) has a checksum that fits neither state, and the file does not open.
//
// So the header and these blocks are copied first, and synced. The copy is put back when the
// slot that counted then counts still: the log is there as well then, and is played again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/result.h"

namespace biwa::duck {

// An open file. Closing any descriptor of a file lets go of all locks that the process has on it:
// what reads DuckDB's file while DuckDB has it open must stay open for as long.
class OpenFile {
  public:
    OpenFile() = default;
    explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
    OpenFile(OpenFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    OpenFile& operator=(OpenFile&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~OpenFile();
    int get() const { return descriptor_; }
    explicit operator bool() const { return descriptor_ >= 0; }

  private:
    int descriptor_ = -1;
};

// <warehouse>.checkpoint
std::filesystem::path CheckpointCopyPath(const std::filesystem::path& warehouse);

// Copies the header and these blocks of the open warehouse, durably. Nobody may write them
// meanwhile. Returns the copy's bytes. kUnavailable: no space; there is no copy then.
Result<std::uint64_t> KeepCheckpointCopy(int file, const std::filesystem::path& warehouse,
                                         const std::vector<std::int64_t>& blocks);
// The checkpoint is through.
void DropCheckpointCopy(const std::filesystem::path& warehouse);

// Before the engine opens the file: puts the copy back when a checkpoint was cut off, and drops it.
// kConflict: another process has the warehouse open.
Status MendWarehouse(const std::filesystem::path& warehouse);

}  // namespace biwa::duck
