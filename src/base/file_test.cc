#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.h"

namespace biwa {
namespace {

class FileTest : public testing::Test {
  protected:
    TempFolder temp_;
    const std::filesystem::path& folder_ = temp_.path();
};

TEST_F(FileTest, WritesAndReadsAnyBytes) {
    const auto path = folder_ / "日本.bin";
    const std::string content("a\0b\xff\n", 5);
    ASSERT_TRUE(WriteFileAtomically(path, content, 0600));
    EXPECT_EQ(*ReadFile(path), content);
    struct stat found {};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
    ASSERT_TRUE(WriteFileAtomically(path, ""));
    EXPECT_EQ(*ReadFile(path), "");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1)
        << "nothing is left beside the file";
}

TEST_F(FileTest, AnErrorNamesThePathAndWhy) {
    for (const auto& path : {folder_ / "none", folder_}) {
        const auto content = ReadFile(path);
        ASSERT_FALSE(content);
        EXPECT_NE(content.error().message.find(path.string()), std::string::npos);
    }
    const auto written = WriteFileAtomically(folder_ / "none" / "file", "x");
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message.find("No such file"), std::string::npos);
    // A folder cannot be replaced by a file; what was written beside it goes again.
    std::filesystem::create_directory(folder_ / "sub");
    EXPECT_FALSE(WriteFileAtomically(folder_ / "sub", "x"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, ALockIsHeldByOneUntilItGoes) {
    const auto path = folder_ / "lock";
    EXPECT_EQ(FileLock::Holder(path), 0);
    {
        auto lock = FileLock::Acquire(path);
        ASSERT_TRUE(lock);
        EXPECT_EQ(FileLock::Holder(path), ::getpid());
        const auto second = FileLock::Acquire(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
        EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
        const FileLock moved = std::move(*lock);
        EXPECT_EQ(FileLock::Holder(path), ::getpid());
    }
    EXPECT_EQ(FileLock::Holder(path), 0);
    EXPECT_TRUE(FileLock::Acquire(path));
}

TEST_F(FileTest, ALookAtTheHolderDoesNotKeepAnotherOut) {
    // Holder takes the lock for a moment to see whether it is free.
    const auto path = folder_ / "lock";
    { ASSERT_TRUE(FileLock::Acquire(path)); }
    const pid_t looker = ::fork();
    if (looker == 0) {
        for (int i = 0; i < 20'000; ++i) FileLock::Holder(path);
        ::_exit(0);
    }
    int refused = 0;
    while (::waitpid(looker, nullptr, WNOHANG) == 0) {
        if (!FileLock::Acquire(path)) ++refused;
    }
    EXPECT_EQ(refused, 0);
}

}  // namespace
}  // namespace biwa
