#include "base/disk_reserve.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>

#include "base/testing.h"

namespace biwa {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBytes = 32 << 20;

class DiskReserveTest : public testing::Test {
  protected:
    std::uint64_t BytesOnDisk() {
        struct stat found {};
        if (::stat(file_.c_str(), &found) != 0) return 0;
        return static_cast<std::uint64_t>(found.st_blocks) * 512;
    }

    TempFolder folder_;
    const fs::path file_ = folder_.path() / "w.reserve";
};

TEST_F(DiskReserveTest, IsMadeWhereThereIsRoomAndCountsOnTheDisk) {
    DiskReserve reserve(file_, kBytes);
    EXPECT_FALSE(fs::exists(file_));
    // What begins may need what little there is.
    reserve.GiveUpIfLow();
    EXPECT_FALSE(fs::exists(file_));
    reserve.Look();
    EXPECT_GE(BytesOnDisk(), kBytes);
    EXPECT_TRUE(reserve.Check());
}

TEST_F(DiskReserveTest, IsNotMadeOnADiskThatIsTooSmall) {
    DiskReserve reserve(file_, std::uint64_t{1} << 60);
    reserve.Look();
    EXPECT_FALSE(fs::exists(file_));
    EXPECT_TRUE(reserve.Check());
}

TEST_F(DiskReserveTest, TheNextStartKnowsThatItWasGivenUp) {
    std::ofstream(file_).close();
    DiskReserve reserve(file_, kBytes);
    reserve.GiveUpIfLow();
    ASSERT_FALSE(reserve.Check());
    EXPECT_EQ(reserve.Check().error().kind, ErrorKind::kUnavailable);
    reserve.Look();
    EXPECT_TRUE(reserve.Check());
    EXPECT_GE(BytesOnDisk(), kBytes);
}

TEST_F(DiskReserveTest, AFileOfHolesOrOfAnotherSizeIsMadeWhole) {
    std::ofstream(file_).close();
    for (const auto size : {kBytes, kBytes * 2, kBytes / 2}) {
        fs::resize_file(file_, size);
        DiskReserve reserve(file_, kBytes);
        reserve.Look();
        EXPECT_TRUE(reserve.Check());
        EXPECT_EQ(fs::file_size(file_), kBytes);
        EXPECT_GE(BytesOnDisk(), kBytes);
    }
}

TEST_F(DiskReserveTest, OfNoBytesThereIsNone) {
    DiskReserve(file_, kBytes).Look();
    DiskReserve none(file_, 0);
    none.Look();
    EXPECT_FALSE(fs::exists(file_));
    EXPECT_TRUE(none.Check());
}

TEST(DiskReserveOnASmallDiskTest, IsGivenUpWhenTheDiskIsFullAndMadeAgainWhenItIsNot) {
    TempFolder folder;
    const auto& disk = folder.path();
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64m") != 0) {
        GTEST_SKIP() << "only root can mount a small file system";
    }
    {
        DiskReserve reserve(disk / "w.reserve", kBytes);
        reserve.Look();
        ASSERT_EQ(fs::file_size(disk / "w.reserve"), kBytes);
        std::ofstream filler(disk / "filler");
        const std::string megabyte(1 << 20, 'x');
        // 12 MiB are left: not full yet.
        for (int i = 0; i < 20; ++i) filler << megabyte;
        filler.flush();
        reserve.Look();
        EXPECT_TRUE(reserve.Check());
        while (filler << megabyte << std::flush) {
        }
        EXPECT_EQ(fs::space(disk).available, 0u);
        reserve.Look();
        EXPECT_FALSE(reserve.Check());
        EXPECT_GE(fs::space(disk).available, kBytes);
        // What it has left is no reason to make it again.
        reserve.Look();
        EXPECT_FALSE(reserve.Check());
        fs::remove(disk / "filler");
        filler.close();
        reserve.Look();
        EXPECT_TRUE(reserve.Check());
        EXPECT_EQ(fs::file_size(disk / "w.reserve"), kBytes);
    }
    ::umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace biwa
